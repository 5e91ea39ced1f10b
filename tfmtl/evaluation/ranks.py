"""The rank, among all items, of the item that each query should find."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._counting import Counter, Pairs, Thresholds
from tfmtl.evaluation._rows import Floats, Ints
from tfmtl.evaluation._screening import Screen
from tfmtl.processor import bfloat16_flags

Csr: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike]

# Matrix products round equal items differently by where they stand in memory, by a few float32
# steps; without some slack, the ties of a constant model would be broken by their place.
_ROUNDING = 1e-6

# Below it there is too little to screen.
_FEW_ITEMS = 10_000


def ranks(
    query_vectors: npt.ArrayLike,
    item_vectors: npt.ArrayLike,
    positives: npt.ArrayLike,
    exclude: Csr | None = None,
    batch: int = 512,
) -> Floats:
    """Rank of each query's positive by dot product: 1 is the best of the items.

    `1 + #{items scored higher} + #{other items scored the same} / 2`. The middle of a tie is what
    breaking it at random gives on average; counting only higher items would give a model that
    scores everything the same a perfect result. Scores whose difference is within `1e-6 |q| |v|`,
    `v` the positive's vector, are the same: float32 products are no more exact than that.

    Where the processor multiplies in bfloat16, the items of a large catalogue are compared in it
    first, and only those it cannot tell from the positive are scored in float32: the ranks are the
    same.

    Args:
        query_vectors: floats `[q, d]`.
        item_vectors: floats `[n, d]`.
        positives: ints `[q]`, the row of `item_vectors` each query should find.
        exclude: the items to leave out for each query, such as those its user has seen, as a sparse
            matrix in CSR form: `indptr` `[q + 1]` and `indices`. Repeats are harmless, and a
            query's positive is never left out.
        batch: queries scored at once by each processor core, a multiple of 8; their scores of 2,048
            items are in memory at a time.

    Returns:
        Ranks `[q]` from 1 to n; `nan` where the positive's score is not finite, and everywhere if
        an item vector is not finite.

    Raises:
        ValueError: if an index is no row of `item_vectors`, or shapes do not fit together.

    Example:
        >>> items = [[3.0], [2.0], [1.0], [1.0]]
        >>> ranks([[1.0], [1.0]], items, [1, 2]).tolist()
        [2.0, 3.5]
        >>> ranks([[1.0], [1.0]], items, [1, 2], exclude=([0, 1, 3], [0, 0, 3])).tolist()
        [1.0, 2.0]
    """
    queries, items = checked_vectors(query_vectors, item_vectors)
    wanted = np.asarray(positives, np.intp)
    if wanted.shape != queries.shape[:1]:
        raise ValueError(
            f"`positives` should have shape ({len(queries)},). Received: {wanted.shape}"
        )
    if batch < 1 or batch % 8:
        raise ValueError(f"`batch` should be a multiple of 8. Received: {batch}")
    _check_indices("positives", wanted, len(items))
    indptr, indices = checked_csr(exclude, len(queries), len(items))

    found = np.full(len(queries), math.nan)
    if not np.isfinite(items).all():
        return found
    counter = Counter(items)
    screen = Screen(items) if bfloat16_flags() and len(items) >= _FEW_ITEMS else None

    def rank(start: int) -> None:
        block = slice(start, min(start + batch, len(queries)))
        bounds = indptr[block.start : block.stop + 1]
        own = np.arange(len(bounds) - 1)
        # The positive is the 1 in front of the counts, not one of them.
        left_out = Pairs(
            np.r_[np.repeat(own, np.diff(bounds)), own],
            np.r_[indices[bounds[0] : bounds[-1]], wanted[block]],
        )
        thresholds = _thresholds(queries[block], items[wanted[block]])
        counts = screen.count(queries[block], thresholds, left_out, batch) if screen else None
        if counts is None:
            counts = counter.count(queries[block], thresholds, left_out, batch)
        finite = np.isfinite(thresholds.low) & np.isfinite(thresholds.high)
        found[block] = np.where(finite, 1 + counts / 2, math.nan)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(rank, range(0, len(queries), batch)))  # a list, so that errors are raised
    return found


def _thresholds(queries: npt.NDArray[np.float32], positives: npt.NDArray[np.float32]) -> Thresholds:
    # Vectors of a diverged model overflow; their ranks are nan, which says enough.
    with np.errstate(invalid="ignore", over="ignore"):
        positive = np.einsum("bd,bd->b", queries, positives)
        slack = _ROUNDING * np.linalg.norm(queries, axis=1) * np.linalg.norm(positives, axis=1)
        return Thresholds(positive - slack, positive + slack)


def checked_vectors(
    query_vectors: npt.ArrayLike, item_vectors: npt.ArrayLike
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Vectors as float32, `[q, d]` and `[n, d]`.

    Raises:
        ValueError: if these are not their shapes.
    """
    queries = np.asarray(query_vectors, np.float32)
    items = np.asarray(item_vectors, np.float32)
    if queries.ndim != 2 or items.ndim != 2 or queries.shape[1] != items.shape[1]:
        raise ValueError(
            "`query_vectors` and `item_vectors` should have shapes [q, d] and [n, d]. "
            f"Received: {queries.shape} and {items.shape}"
        )
    return queries, items


def checked_csr(exclude: Csr | None, queries: int, items: int) -> tuple[Ints, Ints]:
    """Offsets `[q + 1]` and indices of the items to leave out; of None, no items.

    Raises:
        ValueError: if offsets do not fit together, or an index is no item.
    """
    if exclude is None:
        return np.zeros(queries + 1, np.intp), np.zeros(0, np.intp)
    indptr, indices = (np.asarray(part, np.intp) for part in exclude)
    if (
        indptr.shape != (queries + 1,)
        or indptr[0] != 0
        or indptr[-1] != indices.size
        or (np.diff(indptr) < 0).any()
    ):
        raise ValueError(
            f"`exclude` should be (indptr, indices) with {queries + 1} ascending offsets from 0 to "
            f"the number of indices, {indices.size}. Received offsets: {indptr}"
        )
    _check_indices("exclude", indices, items)
    return indptr, indices


def _check_indices(name: str, indices: Ints, items: int) -> None:
    if indices.size and not 0 <= indices.min() <= indices.max() < items:
        raise ValueError(
            f"`{name}` should name rows of `item_vectors`, 0 to {items - 1}. "
            f"Received values from {indices.min()} to {indices.max()}"
        )
