"""Counts, for each query, the items scored above a threshold, by bfloat16 where that is enough.

With `r(v)` for a vector rounded to bfloat16, `q v - r(q) r(v) = q (v - r(v)) + (q - r(q)) r(v)`,
which is at most `e = |q| max |v - r(v)| + |q - r(q)| max |r(v)|`. What lies further than `e` from
the threshold is settled by the rounded product; the few items that are nearer are scored again in
float32.

The threshold `t` is a part of the product, `[q, -t] [v, 1]`, so that no product is written in
float32. It is split in three numbers of bfloat16, which hold it exactly enough.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._counting import TILE, Pairs, Thresholds

# For the roundings of sums and thresholds.
_MARGIN = 1.02

# Share of the pairs up to which scoring them again is cheaper than scoring all in float32.
_MOST_NEAR = 0.004


class Screen:
    """Counts items by bfloat16 products, and by float32 ones where these do not settle it.

    Args:
        items: finite vectors `[n, d]`.
    """

    def __init__(self, items: npt.NDArray[np.float32]) -> None:
        import tensorflow as tf

        # By length, so that a bound by the longest of a tile is close.
        order = np.argsort(np.linalg.norm(items, axis=1), kind="stable")
        self._places = np.argsort(order)
        self._items = items[order]
        count, dim = -(-len(items) // TILE), items.shape[1]
        columns = np.zeros((count * TILE, dim + 4), np.float32)
        columns[: len(items), :dim] = self._items
        columns[: len(items), dim : dim + 3] = 1
        columns[len(items) :, dim + 3] = 1  # a place without an item
        vectors = columns[:, :dim]
        rounded = _rounded(vectors)
        self._longest = _longest(rounded, count)
        self._furthest = _longest(vectors - rounded, count)
        self._tiles = tf.cast(columns.reshape(count, TILE, dim + 4), tf.bfloat16)

    def count(
        self,
        queries: npt.NDArray[np.float32],
        thresholds: Thresholds,
        left_out: Pairs,
        batch: int,
    ) -> npt.NDArray[np.int32] | None:
        """What `Counter.count` says of its arguments; None where too many items are near."""
        margins = self._margins(queries, thresholds)
        if not np.isfinite(margins).all():
            return None
        rows = _rows(queries, thresholds, batch)
        limits = np.pad(margins, ((0, 0), (0, batch - len(queries))))
        middle = slice(len(limits) // 2, len(limits) // 2 + 1)
        if self._too_near(_counter()(rows, limits[middle], self._tiles[middle])[1], 1):
            return None
        above, near = _counter()(rows, limits, self._tiles)
        if self._too_near(near, len(limits)):
            return None
        pairs = _pairs(near.numpy(), batch)
        counts = 2 * above.numpy()[: len(queries)]
        places = self._places[left_out.items]
        every = np.unique(left_out.queries * len(self._items) + places)
        out = Pairs(*np.divmod(every, len(self._items)))
        counts += self._sums(queries, thresholds, pairs)
        counts -= self._sums(queries, thresholds, out)
        return counts

    def _too_near(self, near: Any, tiles: int) -> bool:
        """Whether so many pairs of some tiles are near that all had better be scored exactly."""
        marks = np.bitwise_count(near.numpy().view(np.uint64)).sum()
        return bool(marks > _MOST_NEAR * tiles * TILE * near.shape[-1])

    def _margins(
        self, queries: npt.NDArray[np.float32], thresholds: Thresholds
    ) -> npt.NDArray[np.float32]:
        """Distance from the threshold at which a product settles a comparison, `[tiles, b]`."""
        off = np.linalg.norm(queries - _rounded(queries), axis=1) * self._longest
        off += np.linalg.norm(queries, axis=1) * self._furthest
        return _MARGIN * off + (thresholds.high - thresholds.low) / 2

    def _sums(
        self, queries: npt.NDArray[np.float32], thresholds: Thresholds, pairs: Pairs
    ) -> npt.NDArray[np.int32]:
        """For each query, 2 for its pairs scored above the thresholds and 1 for those between."""
        scores = np.einsum("pd,pd->p", queries[pairs.queries], self._items[pairs.items])
        higher = pairs.queries[scores > thresholds.high[pairs.queries]]
        not_lower = pairs.queries[scores >= thresholds.low[pairs.queries]]
        return np.bincount(np.r_[higher, not_lower], minlength=len(queries)).astype(np.int32)


def _rows(
    queries: npt.NDArray[np.float32], thresholds: Thresholds, batch: int
) -> npt.NDArray[np.float32]:
    """`[q, -t in three parts, no item]` as columns `[d + 4, batch]`."""
    rows = np.zeros((queries.shape[1] + 4, batch), np.float32)
    rows[:-4, : len(queries)] = queries.T
    rest = -(thresholds.low.astype(np.float64) + thresholds.high) / 2
    for part in range(-4, -1):
        rows[part, : len(queries)] = _rounded(rest)
        rest = rest - rows[part, : len(queries)]
    rows[-2, len(queries) :] = -1  # nothing is near to a query that is missing
    rows[-1] = -1e30
    return rows


def _longest(vectors: npt.NDArray[np.float32], tiles: int) -> npt.NDArray[np.float32]:
    """Length of the longest vector of each tile, `[tiles, 1]`."""
    return np.linalg.norm(vectors, axis=1).reshape(tiles, -1).max(axis=1, keepdims=True)


def _rounded(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Values as bfloat16 holds them."""
    import tensorflow as tf

    return tf.cast(tf.cast(values, tf.bfloat16), tf.float32).numpy()


