"""How much of a catalogue is recommended, and how unevenly: metrics of all queries' lists."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats


def coverage(counts: npt.ArrayLike) -> float:
    """Share of the items that are in some list; `nan` without items.

    Args:
        counts: in how many lists each item is, `[items]`.

    Example:
        >>> coverage([3, 0, 1, 0])
        0.5
    """
    found = np.asarray(counts)
    return float(np.count_nonzero(found) / found.size) if found.size else math.nan


def gini(counts: npt.ArrayLike) -> float:
    """Gini coefficient of how often items are recommended: 0 if all alike, near 1 if a few only.

    `sum_i (2 i - n - 1) x_i / (n sum_i x_i)`, the `n` items from the least to the most recommended.

    Args:
        counts: in how many lists each item is, `[items]`.

    Returns:
        `nan` without lists.

    Example:
        >>> gini([0, 0, 0, 5]), gini([2, 2, 2])
        (0.75, 0.0)
    """
    ascending: Floats = np.sort(np.asarray(counts, np.float64))
    number = ascending.size
    steps = 2 * np.arange(1, number + 1) - number - 1
    return float(ratio(steps @ ascending, number * ascending.sum()))


def list_counts(tops: npt.ArrayLike, items: int, k: int) -> npt.NDArray[np.intp]:
    """In how many of the lists each item is among the first `k`, `[items]`.

    Args:
        tops: rows of items `[q, at least k]`, as `top_items` returns them; -1 is no item.
        items: how many items there are.
        k: the cut-off.

    Example:
        >>> list_counts([[0, 2], [2, -1]], items=3, k=2).tolist()
        [1, 0, 2]
    """
    found = np.asarray(tops, np.intp)[:, :k]
    return np.bincount(found[found >= 0], minlength=items)
