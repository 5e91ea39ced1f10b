"""The network of the retrieval task."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.heads import RetrievalHead
from tfmtl.models.encoding import Encoding
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
