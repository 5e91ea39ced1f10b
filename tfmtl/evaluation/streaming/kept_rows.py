"""Rows that are kept, for figures of the order within a user or a query.

A user's AUC needs all rows of the user at once, and a user may come back at any time. So labels,
scores, users and slices are kept, some 20 bytes a row and task. Beyond four million rows those of a
random half of the users (or queries) are kept, then of a quarter, and so on: the figure is then of
a sample of users, which its interval, over the users kept, accounts for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._groups import group_areas
from tfmtl.evaluation._rows import Flags, Floats, Ints, run_flags
from tfmtl.evaluation.queries import ideal_order, query_gains
from tfmtl.evaluation.streaming.clusters import GROUPS, scattered
from tfmtl.evaluation.streaming.counts import Resampling
from tfmtl.evaluation.streaming.estimates import Estimate
from tfmtl.evaluation.streaming.sorting import slices_of
from tfmtl.evaluation.streaming.tally import Places

MOST_ROWS = 2**22
"""Rows of a task that are kept at most."""


@dataclass
class _Part:
    """Some rows: whose they are `[n]`, their labels, scores, weights, groups and slices."""

    owners: npt.NDArray
    labels: npt.NDArray
    scores: npt.NDArray
    weights: npt.NDArray
    groups: npt.NDArray[np.uint8]
    values: npt.NDArray[np.int8]

    def of(self, rows: Flags | Ints) -> _Part:
        return _Part(*(column[rows] for column in vars(self).values()))


class KeptRows:
    """Rows by owner: the user, or the query."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._halvings = 0

    def __len__(self) -> int:
        return sum(part.owners.size for part in self._parts)

    def add(
        self,
        owners: npt.NDArray[np.int64],
        labels: Floats,
        scores: npt.NDArray,
        weights: Floats,
        places: Places,
    ) -> None:
        """Adds rows `[n]`."""
        part = _Part(
            _smallest(owners, (np.int32,)),
            _smallest(labels, (np.uint8, np.float32)),
            scores,
            _smallest(weights, (np.uint8, np.float32)),
            places.groups.astype(np.uint8),
            np.stack(places.values[1:], axis=1).astype(np.int8)
            if len(places.values) > 1
            else np.zeros((owners.size, 0), np.int8),
        )
        self._parts.append(part.of(self._chosen(owners)) if self._halvings else part)
        while len(self) > MOST_ROWS and self._halvings < 64:
            self._halvings += 1
            self._parts = [part.of(self._chosen(part.owners)) for part in self._parts]

    def merge(self, other: KeptRows) -> None:
        """Adds another's rows."""
        self._halvings = max(self._halvings, other._halvings)
        self._parts = [part.of(self._chosen(part.owners)) for part in self._parts + other._parts]
        while len(self) > MOST_ROWS:
            self._halvings += 1
            self._parts = [part.of(self._chosen(part.owners)) for part in self._parts]

    def gauc(self) -> Iterator[tuple[tuple[int, int], Owned]]:
        """Yields the column and value of each slice with its users' AUCs."""
        part = self._joined()
        order = np.lexsort((part.scores, part.owners))
        for place, rows in self._slices(part, order):
            owners, weights = part.owners[rows], part.weights[rows].astype(np.float64)
            labels = part.labels[rows]
            found, mass = group_areas(
                owners, part.scores[rows], weights * labels, weights * (1 - labels)
            )
            groups = part.groups[rows][np.flatnonzero(run_flags(owners))]
            yield place, Owned(found[None], mass, groups, bool(np.isnan(part.scores[rows]).any()))

    def ndcg(self, ks: Sequence[int]) -> Iterator[tuple[tuple[int, int], Owned]]:
        """Yields the column and value of each slice with its queries' NDCG at each cut-off."""
        part = self._joined()
        order = np.lexsort((-part.scores, part.owners))
        for place, rows in self._slices(part, order):
            flags = run_flags(part.owners[rows])
            labels = part.labels[rows].astype(np.float64)
            ideal = ideal_order(labels, flags)
            gains = np.maximum(labels, 0)
            found = query_gains(gains, part.scores[rows], flags, ideal, ks)
            groups = part.groups[rows]
            if rows.size:  # of a query by several users, one, and always the same
                groups = np.minimum.reduceat(groups, np.flatnonzero(flags))
            broken = bool(np.isnan(part.scores[rows]).any())
            yield place, Owned(found, np.ones(groups.size), groups, broken)

    def _joined(self) -> _Part:
        columns = zip(*(vars(part).values() for part in self._parts), strict=True)
        joined = _Part(*(np.concatenate(column) for column in columns))
        self._parts = [joined]
        return joined

    def _slices(self, part: _Part, order: Ints) -> Iterator[tuple[tuple[int, int], Ints]]:
        yield (0, 0), order
        for column in range(part.values.shape[1]):
            for value, rows in slices_of(part.values[order, column]):
                yield (column + 1, value), order[rows]

    def _chosen(self, owners: npt.NDArray) -> Flags:
        # Other bits than those that groups are made of.
        lots = scattered(scattered(owners.astype(np.int64)).view(np.int64))
        return (
            np.asarray(lots < np.uint64(1 << (64 - self._halvings)))
            if self._halvings
            else (np.ones(owners.size, np.bool_))
        )


@dataclass
class Owned:
    """Figures of the owners of rows in a slice.

    Attributes:
        figures: `[metrics, owners]`, `nan` for one without a value.
        mass: what each owner counts `[owners]`.
        groups: their groups `[owners]`.
        broken: whether a score is no number.
    """

    figures: Floats
    mass: Floats
    groups: npt.NDArray[np.uint8]
    broken: bool

    def add_to(self, found: Estimate, metrics: Sequence[str], resampling: Resampling) -> None:
        """Adds the owners' mean figures to those of the slice, with replicates."""
        for metric, figures in zip(metrics, self.figures, strict=True):
            defined = ~np.isnan(figures)
            groups, mass = self.groups[defined], self.mass[defined]
            parts = np.bincount(groups, mass * figures[defined], GROUPS)
            wholes = np.bincount(groups, mass, GROUPS)
            present = resampling.present
            replicates = ratio(
                resampling.draws @ parts[present], resampling.draws @ wholes[present]
            )
            figure = float(ratio(parts.sum(), wholes.sum()))
            found.add(metric, figure, replicates, int((wholes > 0).sum()))
        if self.broken:
            found.without_value(tuple(metrics))


def _smallest(values: npt.NDArray, dtypes: Sequence[type[np.number]]) -> npt.NDArray:
    """Values in the first of these types that holds them exactly, else as they are."""
    for dtype in dtypes:
        with np.errstate(invalid="ignore", over="ignore"):
            found = values.astype(dtype)
        if np.array_equal(found, values):
            return found
    return values
