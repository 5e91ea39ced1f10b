"""The figures of `evaluation.json`, each with its interval and its difference to the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.glossary import is_good
from pipelines.report.numbers import known
from pipelines.report.shapes import listed, mapping

COUNTS = ("rows", "positives")
"""Figures that count rows."""


@dataclass(frozen=True)
class Estimate:
    """A figure; what is None is unknown.

    Attributes:
        value: the figure.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    value: float | int | None
    low: float | None = None
    high: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class Place:
    """One place where a task is measured: all rows, or one value of a slice column.

    Attributes:
        figures: by metric.
        changes: difference to the baseline by metric; empty without a baseline.
    """

    figures: Mapping[str, Estimate]
    changes: Mapping[str, Estimate]

    @property
    def metrics(self) -> list[str]:
        """Names of what is no count."""
        return [name for name in self.figures if name not in COUNTS]

    def count(self, name: str) -> int | None:
        """Rows or positives."""
        found = self.figures.get(name)
        return found.value if found and isinstance(found.value, int) else None

    def figure(self, metric: str) -> Estimate:
        """A metric's figure; one without a value if it was not measured here."""
        return self.figures.get(metric, Estimate(None))

    def change(self, metric: str) -> Estimate:
        """A metric's difference to the baseline."""
        return self.changes.get(metric, Estimate(None))


@dataclass(frozen=True)
class TaskFigures:
    """What was measured of one task.

    Attributes:
        name: the task.
        overall: all rows.
        slices: column -> value -> place.
        curves: `calibration` and `roc` of a binary task.
        classes: figures of each class or label.
    """

    name: str
    overall: Place
    slices: Mapping[str, Mapping[str, Place]]
    curves: Mapping[str, Any]
    classes: Sequence[Any] = ()


def read_tasks(evaluation: Mapping[str, Any]) -> list[TaskFigures]:
    """Every task of an evaluation; intervals and differences where it has them."""
    compared = mapping(mapping(evaluation.get("baseline")).get("differences"))
    return [
        _task(name, measured, mapping(compared.get(name)))
        for name, measured in mapping(evaluation.get("tasks")).items()
    ]


def find(tasks: list[TaskFigures], task: str, place: str) -> Place | None:
    """The place that a gate's rule speaks of: `overall` or `COLUMN=VALUE`."""
    for measured in tasks:
        if measured.name == task:
            if place == "overall":
                return measured.overall
            for column, values in measured.slices.items():
                for value, found in values.items():
                    if place == f"{column}={value}":
                        return found
    return None


def clearly_better(metric: str, change: Estimate) -> bool | None:
    """Whether a change is for the better or the worse beyond chance: its interval leaves out 0."""
    if change.value is None or change.low is None or change.high is None:
        return None
    if change.low <= 0 <= change.high:
        return None
    return is_good(metric, change.value)


def _task(name: str, measured: Any, compared: Mapping[str, Any]) -> TaskFigures:
    measured = mapping(measured)
    intervals = mapping(measured.get("intervals"))
    slices = {
        column: {
            value: _place(
                figures,
                _in(intervals.get("slices"), column, value),
                _in(compared.get("slices"), column, value),
            )
            for value, figures in mapping(values).items()
        }
        for column, values in mapping(measured.get("slices")).items()
    }
    overall = _place(
        measured.get("overall"),
        mapping(intervals.get("overall")),
        mapping(compared.get("overall")),
    )
    found = listed(measured.get("classes"))
    return TaskFigures(name, overall, slices, mapping(measured.get("curves")), found)


def _place(figures: Any, intervals: Mapping[str, Any], compared: Mapping[str, Any]) -> Place:
    return Place(
        {name: _estimate(value, intervals.get(name)) for name, value in mapping(figures).items()},
        {name: _difference(change) for name, change in compared.items()},
    )


def _estimate(value: Any, interval: Any) -> Estimate:
    number: float | int | None = known(value)
    if number is not None and isinstance(value, int):
        number = value
    if isinstance(interval, list | tuple) and len(interval) == 2:
        return Estimate(number, known(interval[0]), known(interval[1]))
    return Estimate(number)


def _difference(change: Any) -> Estimate:
    change = mapping(change)
    return Estimate(
        known(change.get("difference")), known(change.get("low")), known(change.get("high"))
    )


def _in(found: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = mapping(found).get(key)
    return mapping(found)
