"""The model's inputs to vectors: embeddings looked up, lists of them and numbers encoded."""

from collections.abc import Collection, Mapping

import keras
import tensorflow as tf

from tfmtl.config import History
from tfmtl.layers.embedding import EmbeddingCollection
from tfmtl.layers.encoders import build_history_encoder, build_number_encoding
from tfmtl.layers.pooling import combined, mean_pooling
from tfmtl.models.inputs import Inputs

Tensors = Mapping[str, tf.Tensor]


class Encoding(keras.layers.Layer):
    """A vector for the embedding of an id, the mean of a text's words, a bag, a history, a number.

    A history is encoded as a whole, its features' embeddings joined item by item, those of gaps and
    behaviours added, and its vector has the history's name. Under the encoder `mean` that comes to
    a mean for each of its inputs, which then have the inputs' names; so does `din` in a tower,
    which knows no candidate.

    Args:
        inputs: the model's inputs and the tables they read.
        dtype: dtype policy of the encoders of histories and numbers.

    Call arguments:
        inputs: `{input: tensor}`; other keys are left alone.
        names: the inputs that a tower reads. Where not given, all, and the item of a row is the
            candidate for its history.
        training: whether dropout is on.

    Returns:
        float32 `{vector: [batch, dim]}`, named by `Inputs.vectors`; numbers without an encoding as
        `[batch, 1]`, vectors without a projection as they are.
    """

    def __init__(self, inputs: Inputs, dtype: str = "float32", name: str = "encoding") -> None:
        super().__init__(name=name, dtype="float32")
        self.spec = inputs
        self.embedding = EmbeddingCollection(inputs.tables, inputs.reads)
        self.histories = {
            history.title: build_history_encoder(
                history.encoder,
                inputs.width(history),
                history.last,
                dtype,
                name=f"history_{history.title}",
            )
            for history in inputs.joined(inputs.spec, candidate=True)
        }
        self.numbers = {
            feature.name: build_number_encoding(
                feature.encoding, dtype, name=f"number_{feature.name}"
            )
            for feature in inputs.numbers
            if feature.encoding
        }
        self.projections = {
            name: keras.layers.Dense(dim, name=f"vector_{name}", dtype=dtype)
            for name, dim in inputs.projected.items()
        }
        self.built = True

    def call(
        self, inputs: Tensors, names: Collection[str] | None = None, training: bool = False
    ) -> dict[str, tf.Tensor]:
        candidate = names is None
        names = list(self.spec.spec if names is None else names)
        rows = self.embedding(inputs, names=[n for n in names if n in self.embedding.reads])
        joined = self.spec.joined(names, candidate)
        whole = {name for history in joined for name in history.input_names}
        encoded = {
            name: self._encode(name, inputs, rows.get(name))
            for name in self.spec.vectors(names, candidate)
            if name in names and name not in whole
        }
        for history in joined:
            encoded[history.title] = self._encode_history(
                history, inputs, rows, candidate, training
            )
        return encoded

    def of_candidates(
        self, users: Tensors, items: Tensors, user_of: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Vectors of users' candidates; what is alike for a user's candidates is encoded once.

        Args:
            users: inputs that are alike for all candidates of a user, `[users, ...]`.
            items: all other inputs, `[rows, ...]`.
            user_of: the user of each row, int32 `[rows]`.

        Returns:
            `{vector: [rows, dim]}`, equal to those of all inputs in rows.
        """
        reads = self.embedding.reads
        of_users = self.embedding(users, names=[name for name in reads if name in users])
        of_items = self.embedding(items, names=[name for name in reads if name in items])
        joined = {h.title: h for h in self.spec.joined(self.spec.spec, candidate=True)}
        encoded = {}
        for name in self.spec.vectors(self.spec.spec, candidate=True):
            if name in items:
                encoded[name] = self._encode(name, items, of_items.get(name))
            elif name not in joined:
                encoded[name] = tf.gather(self._encode(name, users, of_users.get(name)), user_of)
            elif self.histories[name].reads_candidate:
                history = joined[name]
                own = {one: tf.gather(users[one], user_of) for one in history.input_names}
                rows = {one: tf.gather(of_users[one], user_of) for one in history.input_names}
                encoded[name] = self._encode_history(history, own, {**rows, **of_items}, True)
            else:
                vectors = self._encode_history(joined[name], users, of_users, candidate=False)
                encoded[name] = tf.gather(vectors, user_of)
        return encoded

    def _encode(self, name: str, inputs: Tensors, rows: tf.Tensor | None) -> tf.Tensor:
        values = inputs[name]
        if name in self.spec.bags:
            bag = self.spec.bags[name]
            weights = inputs[bag.weights_input] if bag.weights_input else None
            return combined(rows, values, weights, bag.combiner)
        if rows is not None:
            return mean_pooling(rows, values) if values.shape.rank == 2 else rows
        numbers = tf.cast(values, tf.float32)
        if name in self.projections:
            return tf.cast(self.projections[name](numbers), tf.float32)
        if name in self.numbers:
            return tf.cast(self.numbers[name](numbers), tf.float32)
        return numbers if values.shape.rank == 2 else numbers[:, None]

    def _encode_history(
        self,
        history: History,
        inputs: Tensors,
        rows: Tensors,
        candidate: bool,
        training: bool = False,
    ) -> tf.Tensor:
        items = tf.concat([rows[name] for name in history.item_inputs], axis=2)
        for name in (history.gap_input, history.behaviour_input):
            if name is not None:
                items += rows[name]
        ids = tf.stack([inputs[name] for name in history.item_inputs], axis=2)
        present = tf.reduce_any(ids != 0, axis=2)
        item = tf.concat([rows[name] for name in history.of], axis=1) if candidate else None
        vector = self.histories[history.title](items, present, item, training=training)
        return tf.cast(vector, tf.float32)
