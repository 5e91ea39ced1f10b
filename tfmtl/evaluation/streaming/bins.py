"""Bins of predictions, decided by the first rows."""

from __future__ import annotations

import numpy as np

from tfmtl.evaluation._rows import Floats, Ints
from tfmtl.evaluation.streaming.clusters import GROUPS

# Fine bins, whose sums the figures above a million rows are of, to each coarse one, whose sums are
# kept by group of users for the intervals.
_FINE = 64

# Coarse bins times groups times slices: at most 67 MB of float32 sums.
_MOST_CELLS = 2**24
_COARSE = (32, 256)


class Bins:
    """Fine bins with about equal shares of the rows and of the positives, and coarse ones of them.

    A bin holds one score where there are few scores, so that nothing is lost.

    Args:
        predictions: of the first rows `[n]`; NaN is left out.
        labels: theirs `[n]`, in [0, 1].
        slices: how many slices sums are held for, times labels.
    """

    def __init__(self, predictions: Floats, labels: Floats, slices: int) -> None:
        coarse = int(np.clip(_MOST_CELLS // (2 * GROUPS * max(slices, 1)), *_COARSE))
        scores = np.sort(predictions[~np.isnan(predictions)])
        distinct = scores[np.r_[scores[1:] != scores[:-1], True]] if scores.size else scores
        if distinct.size > _FINE * coarse:
            wanted = np.sort(predictions[labels > 0.5])
            half = _FINE * coarse // 2
            distinct = np.unique(
                np.concatenate([_quantiles(scores, half), _quantiles(wanted, half)])
            )
        self._edges = distinct[:-1]
        self.fine = self._edges.size + 1
        inside = np.searchsorted(scores, self._edges, side="right")
        share = np.diff(np.r_[0, inside, scores.size])
        self.coarse = min(coarse, self.fine)
        if self.fine == self.coarse:
            self.coarse_of_fine: Ints = np.arange(self.fine)
        else:
            before = np.cumsum(share) - share
            by_mass = before * (self.coarse // 2) // max(scores.size, 1)
            by_place = np.arange(self.fine) * (self.coarse // 2) // self.fine
            self.coarse_of_fine = (by_mass + by_place).astype(np.intp)

    def of(self, predictions: Floats) -> Ints:
        """The fine bin of each prediction `[n]`; that of NaN is the last."""
        return np.searchsorted(self._edges, predictions, side="left")


def _quantiles(ascending: Floats, count: int) -> Floats:
    """`count` of the values at equal distances, the last one included."""
    if not ascending.size:
        return ascending
    return ascending[((np.arange(count) + 1) * ascending.size // count - 1).clip(min=0)]
