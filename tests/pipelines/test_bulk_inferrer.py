"""When the pipeline answers in bulk, when it does not, and when it does so again."""

import json
from pathlib import Path
from typing import Any

import pytest
from data_components import shop_config
from typer.testing import CliRunner

from pipelines.artifacts import (
    Evaluation,
    Examples,
    Inferred,
    Model,
    Output,
    Statistics,
    Transformed,
)
from pipelines.caching.contents import Contents
from pipelines.caching.fingerprints import fingerprint, step_parts
from pipelines.cli import app
from pipelines.components.base import Context
from pipelines.components.bulk_inferrer import BulkInferrer
from pipelines.pipeline import components
from tfmtl.config import Config

ASKED = {"data": "asked/*.csv", "outputs": ["scores"]}


def test_it_is_the_last_step_of_a_configuration_that_asks_for_it() -> None:
    assert components(shop_config(bulk_inference=ASKED))[-1] is BulkInferrer
    assert BulkInferrer not in components(shop_config())


def test_a_model_that_is_not_blessed_is_not_asked(tmp_path: Path) -> None:
    for name in ("evaluation", "inferred"):
        (tmp_path / name).mkdir()
    (tmp_path / "evaluation" / "evaluation.json").write_text('{"blessed": false}')
    config = shop_config(bulk_inference=ASKED)
    made: list[Any] = [
        kind(tmp_path / kind.name)
        for kind in (Examples, Statistics, Transformed, Model, Evaluation)
    ]
    context = Context(config, tmp_path, tmp_path, tmp_path, lambda *_: None)
    output: Output[Inferred] = Output(tmp_path / "inferred")
    assert BulkInferrer(context, *made, output)["headline"] == "nothing: the model is not blessed"
    assert json.loads((tmp_path / "inferred" / "summary.json").read_bytes())["blessed"] is False
    assert len(list((tmp_path / "inferred").iterdir())) == 1


def made_of(config: Config, data: Path) -> str:
    consumed = dict.fromkeys(BulkInferrer.consumes, "same")
    return fingerprint(step_parts(BulkInferrer, config, consumed, data, Contents()))


def test_it_runs_again_when_the_table_changes_but_not_when_the_log_does(tmp_path: Path) -> None:
    config = shop_config(bulk_inference=ASKED)
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked" / "a.csv").write_text("user,item\nu1,i1\n")
    (tmp_path / "log.csv").write_text("user\n")
    first = made_of(config, tmp_path)
    (tmp_path / "log.csv").write_text("user\nu1\n")
    assert made_of(config, tmp_path) == first
    (tmp_path / "asked" / "b.csv").write_text("user,item\nu2,i1\n")
    second = made_of(config, tmp_path)
    (tmp_path / "asked" / "a.csv").write_text("user,item\nu2,i1\n")
    assert len({first, second, made_of(config, tmp_path)}) == 3
    assert made_of(shop_config(bulk_inference={**ASKED, "keep": ["day"]}), tmp_path) != second


def told(output: str) -> str:
    """What the command line says, without the box around it."""
    return " ".join(output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "x.csv", "--output", "{}/out"], "holds no pushed model"),
        (["--output", "{}/out"], "Missing option '--data'"),
        (["--data", "x.csv"], "Missing option '--output'"),
        (["--data", "x.csv", "--output", "{}/out", "--top-k", "0"], "--top-k"),
    ],
)
def test_bad_usage_names_what_is_wrong(tmp_path: Path, words: list[str], expected: str) -> None:
    given = ["infer", str(tmp_path), *(word.format(tmp_path) for word in words)]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert expected in told(result.output)


def test_other_things_are_not_replaced_by_answers(tmp_path: Path) -> None:
    (tmp_path / "serving" / "shop" / "1").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    words = ["infer", str(tmp_path), "--data", "x.csv", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "holds other things than answers" in told(result.output)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"
