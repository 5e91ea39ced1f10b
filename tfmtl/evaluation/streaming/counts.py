"""What a task's figures are computed from: sums by slice and group, and a formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Flags, Floats, Ints
from tfmtl.evaluation.streaming.clusters import GROUPS
from tfmtl.evaluation.streaming.estimates import Estimate
from tfmtl.evaluation.streaming.tally import Places, Tallies, Tally, resampled, totals

Columns = dict[str, npt.NDArray]
"""What is kept of a batch's labels and predictions, by name, each `[n, ...]`."""


class TaskRows(NamedTuple):
    """Rows that a task counts: with a label and a weight above zero.

    Attributes:
        columns: of labels and predictions, each `[n, ...]`.
        weights: floats `[n]`.
        places: slices and groups.
    """

    columns: Columns
    weights: Floats
    places: Places

    def of(self, rows: Flags | Ints) -> TaskRows:
        """Some of them."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return TaskRows(columns, self.weights[rows], self.places.of(rows))


class Resampling(NamedTuple):
    """The replicates.

    Attributes:
        draws: how often each group came, `[r, k]`.
        small: the same in float32.
        present: the groups' numbers `[k]`.
    """

    draws: Floats
    small: npt.NDArray[np.float32]
    present: Ints


class Counts:
    """Sums of one task; each kind of task says what is summed and what follows from it.

    Args:
        sizes: name to the number of places of a sum; None for a single one. `rows` and `weight`
            are always there.
    """

    whole: tuple[str, ...] = ("rows",)
    """Figures that count rows and have no interval."""

    of_labels: tuple[str, ...] = ()
    """Other figures without one: no model changes them."""

    def __init__(self, sizes: Mapping[str, int | None]) -> None:
        named: dict[str, int | None] = {"rows": None, "weight": None, **sizes}
        self.sums: Tallies = {name: Tally(GROUPS, size) for name, size in named.items()}

    def add(self, rows: TaskRows) -> None:
        """Adds rows to the sums."""
        self.sums["rows"].add(rows.places, np.ones(rows.weights.size))
        self.sums["weight"].add(rows.places, rows.weights)

    def formulas(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        """Metric to its value, by sums with any leading axes."""
        raise NotImplementedError

    def groups(self, column: int, value: int) -> Flags:
        """Which groups have rows in a slice, `[groups]`."""
        return np.asarray(self.sums["rows"].of(column, value) > 0)

    def estimate(self, column: int, value: int, resampling: Resampling) -> Estimate:
        """The figures of a slice with their replicates."""
        point = totals(self.sums, column, value)
        found = Estimate({name: int(point[name]) for name in self.whole})
        clusters = int(self.groups(column, value).sum())
        replicates = self.formulas(
            resampled(self.sums, column, value, resampling.draws, resampling.present)
        )
        for metric, figure in self.formulas(point).items():
            if metric in self.of_labels:
                found.figures[metric] = float(figure)
            else:
                found.add(metric, float(figure), replicates[metric], clusters)
        return found

    def merge(self, other: Counts) -> None:
        """Adds another's sums."""
        for name, tally in other.sums.items():
            self.sums[name].merge(tally)
