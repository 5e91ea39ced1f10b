"""`tfmtl evaluate` and the metrics at the end of a run, as people read them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.evaluate import evaluate
from pipelines.console.figures import changed, uncertain

CLICK: dict[str, Any] = {
    "overall": {"rows": 12000, "auc": 0.75, "log_loss": 0.2, "gauc": None},
    "slices": {
        "history": {"11+": {"rows": 9000, "auc": 0.8}, "0": {"rows": 3000, "auc": None}},
        "device": {"": {"rows": 40, "auc": 0.5}},
    },
    "intervals": {
        "overall": {"auc": [0.74, 0.761], "log_loss": [0.19, 0.21], "gauc": None},
        "slices": {"history": {"11+": {"auc": [0.78, 0.82]}, "0": {"auc": None}}, "device": {}},
    },
}
EVALUATION: dict[str, Any] = {
    "tasks": {"click": CLICK},
    "baseline": {
        "version": 3,
        "tasks": {},
        "differences": {
            "click": {
                "overall": {
                    "auc": {"difference": 0.004, "low": -0.0012, "high": 0.009},
                    "gauc": {"difference": None, "low": None, "high": None},
                },
                "slices": {},
            }
        },
        "reason": "not compared: it lacks 'cart'",
    },
    "blessed": False,
    "rules": [{"holds": False, "text": "click auc is 0.75, below 0.8"}],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "evaluation.json").write_text(json.dumps(EVALUATION))
    return tmp_path


def test_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(run)
    assert json.loads(capsys.readouterr().out) == EVALUATION


def test_tables(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(run, table=True)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "metric click",
        "rows 12,000",
        "auc 0.7500 ±.0105",
        "log_loss 0.2000 ±.0100",
        "gauc -",
        "",
        "version 3: not compared: it lacks 'cart'",
        "",
        "click less version 3 difference [95 % interval]",
        "auc +0.0040 [-0.0012, +0.0090]",
        "gauc -",
        "",
        "fails click auc is 0.75, below 0.8",
        "not blessed",
    ]


def test_slices(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(run, slices=True)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    start = lines.index("click by history rows auc")
    assert lines[start : start + 6] == [
        "click by history rows auc",
        "0 3,000 -",
        "11+ 9,000 0.8000 ±.0200",
        "",
        "click by device rows auc",
        "(missing) 40 0.5000",
    ]


def test_figures_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = {"click": {"overall": {"auc": 0.71}}}
    (tmp_path / "evaluation.json").write_text(json.dumps({"tasks": tasks, "blessed": True}))
    evaluate(tmp_path, slices=True)
    assert capsys.readouterr().out.split() == ["metric", "click", "auc", "0.7100", "blessed"]


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (0.5, [0.4, 0.7], "0.5000 ±.1500"),
        (3.25, [1.0, 5.0], "3.2500 ±2.0000"),
        (0.5, None, "0.5000"),
        (12000, None, "12,000"),
        (None, None, "-"),
        (float("nan"), [0.1, 0.2], "-"),
    ],
)
def test_a_figure_and_its_uncertainty(value: Any, interval: Any, text: str) -> None:
    assert uncertain(value, interval) == text


def test_a_difference_without_an_interval() -> None:
    assert changed({"difference": -0.1, "low": None, "high": None}) == "-0.1000"
    assert changed(None) == "-"
