"""The table of classes in the report."""

import re

from pipelines.report.classes import classes
from pipelines.report.estimates import read_tasks

LABELS = [
    {
        "name": "red & blue",
        "support": 20.0,
        "predicted": 1500.0,
        "precision": 0.25,
        "recall": None,
        "f1": 0.4,
        "pr_auc": 0.5,
        "threshold": 0.125,
    },
    {"name": "green", "support": 31.5, "predicted": 0.0, "precision": None, "threshold": 0.5},
]


def test_the_most_frequent_class_comes_first() -> None:
    html = str(classes("colours", LABELS))
    assert "colours, class by class" in html
    names = re.findall("red &amp; blue|green", html)
    assert names == ["green", "red &amp; blue"]
    for text in ("1,500", "0.250", "0.400", "0.125", "threshold", "pr_auc"):
        assert text in html


def test_a_class_has_only_what_was_measured() -> None:
    seasons = [{"name": "fall", "support": 3, "predicted": 2, "precision": 0.5, "f1": 0.4}]
    html = str(classes("season", seasons))
    assert "threshold" not in html
    assert "recall" not in html


def test_a_task_without_classes_has_no_table() -> None:
    assert classes("click", []) is None
    assert classes("click", ["damaged"]) is not None  # a row of nothing is no failure
    tasks = read_tasks({"tasks": {"click": {"classes": "damaged"}, "colours": {"classes": LABELS}}})
    assert [list(task.classes) for task in tasks] == [[], LABELS]
