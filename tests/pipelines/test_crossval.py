"""Cross-validation: folds as Surprise makes them, an analysis that sees no test row, figures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines import artifacts
from pipelines.artifacts import Output
from pipelines.cli import app
from pipelines.commands.common import load_config
from pipelines.components.base import Context, PipelineError
from pipelines.components.statistics_gen import StatisticsGen
from pipelines.crossval.crossvalidation import CrossValidation, in_words, metrics_of, summary
from pipelines.crossval.folds import FOLD, divide, fold_numbers, link, of_fold, whole
from pipelines.preprocess.layout import ROW
from tfmtl.config import ConfigError

SMALL = ["training.epochs=2", "training.batch_size=64", "model.factorised.dim=2"]


def silent(done: int, total: int | None, unit: str, note: str = "") -> None:
    pass


def write_ratings(directory: Path) -> list[tuple[str, str, int]]:
    """Ratings of six users, and one of an item that nobody else has rated, the last one."""
    random = np.random.default_rng(0)
    rows = [(f"u{u}", f"i{i}", int(random.integers(1, 6))) for u in range(6) for i in range(10)]
    rows.append(("u0", "only_once", 4))
    text = "user,item,rating\n" + "".join(f"{u},{i},{r}\n" for u, i, r in rows)
    (directory / "ratings.csv").write_text(text, encoding="utf-8")
    return rows


@pytest.mark.parametrize(("rows", "folds", "seed"), [(10, 5, 0), (13, 5, 3), (7, 2, 1)])
def test_folds_by_a_plain_loop(rows: int, folds: int, seed: int) -> None:
    """As surprise.model_selection.KFold.split: `start` and `stop` run through shuffled indices."""
    order = np.arange(rows)
    np.random.RandomState(seed).shuffle(order)
    start, stop, expected = 0, 0, {}
    for fold in range(folds):
        start = stop
        stop += rows // folds
        if fold < rows % folds:
            stop += 1
        expected |= {int(row): fold for row in order[start:stop]}
    assert dict(enumerate(fold_numbers(rows, folds, seed).tolist())) == expected


def test_rows_are_numbered_in_the_order_of_the_files(tmp_path: Path) -> None:
    """Whatever the order in which the log's files hold the rows."""
    log = tmp_path / "log"
    log.mkdir()
    parts = [[40, 10, 30], [20, 0]]
    for place, numbers in enumerate(parts):
        pq.write_table(pa.table({ROW: numbers}), log / f"part-{place}.parquet")
    assert divide(tmp_path, 2, seed=5) == 5
    found = {}
    for file in log.glob("*.parquet"):
        table = pq.read_table(file)
        found |= dict(zip(table[ROW].to_pylist(), table[FOLD].to_pylist(), strict=True))
    folds = [str(number) for number in fold_numbers(5, 2, seed=5)]
    assert [found[row] for row in (0, 10, 20, 30, 40)] == folds
    with pytest.raises(PipelineError, match=r"--folds: expected at most one a row, which are 5"):
        divide(tmp_path, 6, seed=0)


def test_mean_and_spread_by_hand() -> None:
    folds: list[dict[str, Any]] = [
        {"tasks": {"rating": {"rmse": 1.0, "mae": None}}},
        {"tasks": {"rating": {"rmse": 3.0, "mae": 0.5}}},
    ]
    assert summary(folds) == {
        "mean": {"rating": {"rmse": 2.0, "mae": 0.5}},
        "spread": {"rating": {"rmse": 1.0, "mae": 0.0}},
    }
    assert in_words(folds[0]["tasks"]) == "rating rmse 1.0000, rating mae none"


def test_metrics_of_every_kind_of_task() -> None:
    shop = load_config("shop")
    assert metrics_of(shop, ["click"]) == {"click": ["auc"]}
    ratings = load_config("ratings")
    assert metrics_of(ratings) == {"rating": ["rmse", "mae"], "best": ["recall@50"]}
    with pytest.raises(ConfigError, match=r"--task: there is no 'stars', choose among \['rating'"):
        metrics_of(ratings, ["stars"])


def test_the_past_cannot_be_divided_at_random() -> None:
    with pytest.raises(ConfigError, match=r"features\.history: folds are drawn at random"):
        whole(load_config("shop"))


def test_bad_usage_is_a_line(tmp_path: Path) -> None:
    asked = ["crossval", "ratings", "--data", str(tmp_path)]
    for options in (["--folds", "1"], ["--json", str(tmp_path / "nowhere" / "a.json")]):
        assert CliRunner().invoke(app, [*asked, *options]).exit_code == 2


@pytest.mark.slow
def test_the_analysis_does_not_see_the_test_fold(tmp_path: Path) -> None:
    rows = write_ratings(tmp_path)
    config = load_config("ratings", SMALL)
    validation = CrossValidation(config, tmp_path, tmp_path / "work", 3, 0)
    validation.read()
    assert validation.rows == len(rows)
    examples = tmp_path / "work" / "rows" / "artifacts" / "examples"
    tested = fold_numbers(len(rows), 3, 0)
    for number in range(3):
        place = tmp_path / f"fold_{number}"
        own = of_fold(whole(config), 3, number)
        link(examples, own, place / "examples")
        (place / "statistics").mkdir()
        context = Context(own, tmp_path, place, place / "serving", silent)
        output: Output[artifacts.Statistics] = Output(place / "statistics")
        StatisticsGen(context, artifacts.Examples(place / "examples"), output)
        found = (place / "statistics" / "vocabularies" / "item.txt").read_text().split()
        trained = {item for (_, item, _), fold in zip(rows, tested, strict=True) if fold != number}
        assert set(found) == trained
        assert ("only_once" in found) == (tested[-1] != number)
        link_summary = json.loads((place / "statistics" / "summary.json").read_text())
        labels = [r for (_, _, r), fold in zip(rows, tested, strict=True) if fold != number]
        (mean,) = link_summary["label_means"]["train"].values()
        assert math.isclose(mean["rating"], np.mean(labels), rel_tol=1e-6)


@pytest.mark.slow
def test_the_command_prints_and_writes_every_fold(tmp_path: Path) -> None:
    """One of the folds has an item that its training rows do not."""
    rows = write_ratings(tmp_path)
    words = ["crossval", "ratings", "--data", str(tmp_path), "--folds", "2", "--task", "rating"]
    words += ["--json", str(tmp_path / "found.json")]
    for change in SMALL:
        words += ["--set", change]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert [fold["rows"] for fold in found["folds"]] == [31, 30]
    assert found["rows"] == len(rows)
    rmse = [fold["tasks"]["rating"]["rmse"] for fold in found["folds"]]
    assert found["mean"]["rating"]["rmse"] == pytest.approx(sum(rmse) / 2)
    assert all(0.5 < value < 3 for value in rmse)
    lines = [line.split() for line in result.output.splitlines()]
    assert ["1", "31", f"{rmse[0]:.4f}"] in [line[:3] for line in lines]
