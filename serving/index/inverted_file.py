"""The items in cells; a query looks into those nearest to it (Jegou et al. 2011, without codes).

Items stand cell by cell, so that a cell is a slice of them. The cells looked into are those whose
centroids have the largest inner products with the query.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from serving.index.clustering import Cells
from serving.index.interface import Allowed, Index
from serving.index.scoring import all_scores, best, scores_at, usable
from tfmtl.config import Storage
from tfmtl.layers.stored import Stored


class InvertedFile(Index):
    """Scores the items of the cells nearest to a query.

    Where these hold fewer allowed items than asked for, and other cells hold more, all items are
    scored, so that a filter never leaves fewer than there are.

    Args:
        vectors: float32 `[items, dim]`, at least one.
        cells: the items in cells.
        storage: how the vectors are kept.

    Attributes:
        cells: number of cells.
        probes: how many a query looks into; set before it is traced.
    """

    def __init__(self, vectors: np.ndarray, cells: Cells, storage: Storage) -> None:
        order = np.argsort(cells.of, kind="stable").astype(np.int32)
        super().__init__(Stored(vectors[order], storage, name="item_vectors"))
        self.cells = self.probes = len(cells.centroids)
        sizes = np.bincount(cells.of, minlength=self.cells)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        self._order = tf.Variable(order, trainable=False, name="item_order")
        self._starts = tf.Variable(starts, trainable=False, name="cell_starts")
        self._centroids = tf.Variable(cells.centroids, trainable=False, name="centroids")

    def search(
        self, queries: tf.Tensor, count: tf.Tensor, allowed: Allowed | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        queries = usable(queries)
        rows = self._probed(queries)
        held = tf.maximum(rows, 0)
        places = tf.where(rows < 0, -1, tf.gather(self._order, held))
        able = rows >= 0 if allowed is None else allowed(places)
        scores = tf.where(able, scores_at(self.stored, queries, held), -float("inf"))
        taken, values = best(scores, count)
        found = self._placed(taken, places), values
        wanted = tf.minimum(count, self.items)
        able_counts = tf.math.count_nonzero(able, axis=1, dtype=tf.int32)
        short = tf.reduce_any(able_counts < wanted)
        return tf.cond(
            short,
            lambda: self._completed(queries, count, allowed, found, able_counts),
            lambda: found,
        )

    def about(self) -> dict[str, Any]:
        own = {"kind": "inverted_file", "cells": self.cells, "probes": self.probes}
        return own | super().about()

    def _probed(self, queries: tf.Tensor) -> tf.Tensor:
        """Rows of the items in each query's cells, `[batch, n]`, -1 behind the last."""
        near = tf.matmul(queries, self._centroids, transpose_b=True)
        cells = tf.reshape(tf.math.top_k(near, k=self.probes, sorted=False).indices, [-1])
        first, end = tf.gather(self._starts, cells), tf.gather(self._starts, cells + 1)
        rows = tf.ragged.range(first, end)
        by_query = tf.RaggedTensor.from_row_splits(
            rows.values, rows.row_splits[:: self.probes], validate=False
        )
        return by_query.to_tensor(-1)

    def _placed(self, taken: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        chosen = tf.gather(places, tf.maximum(taken, 0), batch_dims=1)
        return tf.where(taken < 0, -1, chosen)

    def _completed(
        self,
        queries: tf.Tensor,
        count: tf.Tensor,
        allowed: Allowed | None,
        found: tuple[tf.Tensor, tf.Tensor],
        able_counts: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What was found, or the best of all items where that is more."""
        if allowed is None:
            return self._exact(queries, count, None)
        able = allowed(None)
        there = tf.minimum(count, tf.math.count_nonzero(able, axis=1, dtype=tf.int32))
        return tf.cond(
            tf.reduce_any(able_counts < there),
            lambda: self._exact(queries, count, able),
            lambda: found,
        )

    def _exact(
        self, queries: tf.Tensor, count: tf.Tensor, able: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        scores = all_scores(self.stored, queries)
        if able is not None:
            scores = tf.where(tf.gather(able, self._order, axis=1), scores, -float("inf"))
        taken, values = best(scores, count)
        chosen = tf.gather(self._order, tf.maximum(taken, 0))
        return tf.where(taken < 0, -1, chosen), values
