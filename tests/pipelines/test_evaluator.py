"""The Evaluator on a tiny model, before and beside pushed ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from pipelines.artifacts import Evaluation, Model, Output, Transformed
from pipelines.components.base import Context
from pipelines.components.evaluator import Evaluator
from serving.pushing import versions
from tfmtl.config import Config
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import save_model

CLICK = {"task": "click", "metric": "auc"}


def random_model(seed: int, changes: dict[str, Any] | None = None) -> MultiTaskModel:
    """Weights so large that predictions differ."""
    made = tiny.make_model(changes)
    random = np.random.default_rng(seed)
    for variable in made.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.6)
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Transform's artifact, a model, and a serving directory without a version."""
    path = tmp_path_factory.mktemp("evaluator")
    tiny.write_transformed(path / "transformed")
    save_model(random_model(0), path / "model", path / "transformed")
    (path / "serving").mkdir()
    return path


def push(home: Path, serving: Path, model: MultiTaskModel) -> Path:
    """Puts a model where version 1's would be."""
    place = serving / "tiny" / "1" / versions.KERAS_MODEL
    place.parent.mkdir(parents=True)
    save_model(model, place, home / "transformed")
    return place


def run(
    home: Path, output: Path, serving: Path, changes: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Evaluator's summary and what evaluation.json says."""
    config: Config = tiny.make_config(changes)
    told: list[tuple] = []
    context = Context(config, home, home, serving, lambda *progress: told.append(progress))
    output.mkdir()
    summary = Evaluator(
        context,
        transformed=Transformed(home / "transformed"),
        model=Model(home / "model"),
        evaluation=Output[Evaluation](output),
    )
    assert told[0] == (40, 40, "examples", "")
    return summary, json.loads((output / "evaluation.json").read_text())


def places(tree: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """Figures by slice column, value and metric."""
    found = {("", "", metric): figure for metric, figure in tree["overall"].items()}
    for column, values in tree["slices"].items():
        for value, figures in values.items():
            found |= {(column, value, metric): figure for metric, figure in figures.items()}
    return found


def test_before_a_first_push(home: Path, tmp_path: Path) -> None:
    rule = {**CLICK, "at_least": 0.1, "not_worse_by": 0.01, "confidence": 0.9}
    summary, found = run(home, tmp_path / "out", home / "serving", {"gate": [rule]})
    assert found["baseline"] == {
        "version": None,
        "tasks": None,
        "differences": None,
        "reason": None,
    }
    assert set(found["tasks"]) == {"retrieve", "click", "cart", "stars"}
    assert summary["metrics"]["click"] == found["tasks"]["click"]["overall"]
    assert summary["blessed"] is found["blessed"] is True
    assert summary["headline"] == "blessed, 2 of 2 rules hold"
    assert summary["lines"] == []
    one, other = found["rules"]
    assert one["text"].startswith("click auc is ")
    assert one["confidence"] == 0.9
    assert other["low"] is other["confidence"] is None
    assert other["text"].endswith("no pushed model to compare with")
    for measured in found["tasks"].values():
        figures, intervals = places(measured), places(measured["intervals"])
        assert set(intervals) <= set(figures)
        for place, ends in intervals.items():
            if ends is not None:
                assert ends[0] <= ends[1], place


def test_the_difference_is_of_the_same_rows(home: Path, tmp_path: Path) -> None:
    push(home, tmp_path / "serving", random_model(1))
    rules = [{**CLICK, "not_worse_by": m, "confidence": 0.95} for m in (0.0, 1.0)]
    summary, found = run(home, tmp_path / "out", tmp_path / "serving", {"gate": rules})
    baseline = found["baseline"]
    assert (baseline["version"], baseline["reason"], summary["lines"]) == (1, None, [])
    assert set(baseline["differences"]) == {"retrieve", "click", "cart", "stars"}
    checked = 0
    for task, differences in baseline["differences"].items():
        own, its = places(found["tasks"][task]), places(baseline["tasks"][task])
        for place, told in places(differences).items():
            if own[place] is None or its[place] is None:
                assert told["difference"] is None
                continue
            assert told["difference"] == pytest.approx(own[place] - its[place], abs=1e-12)
            if told["low"] is not None:
                checked += 1
                assert told["low"] <= told["high"]
    assert checked > 50
    # The rule's ends are the pushed model's figure and the one-sided ends of the difference.
    first, second = found["rules"]
    pushed = baseline["tasks"]["click"]["overall"]["auc"]
    difference = baseline["differences"]["click"]["overall"]["auc"]
    assert difference["low"] < first["low"] - pushed < difference["difference"]
    assert difference["difference"] < first["high"] - pushed < difference["high"]
    assert first["holds"] is (first["low"] >= pushed)
    assert second["holds"] is True
    assert second["limit"] == pytest.approx(pushed - 1)


def test_a_model_beside_itself_differs_in_nothing(home: Path, tmp_path: Path) -> None:
    push(home, tmp_path / "serving", random_model(0))
    rule = {**CLICK, "not_worse_by": 0.0, "confidence": 0.99}
    _, found = run(home, tmp_path / "out", tmp_path / "serving", {"gate": [rule]})
    assert found["blessed"]
    for differences in found["baseline"]["differences"].values():
        for place, told in places(differences).items():
            assert told["difference"] in (0, None), place
            assert told["low"] in (0, None), place
            assert told["high"] in (0, None), place


def test_a_baseline_with_other_tasks(home: Path, tmp_path: Path) -> None:
    tasks = {name: tiny.RAW["tasks"][name] for name in ("click", "cart")}
    tasks |= {"stars": {"kind": "binary", "label": "stars"}, "gone": tiny.RAW["tasks"]["click"]}
    push(home, tmp_path / "serving", random_model(2, {"tasks": tasks}))
    rules = [{**CLICK, "not_worse_by": 1}, {"task": "stars", "metric": "mae", "not_worse_by": 1}]
    summary, found = run(home, tmp_path / "out", tmp_path / "serving", {"gate": rules})
    reason = (
        "not compared: its task 'stars' is of kind binary, here it is of regression; "
        "it lacks 'retrieve'; it alone has 'gone'"
    )
    assert found["baseline"]["reason"] == reason
    assert summary["lines"] == [f"pushed version 1: {reason}"]
    assert set(found["baseline"]["tasks"]) == {"click", "cart"}
    assert set(found["baseline"]["differences"]) == {"click", "cart"}
    click, stars = found["rules"]
    assert click["limit"] is not None
    assert stars["text"].endswith("the pushed model has no such figure to compare with")
    assert found["blessed"]


def test_a_baseline_with_no_task_of_these(home: Path, tmp_path: Path) -> None:
    tasks = {"buy": tiny.RAW["tasks"]["click"]}
    push(home, tmp_path / "serving", random_model(2, {"tasks": tasks}))
    rule = {**CLICK, "not_worse_by": 1}
    _, found = run(home, tmp_path / "out", tmp_path / "serving", {"gate": [rule]})
    reason = "it has none of the tasks retrieve, click, cart, stars"
    assert found["baseline"]["reason"] == reason
    assert found["reasons"] == [
        f"click auc: the pushed model could not be measured: version 1: {reason}"
    ]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda place: (place / "model.keras").write_bytes(b"PK no model"), ""),
        (lambda place: (place / "config.yaml").write_text("name: [", encoding="utf-8"), "config"),
        (shutil.rmtree, "config"),
    ],
)
def test_a_baseline_that_cannot_be_read(home: Path, tmp_path: Path, harm: Any, reason: str) -> None:
    harm(push(home, tmp_path / "serving", random_model(1)))
    rules = [{**CLICK, "at_least": 0.0}, {**CLICK, "not_worse_by": 1}]
    summary, found = run(home, tmp_path / "out", tmp_path / "serving", {"gate": rules})
    baseline = found["baseline"]
    assert (baseline["version"], baseline["tasks"], baseline["differences"]) == (1, None, None)
    assert baseline["reason"].startswith(reason)
    assert "\n" not in baseline["reason"]
    assert [rule["holds"] for rule in found["rules"]] == [True, False]
    assert summary["lines"][0].startswith("pushed version 1: could not be measured: ")


def test_no_rules_no_blessing(home: Path, tmp_path: Path) -> None:
    summary, found = run(home, tmp_path / "out", home / "serving")
    assert found["blessed"] is summary["blessed"] is False
    assert found["reasons"] == ["no thresholds declared; add rules under gate"]


def test_the_same_figures_every_time(home: Path, tmp_path: Path) -> None:
    push(home, tmp_path / "serving", random_model(1))
    for name in ("one", "two"):
        run(home, tmp_path / name, tmp_path / "serving")
    one, two = ((tmp_path / name / "evaluation.json").read_bytes() for name in ("one", "two"))
    assert one == two