def _pairs(near: npt.NDArray[np.uint8], batch: int) -> Pairs:
    """The pairs that are near: bits of eight items `[tiles, TILE / 8, batch]`."""
    # Nearly all are zero: eight bytes are looked at in one.
    words = near.reshape(-1, 8)
    some = np.flatnonzero(words.view(np.uint64))
    found = words[some].ravel()
    bytes_ = np.flatnonzero(found)
    bits = np.flatnonzero(np.unpackbits(found[bytes_], bitorder="little"))
    byte = bytes_[bits >> 3]
    row, query = np.divmod(some[byte >> 3] * 8 + (byte & 7), batch)
    return Pairs(query, row * 8 + (bits & 7))


@cache
def _counter() -> Callable[..., Any]:
    """A function that counts what is settled above the thresholds and marks what is near them."""
    import tensorflow as tf

    bits_of_eight = tf.constant([[1], [2], [4], [8], [16], [32], [64], [128]], tf.uint8)

    @tf.function(jit_compile=True)
    def look(scores: Any, limits: Any) -> Any:
        # As whole numbers bfloat16s have the order of their sizes, and the sign is the highest bit.
        eights = tf.reshape(tf.bitcast(scores, tf.int16), [TILE // 8, 8, scores.shape[1]])
        above = tf.reduce_sum(tf.cast(eights > limits, tf.uint8), axis=1)
        near = tf.cast(tf.bitwise.bitwise_and(eights, 0x7FFF) <= limits, tf.uint8)
        near = tf.reduce_sum(near * bits_of_eight, axis=1)
        return tf.reduce_sum(tf.cast(above, tf.int16), axis=0), near

    @tf.function
    def count(rows: Any, limits: Any, tiles: Any) -> Any:
        rows = tf.cast(rows, tf.bfloat16)
        # The next bfloat16: casting may have rounded down.
        limits = tf.bitcast(tf.cast(limits, tf.bfloat16), tf.int16) + 1
        number = tf.shape(tiles)[0]
        near = tf.TensorArray(tf.uint8, number, element_shape=[TILE // 8, rows.shape[1]])

        def add(tile: Any, counts: Any, near: Any) -> Any:
            # Outside of XLA, whose bfloat16 products are slow on processors.
            above, some = look(tf.matmul(tiles[tile], rows), limits[tile])
            return tile + 1, counts + tf.cast(above, tf.int32), near.write(tile, some)

        start = (0, tf.zeros(tf.shape(rows)[1:], tf.int32), near)
        _, counts, near = tf.while_loop(lambda tile, *_: tile < number, add, start)
        return counts, near.stack()

    return count
