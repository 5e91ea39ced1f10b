"""What old tasks have lost, and whether a limit allows it."""

from pathlib import Path
from typing import Any

import pytest
from data_components import shop_config

from pipelines.components.base import PipelineError
from pipelines.finetuning.finetune import finetune
from pipelines.finetuning.forgetting import lines_of, outcomes
from pipelines.report.facts import Facts
from pipelines.report.finetuning import finetuning
from tfmtl.config import ConfigError, dump, parse


def figures(before: float | None, after: float | None, loss: float | None) -> dict[str, Any]:
    return {"before": before, "after": after, "loss": loss}


TASKS = {
    "click": {
        "metric": "auc",
        "limit": 0.01,
        "rows": {"new": figures(0.70, 0.72, -0.02), "run": figures(0.75, 0.73, 0.02)},
    },
    "stars": {"metric": "rmse", "limit": 0.1, "rows": {"new": figures(1.0, 1.1, 0.1)}},
    "cart": {"metric": "auc", "limit": None, "rows": {"new": figures(0.8, 0.5, 0.3)}},
    "buy": {"metric": "auc", "limit": 0.5, "rows": {"new": figures(None, 0.6, None)}},
}


def test_a_limit_holds_on_every_kind_of_rows_or_not_at_all() -> None:
    found = [(o.task, o.holds, o.text) for o in outcomes(TASKS)]
    assert found == [
        (
            "click",
            True,
            "click auc went from 0.7000 to 0.7200 on new test rows, within finetuning.limit 0.01",
        ),
        (
            "click",
            False,
            "click auc went from 0.7500 to 0.7300 on the run's test rows, beyond finetuning.limit "
            "0.01",
        ),
        (
            "stars",
            True,
            "stars rmse went from 1.0000 to 1.1000 on new test rows, within finetuning.limit 0.1",
        ),
        ("buy", False, "buy auc: undefined on these rows, so its loss by tuning is not known"),
    ]


def test_lines_and_report_name_every_measured_task() -> None:
    found = {"version": 3, "tasks": TASKS, "reasons": ["the run's test rows are gone"]}
    assert lines_of(found) == [
        "click auc on new test rows: 0.7000 -> 0.7200 (+0.0200, may lose 0.01)",
        "click auc on the run's test rows: 0.7500 -> 0.7300 (-0.0200, may lose 0.01)",
        "stars rmse on new test rows: 1.0000 -> 1.1000 (+0.1000, may lose 0.1)",
        "cart auc on new test rows: 0.8000 -> 0.5000 (-0.3000)",
        "not compared: the run's test rows are gone",
    ]
    told = {"run": None, "pushed": {}, "infra": {}, "history": {}, "gates": {}}
    shown = str(finetuning(Facts("x", Path(), evaluation={"finetuning": found}, **told)))
    assert "goes on from version 3" in shown
    assert "-0.0200" in shown
    assert "Not compared: the run&#x27;s test rows are gone." in shown
    assert finetuning(Facts("x", Path(), evaluation={}, **told)) is None


def test_limits_of_tasks_that_there_are_not(tmp_path: Path) -> None:
    raw = shop_config().model_dump(mode="json", exclude_unset=True)
    with pytest.raises(ConfigError, match=r"finetuning\.limit: there is no task 'clik'; choose"):
        parse({**raw, "finetuning": {"limit": {"clik": 0.1}}})
    home = tmp_path / "serving" / "tiny" / "1" / "assets.extra" / "keras_model"
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(dump(shop_config()))
    task = raw["tasks"]["click"]
    grown = {**raw, "tasks": {**raw["tasks"], "new": {**task}}, "finetuning": {"limit": {"new": 0}}}
    with pytest.raises(ConfigError, match=r"finetuning\.limit: 'new' is no task of the model"):
        finetune(tmp_path, parse(grown), tmp_path, tmp_path / "out")
    with pytest.raises(PipelineError, match="expected a pushed model to start from"):
        finetune(tmp_path / "elsewhere", shop_config(), tmp_path, tmp_path / "out")
