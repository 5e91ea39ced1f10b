"""The items of the whole catalogue with the highest scores, block by block.

score(query, item) = <query, item>, as the served model's `retrieve` has it. Memory is bounded by
the size of a block, whatever the number of queries and items.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

QUERIES, ITEMS = 256, 65_536
"""Queries and items whose scores are computed at once: 64 MB."""


class Best(NamedTuple):
    """The best items of queries.

    Attributes:
        places: places of items in the catalogue, the best first, int32 `[n, k]`; of equal scores
            the earlier item is first.
        scores: float32 `[n, k]`, -inf where there are no more items.
    """

    places: np.ndarray
    scores: np.ndarray


class Pairs(NamedTuple):
    """Items that are left out, as rows of a CSR matrix.

    Attributes:
        indptr: where each query's items begin, and where the last ones end, `[n + 1]`.
        items: places of items in the catalogue.
    """

    indptr: np.ndarray
    items: np.ndarray


class BestItems:
    """Finds the best items of queries.

    Args:
        vectors: of the items, float32 `[items, dim]`.
        k: how many; no more than there are items.
        block: items whose scores are computed at once.
    """

    def __init__(self, vectors: np.ndarray, k: int, block: int = ITEMS) -> None:
        self._vectors = tf.constant(vectors)
        self._items = len(vectors)
        self._k = min(k, self._items)
        self._block = block
        self._of_block = tf.function(partial(_of_block, k=self._k), reduce_retracing=True)

    def __call__(self, queries: np.ndarray, without: Pairs | None = None) -> Best:
        """The best items.

        Args:
            queries: float32 `[n, dim]`.
            without: items that each query leaves out; none where not given.
        """
        parts = [
            self._of_queries(queries[start : start + QUERIES], start, without)
            for start in range(0, max(len(queries), 1), QUERIES)
        ]
        places, scores = zip(*parts, strict=True)
        return Best(np.concatenate(places), np.concatenate(scores))

    def _of_queries(self, queries: np.ndarray, first: int, without: Pairs | None) -> Any:
        given = tf.constant(queries)
        places = tf.zeros([len(queries), 0], tf.int32)
        scores = tf.zeros([len(queries), 0], tf.float32)
        owners, items = _pairs(without, first, len(queries))
        for start in range(0, self._items, self._block):
            own = (items >= start) & (items < start + self._block)
            out = np.stack([owners[own], items[own] - start], axis=1).astype(np.int32)
            vectors = self._vectors[start : start + self._block]
            places, scores = self._of_block(
                given, vectors, tf.constant(out), tf.constant(start), places, scores
            )
        return places.numpy(), scores.numpy()


def _of_block(
    queries: tf.Tensor,
    vectors: tf.Tensor,
    out: tf.Tensor,
    start: tf.Tensor,
    places: tf.Tensor,
    scores: tf.Tensor,
    k: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The best of those known and of a block; of equal scores the known ones, which are earlier."""
    found = tf.matmul(queries, vectors, transpose_b=True)
    never = tf.fill([tf.shape(out)[0]], float("-inf"))
    found = tf.tensor_scatter_nd_update(found, out, never)
    own = tf.math.top_k(found, tf.minimum(k, tf.shape(found)[1]))
    scores = tf.concat([scores, own.values], axis=1)
    places = tf.concat([places, own.indices + start], axis=1)
    best = tf.math.top_k(scores, tf.minimum(k, tf.shape(scores)[1]))
    return tf.gather(places, best.indices, batch_dims=1), best.values


def _pairs(without: Pairs | None, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Items that queries leave out: the query's place from `first`, and the item's."""
    if without is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = without.indptr[first : first + count + 1]
    owners = np.repeat(np.arange(count), np.diff(starts))
    return owners, without.items[starts[0] : starts[-1]].astype(np.int64)
