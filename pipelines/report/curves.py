"""Calibration and ROC of every binary task."""

from collections.abc import Iterator

from pipelines.report.calibration import calibration_chart
from pipelines.report.estimates import TaskFigures
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, element, note, section
from pipelines.report.numbers import decimals, shown, span
from pipelines.report.roc import roc_chart
from pipelines.report.shapes import listed, mappings


def curves(facts: Facts) -> Markup | None:
    """Two plots for each task that has them."""
    parts = [part for task in facts.tasks for part in _task(task)]
    if not parts:
        return None
    text = note(
        "Calibration: test rows in groups of alike predictions. A dot on the dashed line came true "
        "as often as predicted; above it more often, below it less. The upright lines are 95"
        "\N{NO-BREAK SPACE}% intervals; where positives are rare the axes are stretched towards 0."
    )
    more = note(
        "ROC: the share of positives that a threshold finds against the share of negatives that it "
        "takes along; the dashed line is chance."
    )
    return section("Calibration and ROC", text, more, *parts, id_="curves")


def _task(task: TaskFigures) -> Iterator[Markup]:
    bins = mappings(task.curves.get("calibration"))
    points = [pair for pair in listed(task.curves.get("roc")) if len(listed(pair)) == 2]
    drawn: list[Markup] = []
    if bins:
        drawn.append(calibration_chart(f"Calibration, {task.name}", bins))
    if points:
        drawn.append(roc_chart(f"ROC, {task.name}{_area(task)}", points))
    if drawn:
        yield element("div", *drawn, class_="charts plots")


def _area(task: TaskFigures) -> str:
    auc = task.overall.figure("auc")
    if auc.value is None:
        return ""
    places = decimals([auc.value])
    between = f" ({span(auc.low, auc.high, places)})" if auc.bounded else ""
    return f": AUC {shown(auc.value, places)}{between}"
