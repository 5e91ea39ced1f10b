"""How many cells a query must look into for a declared recall, and what an index really reaches.

recall@n is the share of a query's n best items that an index answers with, the mean over queries;
an item counts whose score is that of the n-th best at least.
"""

import numpy as np
import tensorflow as tf

from serving.index.clustering import Cells
from serving.index.interface import Index
from serving.index.inverted_file import InvertedFile

_BATCH = 8
"""Queries that are asked together: of a million items, 32 MB of scores."""
_STEP = 1.2
"""By how much the number of cells grows where the storage costs recall, too."""
_GAIN = 2e-3
"""A step that gives less recall than this is not worth its time."""


def best_places(vectors: np.ndarray, queries: np.ndarray, at: int) -> np.ndarray:
    """Places of the items with the largest inner products, `[queries, at]`, the best first."""

    @tf.function(reduce_retracing=True)
    def top(batch: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        return tf.math.top_k(tf.matmul(batch, items, transpose_b=True), k=at).indices

    items = tf.constant(vectors)
    batches = range(0, len(queries), _BATCH)
    return np.concatenate([top(queries[i : i + _BATCH], items).numpy() for i in batches])


def recalls(index: Index, vectors: np.ndarray, queries: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Recall of an index for each query.

    Args:
        index: the index.
        vectors: what it was built of, `[items, dim]`.
        queries: `[queries, dim]`.
        best: places of each query's best items, `[queries, at]`, the best first.

    Returns:
        `[queries]`.
    """
    at = best.shape[1]
    search = tf.function(lambda batch: index.search(batch, tf.constant(at))[0])
    batches = range(0, len(queries), _BATCH)
    found = np.concatenate([search(tf.constant(queries[i : i + _BATCH])) for i in batches])
    scores = np.einsum("qd,qnd->qn", queries, vectors[np.maximum(found, 0)])
    least = np.einsum("qd,qd->q", queries, vectors[best[:, -1]])
    # Another order of the sums rounds otherwise.
    slack = 1e-5 * np.maximum(np.abs(least), 1e-6)
    return np.mean((found >= 0) & (scores >= (least - slack)[:, None]), axis=1)


def choose_probes(
    index: InvertedFile,
    cells: Cells,
    vectors: np.ndarray,
    queries: np.ndarray,
    best: np.ndarray,
    recall: float,
) -> None:
    """Sets how many cells an index looks into: the fewest with which the mean recall of these
    queries, less twice its standard error, is what is declared.

    The best items lie in cells of known ranks, so that the recall of every number of cells is
    known at once but for what the storage costs, which is then tried. What the storage alone costs
    no number of cells brings back.

    Args:
        index: the index.
        cells: its cells.
        vectors: what it was built of, `[items, dim]`.
        queries: those to choose by, `[queries, dim]`.
        best: places of each query's best items, `[queries, at]`.
        recall: what is declared.
    """
    near = queries @ cells.centroids.T
    ranks = np.argsort(np.argsort(-near, axis=1, kind="stable"), axis=1, kind="stable")
    needed = 1 + np.take_along_axis(ranks, cells.of[best], axis=1)
    low, high = 1, index.cells
    while low < high:
        middle = (low + high) // 2
        if surely(np.mean(needed <= middle, axis=1)) >= recall:
            high = middle
        else:
            low = middle + 1
    index.probes = low
    before = 0.0
    while index.stored.kind != "float32" and index.probes < index.cells:
        reached = surely(recalls(index, vectors, queries, best))
        if reached >= recall or reached - before < _GAIN:
            return
        before = reached
        index.probes = min(index.cells, int(np.ceil(index.probes * _STEP)))


def surely(found: np.ndarray) -> float:
    """A mean less twice its standard error."""
    return float(np.mean(found) - 2 * np.std(found) / np.sqrt(len(found)))
