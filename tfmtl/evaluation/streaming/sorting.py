"""Exact sums by distinct score of every slice, while all rows are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Floats, Ints, run_flags
from tfmtl.evaluation.streaming.tally import Places


class ByScore(NamedTuple):
    """Sums by score or bin of scores, ascending, `[b]` each.

    Attributes:
        negatives: weight of the negatives.
        positives: that of the positives.
        promised: weighted sum of the scores.
    """

    negatives: Floats
    positives: Floats
    promised: Floats


def by_score(
    places: Places, labels: Floats, scores: npt.NDArray, weights: Floats
) -> Iterator[tuple[tuple[int, int], ByScore]]:
    """Yields the column and value of each slice with the sums of its rows.

    Rows are sorted by score once; a stable sort by value then lays the slices of a column side by
    side, each sorted.
    """
    order = np.argsort(scores)
    scores, weights = scores[order], weights[order]
    positives, promised = weights * labels[order], weights * scores
    for column, values in enumerate(places.values):
        for value, rows in slices_of(values[order]):
            starts = np.flatnonzero(run_flags(scores[rows]))
            hits = np.add.reduceat(positives[rows], starts)
            shown = np.add.reduceat(weights[rows], starts)
            # Of whole weights exact; of others a difference of sums may come out below zero.
            others = np.maximum(shown - hits, 0)
            promise = np.add.reduceat(promised[rows], starts)
            yield (column, value), ByScore(others, hits, promise)


def slices_of(values: Ints) -> Iterator[tuple[int, Ints]]:
    """Yields each value that is not negative with its rows, in their order."""
    small = values.astype(np.int16)  # which is sorted in linear time
    order = np.argsort(small, kind="stable")
    starts = np.flatnonzero(run_flags(small[order]))
    for rows in np.split(order, starts[1:]):
        if rows.size and values[rows[0]] >= 0:
            yield int(values[rows[0]]), rows
