"""How well predictions order the rows of each query, such as the items of one result page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats, Ints, counted, group_codes, run_flags


def ndcg_by_query(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    queries: npt.ArrayLike,
    k: int,
    weights: npt.ArrayLike | None = None,
) -> float:
    """Normalised discounted cumulative gain of the first `k` of each query, averaged over queries.

    `sum_{r <= k} y_r / log2(1 + r)` in the order of the predictions, over the same in the order of
    the labels. The gain of a row is its label, and none if it is negative. Rows of one prediction
    share the mean discount of the places they take, which is what breaking ties at random gives on
    average. A query without a gain is left out; the others count alike.

    Args:
        labels: floats `[n]`; a row whose label is NaN is left out.
        predictions: floats `[n]`; a NaN makes the result `nan`.
        queries: numbers or strings `[n]`, equal for the rows of a query.
        k: the cut-off.
        weights: floats `[n]`, or None for ones; a row of weight zero is left out.

    Reference: Järvelin & Kekäläinen, Cumulated gain-based evaluation of IR techniques, 2002
    (https://doi.org/10.1145/582415.582418); ties as in McSherry & Najork, 2008.

    Example:
        >>> ndcg_by_query([1, 0, 0, 1], [.9, .1, .8, .8], ["a", "a", "b", "b"], k=1)
        0.75
    """
    y, p, _, kept = counted(labels, predictions, weights)
    if np.isnan(p).any():
        return math.nan
    codes = group_codes(queries, kept.size)[kept]
    order = np.lexsort((-p, codes))
    gains = np.maximum(y[order], 0)
    flags = run_flags(codes[order])
    ideal = ideal_order(y[order], flags)
    found = query_gains(gains, p[order], flags, ideal, [k])[0]
    defined = ~np.isnan(found)
    return float(ratio(found[defined].sum(), defined.sum()))


def ideal_order(labels: Floats, flags: npt.NDArray[np.bool_]) -> Ints:
    """An order of rows `[n]` that leaves queries in place and sorts their labels descending.

    Args:
        labels: floats `[n]`, the rows of a query one after another.
        flags: True where a query begins.
    """
    return np.lexsort((-labels, np.cumsum(flags)))


def query_gains(
    gains: Floats,
    predictions: npt.NDArray,
    flags: npt.NDArray[np.bool_],
    ideal: Ints,
    ks: Sequence[int],
) -> Floats:
    """NDCG of each query for each cut-off, `[ks, q]`; `nan` for a query without a gain.

    Args:
        gains: floats `[n]`, sorted by query and in it by prediction, descending.
        predictions: theirs.
        flags: True where a query begins.
        ideal: `ideal_order` of the rows.
        ks: the cut-offs.
    """
    starts = np.flatnonzero(flags)
    if not starts.size:
        return np.zeros((len(ks), 0))
    places = np.arange(gains.size) - starts[np.cumsum(flags) - 1]
    discounts = 1 / np.log2(2 + places)
    runs = np.flatnonzero(flags | run_flags(predictions))
    run = np.cumsum(flags | run_flags(predictions)) - 1
    sizes = np.diff(np.r_[runs, gains.size])
    found = []
    for k in ks:
        counted_discounts = np.where(places < k, discounts, 0)
        shared = (np.add.reduceat(counted_discounts, runs) / sizes)[run]
        reached = np.add.reduceat(gains * shared, starts)
        best = np.add.reduceat(gains[ideal] * counted_discounts, starts)
        found.append(ratio(reached, best))
    return np.stack(found)
