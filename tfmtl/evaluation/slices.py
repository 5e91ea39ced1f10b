"""What is found of a task: figures of all rows and of each slice, such as each scenario."""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict

Figures: TypeAlias = dict[str, float | None]
Intervals: TypeAlias = dict[str, list[float] | None]


class SlicedIntervals(TypedDict):
    """95 % intervals `[low, high]` of the figures of a `Summary`."""

    overall: Intervals
    slices: dict[str, dict[str, Intervals]]


class CalibrationPoint(TypedDict):
    """One of the bins of a calibration curve; `low` and `high` are the observed rate's interval."""

    predicted: float
    observed: float
    low: float | None
    high: float | None
    rows: int


class Curves(TypedDict):
    """Curves of a binary task; `roc` are pairs of false and true positive rate, ascending."""

    calibration: list[CalibrationPoint]
    roc: list[list[float]]


class ClassFigures(TypedDict):
    """What is found of a class or label: `support` and `predicted` are weights of rows, those that
    have it and those that are predicted to; `threshold` and `pr_auc` are of labels."""

    name: str
    support: float
    predicted: float
    precision: NotRequired[float | None]
    recall: NotRequired[float | None]
    f1: NotRequired[float | None]
    pr_auc: NotRequired[float | None]
    threshold: NotRequired[float]


class Summary(TypedDict):
    """The metrics of one task, ready for JSON: a figure that is undefined is None, never NaN."""

    overall: Figures
    slices: dict[str, dict[str, Figures]]
    intervals: NotRequired[SlicedIntervals]
    curves: NotRequired[Curves]
    classes: NotRequired[list[ClassFigures]]


class Difference(TypedDict):
    """A model's figure less the baseline's, with its 95 % interval."""

    difference: float | None
    low: float | None
    high: float | None


class Differences(TypedDict):
    """The differences of one task's figures."""

    overall: dict[str, Difference]
    slices: dict[str, dict[str, dict[str, Difference]]]
