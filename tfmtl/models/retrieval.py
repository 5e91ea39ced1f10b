"""The network of the retrieval task."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.heads import RetrievalHead
from tfmtl.heads.catalogue_softmax import CatalogueSoftmax
from tfmtl.models.encoding import Encoding
from tfmtl.models.positions import Positions
from tfmtl.models.replicas import gathered
from tfmtl.models.towers import Tower
from tfmtl.preprocessing import columns

Tensors = Mapping[str, tf.Tensor]


class RetrievalNetwork(keras.layers.Layer):
    """A query tower and an item tower on the embeddings that the ranking tasks read, too.

    Args:
        config: the configuration, with a retrieval task.
        encoding: maps inputs to vectors.
        dtype: dtype policy of the towers.

    Call arguments:
        inputs: `{input: tensor}`.

    Returns:
        Inner products of query and item, `[batch]`.
    """

    def __init__(
        self, config: Config, encoding: Encoding, dtype: str, name: str = "retrieval"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        if config.retrieval_task is None:
            raise ValueError("a retrieval network needs a task of kind retrieval. Received: none")
        self.task, spec = config.retrieval_task
        towers = config.model.retrieval
        self.encoding = encoding
        self.query_features, self.item_features = config.query_features, config.item_features
        queries = encoding.spec.vectors(self.query_features, candidate=False)
        items = encoding.spec.vectors(self.item_features, candidate=False)
        self.query_tower = Tower(towers, queries, "query_tower", dtype)
        self.item_tower = Tower(towers, items, "item_tower", dtype)
        self.head = RetrievalHead(spec, self.task)
        self.softmax: CatalogueSoftmax | None = None
        if spec.loss.kind != "in_batch":
            compute = keras.DTypePolicy(dtype).compute_dtype
            self.softmax = CatalogueSoftmax(
                spec.loss, spec.temperature, config.seed, compute, f"{self.task}_softmax"
            )
        self._catalogue: dict[str, tf.Tensor] = {}
        self._positions = Positions(config, encoding) if config.whole_sequences else None

    def build(self, *shapes: Any) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def query_vectors(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """Vectors of queries, `[batch, dim]`."""
        return self.query_tower(
            self.encoding(inputs, names=self.query_features, training=training), training=training
        )

    def item_vectors(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """Vectors of items, `[batch, dim]`."""
        return self.item_tower(
            self.encoding(inputs, names=self.item_features, training=training), training=training
        )

    def know(self, catalogue: Mapping[str, np.ndarray], probabilities: np.ndarray) -> None:
        """Told of the items that a loss over the catalogue needs.

        Args:
            catalogue: inputs of the item tower, `{input: [items] or [items, length]}`.
            probabilities: every item's share of the training rows' positives, `[items]`.
        """
        if self.softmax is not None:
            self.softmax.know(probabilities)
            self._catalogue = {name: tf.constant(values) for name, values in catalogue.items()}
        if self._positions is not None:
            self._positions.know(catalogue)

    def call(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        return self.head(self.query_vectors(inputs, training), self.item_vectors(inputs, training))

    def loss_from(
        self, inputs: Tensors, labels: tf.Tensor, weights: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Loss of the positives of a batch.

        Args:
            inputs: `{input: tensor}`, with `meta/item` and `meta/sampling_probability`.
            labels: `[batch]`, 1 where the row is a positive.
            weights: `[batch]`.
            training: whether dropout is on.

        Returns:
            A scalar.
        """
        rows = tf.where(labels > 0)[:, 0]
        if self.softmax is not None:
            return self._loss_in_catalogue(self.softmax, inputs, rows, weights, training)
        names = {
            *self.query_features,
            *self.item_features,
            columns.ITEM,
            columns.SAMPLING_PROBABILITY,
        }
        positives = {name: tf.gather(inputs[name], rows) for name in names}
        pairs = (
            self.query_vectors(positives, training),
            self.item_vectors(positives, training),
            positives[columns.ITEM],
            positives[columns.SAMPLING_PROBABILITY],
            tf.gather(weights, rows),
        )
        return self.head.loss(*gathered(pairs))

    def _loss_in_catalogue(
        self,
        softmax: CatalogueSoftmax,
        inputs: Tensors,
        rows: tf.Tensor,
        weights: tf.Tensor,
        training: bool,
    ) -> tf.Tensor:
        if not softmax.items:
            raise ValueError(
                f"task '{self.task}': its loss goes over the catalogue; tell the model of it by "
                "`tfmtl.models.known_items.know_catalogue(model, transformed)` before it learns"
            )
        names = {*self.query_features, columns.ITEM}
        positives = {name: tf.gather(inputs[name], rows) for name in names}
        own, places = tf.gather(weights, rows), positives[columns.ITEM]
        if self._positions is not None and training:
            states, places, of = self._positions.queries(positives, training)
            query = self.query_tower({self._positions.history.title: states}, training=training)
            own = tf.gather(own, of)
        else:
            query = self.query_vectors(positives, training)
        query, places, own = gathered((query, places, own))

        def vectors(at: tf.Tensor) -> tf.Tensor:
            items = {name: tf.gather(values, at) for name, values in self._catalogue.items()}
            return self.item_vectors(items, training)

        total = tf.reduce_sum(own * softmax.losses(query, places, vectors, training))
        if self.head.spec.reduction == "sum":
            return total
        return tf.math.divide_no_nan(total, tf.reduce_sum(own))
