"""Counts, for each query, the items scored above a threshold, in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Ints

# Items scored at once: a tile of scores is counted while it is still in the cache.
TILE = 2048


class Thresholds(NamedTuple):
    """Scores between which an item is as good as the positive: `[b]` each."""

    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]


class Pairs(NamedTuple):
    """Queries and items, `[p]` each."""

    queries: Ints
    items: Ints


class Counter:
    """Counts items by float32 products.

    Args:
        items: finite vectors `[n, d]`.
    """

    def __init__(self, items: npt.NDArray[np.float32]) -> None:
        self._items = items
        self._made: Any = None

    def count(
        self,
        queries: npt.NDArray[np.float32],
        thresholds: Thresholds,
        left_out: Pairs,
        batch: int,
    ) -> npt.NDArray[np.int32]:
        """Twice the items scored above a query's thresholds, and once those between them: `[b]`.

        Args:
            queries: vectors `[b, d]`.
            thresholds: theirs.
            left_out: pairs that are not counted.
            batch: queries the compiled counter takes; those missing are filled up with zeros.
        """
        missing = (0, batch - len(queries))
        tiles = self._tiles()
        counts = _counter()(
            np.pad(queries, (missing, (0, 0))),
            tiles,
            np.pad(thresholds.low, missing),
            np.pad(thresholds.high, missing),
            _by_tile(left_out, len(tiles), batch),
        )
        return counts.numpy()[: len(queries)]

    def _tiles(self) -> Any:
        """Items as columns of tiles `[n / t, d, t]`, the last one filled up with NaN."""
        if self._made is None:
            import tensorflow as tf  # here, so that the other metrics need no TensorFlow

            count, dim = -(-len(self._items) // TILE), self._items.shape[1]
            padded = np.full((count * TILE, dim), math.nan, np.float32)
            padded[: len(self._items)] = self._items
            self._made = tf.constant(padded.reshape(count, TILE, dim).swapaxes(1, 2))
        return self._made


def _by_tile(pairs: Pairs, tiles: int, batch: int) -> npt.NDArray[np.int32]:
    """Pairs as `[tiles, p, 2]`: query and place in the tile, filled up with query `batch`.

    `p` is a power of two, 64 at least, so that few shapes are compiled.
    """
    order = np.argsort(pairs.items, kind="stable")
    tile, place = np.divmod(pairs.items[order], TILE)
    sizes = np.bincount(tile, minlength=tiles)
    most = max(64, 1 << int(sizes.max() - 1).bit_length())
    found = np.full((tiles, most, 2), batch, np.int32)
    within = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    found[tile, within] = np.stack([pairs.queries[order], place], axis=1)
    return found


@cache
def _counter() -> Callable[..., Any]:
    """A compiled function that makes a tile of scores, marks the pairs to leave out and counts, so
    that the scores of a whole catalogue are never in memory."""
    import tensorflow as tf

    vectors = [tf.TensorSpec([None] * axes) for axes in (2, 3, 1, 1)]
    pairs = tf.TensorSpec([None, None, 2], tf.int32)

    @tf.function(jit_compile=True, input_signature=[*vectors, pairs])
    def count(queries: Any, tiles: Any, low: Any, high: Any, pairs: Any) -> Any:
        nothing = tf.fill(tf.shape(pairs)[1:2], math.nan)

        def add(number: Any, counts: Any) -> Any:
            scores = tf.matmul(queries, tiles[number])
            # A comparison with NaN is false. A pair out of bounds, which fills up, marks nothing.
            scores = tf.tensor_scatter_nd_update(scores, pairs[number], nothing)
            higher = tf.cast(scores > high[:, None], tf.int32)
            not_lower = tf.cast(scores >= low[:, None], tf.int32)
            return number + 1, counts + tf.reduce_sum(higher + not_lower, axis=1)

        return tf.while_loop(
            lambda number, _: number < tf.shape(tiles)[0], add, (0, tf.zeros_like(low, tf.int32))
        )[1]

    return count
