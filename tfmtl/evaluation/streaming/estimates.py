"""Figures of a task's slices with the replicates that their intervals are read from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.slices import (
    ClassFigures,
    Curves,
    Difference,
    Differences,
    Figures,
    Intervals,
    SlicedIntervals,
    Summary,
)
from tfmtl.evaluation.streaming.bootstrap import LEVEL, interval

# All others lie in [0, 1], which replicates that were moved to the figure may leave.
_UNBOUNDED = {"log_loss", "normalized_entropy", "calibration", "rmse", "mae"}


@dataclass
class Estimate:
    """One slice of one task.

    Attributes:
        figures: metric to its value, `nan` where it has none; counts are ints.
        replicates: metric to its value in each replicate `[r]`, for those with an interval.
        clusters: metric to the number of clusters that its value is of.
        areas: the average precision of each label, of tasks that have some.
    """

    figures: dict[str, float] = field(default_factory=dict)
    replicates: dict[str, Floats] = field(default_factory=dict)
    clusters: dict[str, int] = field(default_factory=dict)
    areas: Sequence[float] = ()

    def add(self, metric: str, figure: float, replicates: Floats, clusters: int) -> None:
        """Adds a metric, its replicates moved to where the figure is defined exactly."""
        self.figures[metric] = figure
        self.replicates[metric] = replicates
        self.clusters[metric] = clusters

    def without_value(self, metrics: tuple[str, ...]) -> None:
        """Takes the values of metrics away, as of predictions that are no numbers."""
        for metric in metrics:
            self.figures[metric] = math.nan
            self.replicates[metric] = np.full_like(self.replicates[metric], math.nan)


@dataclass
class TaskEstimates:
    """A task's figures.

    Attributes:
        overall: of all rows.
        slices: column to value to the figures of its rows, the most frequent value first.
        curves: of binary tasks, ready for JSON.
        classes: what is found of each class or label of all rows.
    """

    overall: Estimate
    slices: dict[str, dict[str, Estimate]]
    curves: Curves | None = None
    classes: list[ClassFigures] | None = None

    def summary(self) -> Summary:
        """What evaluation.json says of the task."""
        found: Summary = {
            "overall": _figures(self.overall),
            "slices": _each(self.slices, _figures),
            "intervals": self.intervals(LEVEL),
        }
        if self.curves is not None:
            found["curves"] = self.curves
        if self.classes is not None:
            found["classes"] = self.classes
        return found

    def intervals(self, level: float) -> SlicedIntervals:
        """Each figure's interval."""
        return {
            "overall": _intervals(self.overall, level),
            "slices": _each(self.slices, partial(_intervals, level=level)),
        }

    def differences(self, baseline: TaskEstimates, level: float) -> Differences:
        """Each figure less the baseline's, of what both have, with its interval."""
        return {
            "overall": _difference(self.overall, baseline.overall, level),
            "slices": {
                column: {
                    value: _difference(estimate, baseline.slices[column][value], level)
                    for value, estimate in values.items()
                    if value in baseline.slices[column]
                }
                for column, values in self.slices.items()
                if column in baseline.slices
            },
        }


def _each(slices: Mapping[str, Mapping[str, Estimate]], figure: Any) -> dict[str, dict[str, Any]]:
    return {
        column: {value: figure(estimate) for value, estimate in values.items()}
        for column, values in slices.items()
    }


def _figures(estimate: Estimate) -> Figures:
    return {metric: _number(figure) for metric, figure in estimate.figures.items()}


def _number(figure: float) -> float | None:
    if isinstance(figure, int):
        return figure
    return float(figure) if math.isfinite(figure) else None


def _intervals(estimate: Estimate, level: float) -> Intervals:
    found: Intervals = {}
    for metric, replicates in estimate.replicates.items():
        ends = None
        if math.isfinite(estimate.figures[metric]):
            ends = interval(replicates, estimate.clusters[metric], level)
        highest = math.inf if metric in _UNBOUNDED else 1.0
        found[metric] = [min(max(end, 0.0), highest) for end in ends] if ends else None
    return found


def _difference(model: Estimate, baseline: Estimate, level: float) -> dict[str, Difference]:
    found: dict[str, Difference] = {}
    for metric in model.replicates:
        if metric not in baseline.replicates:
            continue
        difference = _number(model.figures[metric] - baseline.figures[metric])
        ends = None
        if difference is not None:
            clusters = min(model.clusters[metric], baseline.clusters[metric])
            ends = interval(model.replicates[metric] - baseline.replicates[metric], clusters, level)
        low, high = ends if ends else (None, None)
        found[metric] = {"difference": difference, "low": low, "high": high}
    return found
