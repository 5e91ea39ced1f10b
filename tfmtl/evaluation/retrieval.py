"""Metrics of retrieval tasks, of the rank of the item that each query should find.

A query has one positive; a user who clicked three items makes three queries. `ranks` are computed
once, and every metric, cut-off and slice reads them. A rank of `nan` makes the metric `nan`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import row_weights


def recall_at(ranks: npt.ArrayLike, k: int, weights: npt.ArrayLike | None = None) -> float:
    """Share of queries whose positive is among the first `k`; `nan` without queries.

    With fewer than `k` items, every positive is.

    Args:
        ranks: floats `[q]`, as `ranks` returns them.
        k: the cut-off.
        weights: floats `[q]`, or None for ones.

    Example:
        >>> recall_at([1, 2.5, 11], k=10, weights=[1, 1, 2])
        0.5
    """
    return _mean(ranks, weights, np.asarray(ranks, np.float64) <= k)


def ndcg_at(ranks: npt.ArrayLike, k: int, weights: npt.ArrayLike | None = None) -> float:
    """Mean of `1 / log2(1 + rank)` where the rank is at most `k`, else 0; `nan` without queries.

    With one positive a query, the ideal gain is 1, so the gain needs no dividing.

    Args:
        ranks: floats `[q]`, as `ranks` returns them.
        k: the cut-off.
        weights: floats `[q]`, or None for ones.

    Example:
        >>> ndcg_at([1, 3, 11], k=10)
        0.5
    """
    found = np.asarray(ranks, np.float64)
    return _mean(found, weights, np.where(found <= k, 1 / np.log2(1 + found), 0))


def mrr(ranks: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Mean reciprocal rank, `sum_i w_i / rank_i / sum_i w_i`; `nan` without queries.

    Args:
        ranks: floats `[q]`, as `ranks` returns them.
        weights: floats `[q]`, or None for ones.

    Example:
        >>> mrr([1, 4])
        0.625
    """
    return _mean(ranks, weights, 1 / np.asarray(ranks, np.float64))


def _mean(ranks: npt.ArrayLike, weights: npt.ArrayLike | None, gains: npt.NDArray) -> float:
    found = np.asarray(ranks, np.float64)
    found_weights = row_weights(weights, found.size)
    total = found_weights.sum()
    if not total > 0 or np.isnan(found[found_weights > 0]).any():
        return math.nan
    return float(found_weights @ np.where(np.isnan(found), 0, gains) / total)
