"""How well scores order the rows of a label: histograms of both classes by slice and group."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Floats, Ints
from tfmtl.evaluation.streaming.bins import Bins
from tfmtl.evaluation.streaming.clusters import GROUPS
from tfmtl.evaluation.streaming.counts import Resampling
from tfmtl.evaluation.streaming.tally import Places, Tally


class Resampled(NamedTuple):
    """Histograms of coarse bins: those of a slice `[b]` and of each replicate `[r, b]`.

    Bins without a row are left out.
    """

    negatives: Floats
    positives: Floats
    drawn_negatives: npt.NDArray[np.float32]
    drawn_positives: npt.NDArray[np.float32]
    bins: Ints


class Scores:
    """Histograms of the scores of one label.

    Args:
        bins: of the scores.
    """

    def __init__(self, bins: Bins) -> None:
        self.bins = bins
        self._fine = Tally(1, 2 * bins.fine)
        self._coarse = Tally(GROUPS, 2 * bins.coarse, np.float32)

    def add(self, places: Places, labels: Floats, bins: Ints, weights: Floats) -> None:
        """Adds rows.

        Args:
            places: their slices and groups.
            labels: theirs `[n]`, in [0, 1].
            bins: the fine bins of their scores `[n]`.
            weights: theirs `[n]`.
        """
        coarse = self.bins.coarse_of_fine[bins]
        if ((labels == 0) | (labels == 1)).all():
            classes = labels.astype(np.intp)
            self._fine.add(places, weights, classes * self.bins.fine + bins)
            self._coarse.add(places, weights, classes * self.bins.coarse + coarse)
            return
        for number, share in enumerate((1 - labels, labels)):
            self._fine.add(places, weights * share, number * self.bins.fine + bins)
            self._coarse.add(places, weights * share, number * self.bins.coarse + coarse)

    def merge(self, other: Scores) -> None:
        """Adds another's histograms, of the same bins."""
        self._fine.merge(other._fine)
        self._coarse.merge(other._coarse)

    def fine(self, column: int, value: int) -> tuple[Floats, Floats]:
        """Weights of a slice's negatives and positives by fine bin, `[b]` each."""
        negatives, positives = self._fine.of(column, value).reshape(2, -1)
        return negatives, positives

    def resampled(self, column: int, value: int, resampling: Resampling) -> Resampled:
        """A slice's histograms by coarse bin, and those of the replicates."""
        shape = resampling.present.size, 2, self.bins.coarse
        sums = self._coarse.of(column, value)[resampling.present].reshape(shape)
        bins = np.flatnonzero(sums.any(axis=(0, 1)))
        negatives, positives = sums[:, 0, bins], sums[:, 1, bins]
        return Resampled(
            negatives.sum(axis=0, dtype=np.float64),
            positives.sum(axis=0, dtype=np.float64),
            resampling.small @ negatives,
            resampling.small @ positives,
            bins,
        )


class Area(NamedTuple):
    """An area and its value in each replicate `[r]`."""

    figure: float
    replicates: Floats


def resampled_area(
    area: Callable[[npt.NDArray, npt.NDArray], Floats], figure: float, drawn: Resampled
) -> Area:
    """An area with its replicates.

    The replicates are of coarser sums than the figure; what that takes from the figure is added to
    each of them.

    Args:
        area: `roc_area` or `precision_area`.
        figure: its value, by sums as fine as they are known.
        drawn: the replicates' sums.
    """
    binned = float(area(drawn.positives, drawn.negatives))
    replicates = area(drawn.drawn_positives, drawn.drawn_negatives)
    return Area(figure, replicates + (figure - binned))
