"""Coverage and concentration of the lists of recommendations, with replicates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Floats, Ints
from tfmtl.evaluation.concentration import coverage, gini
from tfmtl.evaluation.streaming.bootstrap import Draws
from tfmtl.evaluation.streaming.estimates import Estimate

# Leaving one of them out at a time tells how a figure varies, with 19 degrees of freedom.
_BLOCKS = 20

_METRICS: dict[str, Callable[[npt.NDArray], float]] = {"coverage": coverage, "gini": gini}


class Lists:
    """How often each item is among the first K, by block of users: 80 bytes an item and cut-off.

    Neither figure is a mean over users, and of users drawn twice a bootstrap would make one list:
    it always covers less. Their intervals are from a jackknife, which leaves out a block at a time.

    Args:
        items: how many items there are.
        ks: the cut-offs.
    """

    def __init__(self, items: int, ks: tuple[int, ...]) -> None:
        self._items = items
        self._counts = {k: np.zeros((_BLOCKS, items), np.int32) for k in ks}

    def add(self, tops: Ints, groups: Ints) -> None:
        """Adds the lists of queries `[q, k]`, -1 for no item, of users of these groups `[q]`."""
        blocks = groups % _BLOCKS
        for k, counts in self._counts.items():
            first = tops[:, :k]
            items = first + blocks[:, None] * self._items
            np.add.at(counts.reshape(-1), items[first >= 0], np.int32(1))

    def merge(self, other: Lists) -> None:
        """Adds another's lists."""
        for k, counts in other._counts.items():
            self._counts[k] += counts

    def add_to(self, found: Estimate, draws: Draws) -> None:
        """Adds `coverage@K` and `gini@K` to the figures of all queries."""
        for k, counts in self._counts.items():
            whole = counts.sum(axis=0)
            blocks = counts[counts.any(axis=1)]
            for metric, figure_of in _METRICS.items():
                figure = figure_of(whole)
                left_out = np.array([figure_of(whole - block) for block in blocks])
                replicates = figure + _deviations(left_out, draws)
                found.add(f"{metric}@{k}", figure, replicates, len(blocks))


def _deviations(left_out: Floats, draws: Draws) -> Floats:
    """Deviations of replicates from the figure `[r]`, by each block's influence on it.

    Args:
        left_out: the figure without each block `[blocks]`.
        draws: how often each block comes.
    """
    number = left_out.size
    influence = (number - 1) * (left_out.mean() - left_out) if number else left_out
    return (draws.of(number) - 1) @ influence / max(number, 1)
