"""The items that score best for each query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Ints
from tfmtl.evaluation.ranks import Csr, checked_csr, checked_vectors

# Scores in memory at a time: 67 MB.
_MOST_SCORES = 2**24

# Of so many items one tells which scores are worth looking at.
_PART = 8


def top_items(
    query_vectors: npt.ArrayLike,
    item_vectors: npt.ArrayLike,
    k: int,
    exclude: Csr | None = None,
) -> Ints:
    """The `k` items with the largest dot product with each query, the best first.

    Of items with the same score the one that comes first in `item_vectors` is taken.

    Args:
        query_vectors: floats `[q, d]`.
        item_vectors: floats `[n, d]`.
        k: how many.
        exclude: the items to leave out for each query, such as those its user has seen, as a sparse
            matrix in CSR form: `indptr` `[q + 1]` and `indices`.

    Returns:
        Rows of `item_vectors` `[q, k]`; -1 where a query has fewer items, and everywhere for a
        query whose scores are not all finite.

    Raises:
        ValueError: if an index is no row of `item_vectors`, or shapes do not fit together.

    Example:
        >>> top_items([[1.0]], [[3.0], [1.0], [2.0]], k=2).tolist()
        [[0, 2]]
        >>> top_items([[1.0]], [[3.0], [1.0], [2.0]], k=3, exclude=([0, 1], [0])).tolist()
        [[2, 1, -1]]
    """
    queries, items = checked_vectors(query_vectors, item_vectors)
    indptr, indices = checked_csr(exclude, len(queries), len(items))
    found = np.full((len(queries), k), -1, np.intp)
    taken = min(k, len(items))
    batch = max(_MOST_SCORES // max(len(items), 1), 1)
    for start in range(0, len(queries), batch):
        rows = slice(start, min(start + batch, len(queries)))
        with np.errstate(over="ignore", invalid="ignore"):
            scores = queries[rows] @ items.T
            finite = np.isfinite(scores.sum(axis=1)) | np.isfinite(scores).all(axis=1)
        bounds = indptr[rows.start : rows.stop + 1]
        own = np.repeat(np.arange(len(scores)), np.diff(bounds))
        scores[own, indices[bounds[0] : bounds[-1]]] = -np.inf
        scores[~finite] = -np.inf
        found[rows, :taken] = _best(scores, taken)
    return found


def _best(scores: npt.NDArray[np.float32], k: int) -> Ints:
    """Columns of the `k` largest of each row, -1 for minus infinity.

    The k-th of some of the columns is a bound for the k-th of all, which few others reach; only
    those are sorted.
    """
    import tensorflow as tf  # here, so that the other metrics need no TensorFlow

    some = scores[:, : max(scores.shape[1] // _PART, k)]
    bound = tf.math.top_k(some, k)[0].numpy()[:, -1:]
    row, column = np.divmod(np.flatnonzero(scores >= bound), scores.shape[1])
    sizes = np.bincount(row, minlength=len(scores))
    place = np.arange(row.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    reaching = np.full((len(scores), sizes.max(initial=k)), -np.inf, np.float32)
    columns = np.zeros(reaching.shape, np.intp)
    reaching[row, place], columns[row, place] = scores[row, column], column
    best, places = (part.numpy() for part in tf.math.top_k(reaching, k))
    found = np.take_along_axis(columns, places, axis=1)
    return np.where(np.isfinite(best), found, -1)
