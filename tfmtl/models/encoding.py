"""The model's inputs to vectors: embeddings looked up, lists of them and numbers encoded."""

from collections.abc import Collection, Mapping

import keras
import tensorflow as tf

from tfmtl.config import History
from tfmtl.layers.embedding import EmbeddingCollection
from tfmtl.layers.encoders import (
    build_history_encoder,
    build_number_encoding,
    build_text_encoder,
)
from tfmtl.layers.pooling import combined, mean_pooling
from tfmtl.models.inputs import Inputs
from tfmtl.models.pretrained_texts import PretrainedTexts

Tensors = Mapping[str, tf.Tensor]


class Encoding(keras.layers.Layer):
    """A vector for the embedding of an id, a text, a bag, a history, a number.

    A history is encoded as a whole, its features' embeddings joined item by item, those of gaps and
    behaviours and the projected context added, and its vector has the history's name. Under the
    encoder `mean` that comes to a mean for each of its inputs, which then have the inputs' names;
    so does `din` in a tower, which knows no candidate.

    Args:
        inputs: the model's inputs and the tables they read.
        dtype: dtype policy of the encoders of histories, texts and numbers.

    Call arguments:
        inputs: `{input: tensor}`; other keys are left alone. Texts of pretrained encoders may be
            given as `text_vectors` makes them.
        names: the inputs that a tower reads. Where not given, those of the ranking tasks, to
            which the item of a row is the candidate for its history.
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
        self.ordered = {
            text.name: build_text_encoder(
                text.encoder, text.dim, text.length, dtype, name=f"text_{text.name}"
            )
            for text in inputs.ordered.values()
        }
        self.contexts = {
            history.title: keras.layers.Dense(
                inputs.width(history), use_bias=False, name=f"context_{history.title}", dtype=dtype
            )
            for history in inputs.histories
            if history.context
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
        with keras.name_scope(name):
            # Built here, their variables have the same paths wherever they are called first.
            for own, projection in self.projections.items():
                text = inputs.texts.get(own)
                width = text.shape.width if text else inputs.spec[own].shape[1]
                projection.build((None, width))
            self.texts = PretrainedTexts(inputs.texts, dtype)
        self.built = True

    def call(
        self, inputs: Tensors, names: Collection[str] | None = None, training: bool = False
    ) -> dict[str, tf.Tensor]:
        candidate = names is None and self.spec.candidate
        names = list(self.spec.ranked if names is None else names)
        rows = self.embedding(inputs, names=[n for n in names if n in self.embedding.reads])
        inputs = {**inputs, **self.text_vectors(inputs, names)}
        joined = self.spec.joined(names, candidate)
        whole = {name for history in joined for name in history.input_names}
        encoded = {
            name: self._encode(name, inputs, rows.get(name), training)
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
        users, items = ({**own, **self.text_vectors(own)} for own in (users, items))
        reads = self.embedding.reads
        of_users = self.embedding(users, names=[name for name in reads if name in users])
        of_items = self.embedding(items, names=[name for name in reads if name in items])
        names = self.spec.ranked
        joined = {h.title: h for h in self.spec.joined(names, candidate=True)}
        encoded = {}
        for name in self.spec.vectors(names, candidate=True):
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

    def text_vectors(
        self, inputs: Tensors, names: Collection[str] | None = None
    ) -> dict[str, tf.Tensor]:
        """Vectors of the texts that pretrained encoders read, projected to their `dim`.

        They may stand for the texts' ids wherever these are inputs, so that a text that is known
        beforehand is encoded once.

        Args:
            inputs: `{input: tensor}`.
            names: inputs that are read; all where not given.

        Returns:
            float32 `{input: [batch, dim]}`, those left out that are vectors already.
        """
        read = inputs.keys() if names is None else inputs.keys() & set(names)
        ids = {
            name: inputs[name]
            for name in self.texts.texts
            if name in read and tf.as_dtype(inputs[name].dtype).is_integer
        }
        found = self.texts(ids) if ids else {}
        return {n: tf.cast(self.projections[n](v), tf.float32) for n, v in found.items()}

    def _encode(
        self, name: str, inputs: Tensors, rows: tf.Tensor | None, training: bool = False
    ) -> tf.Tensor:
        values = inputs[name]
        if name in self.ordered:
            vector = self.ordered[name](rows, values != 0, training=training)
            return tf.cast(vector, tf.float32)
        if name in self.spec.bags:
            bag = self.spec.bags[name]
            weights = inputs[bag.weights_input] if bag.weights_input else None
            return combined(rows, values, weights, bag.combiner)
        if rows is not None:
            return mean_pooling(rows, values) if values.shape.rank == 2 else rows
        if name in self.texts.texts:
            return values
        numbers = tf.cast(values, tf.float32)
        if name in self.projections:
            return tf.cast(self.projections[name](numbers), tf.float32)
        if name in self.numbers:
            return tf.cast(self.numbers[name](numbers), tf.float32)
        return numbers if values.shape.rank == 2 else numbers[:, None]

    def states(
        self, history: History, inputs: Tensors, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What a history comes to at each of its events, and which of them are there.

        Args:
            history: one whose encoder reads item after item.
            inputs: those of the history, `{input: tensor}`.
            training: whether dropout is on.

        Returns:
            float32 `[batch, length, dim]`, the latest event first, and bool `[batch, length]`.
        """
        names = [name for name in history.input_names if name in self.embedding.reads]
        items, present = self._events(history, inputs, self.embedding(inputs, names=names))
        states = self.histories[history.title].states(items, present, training=training)
        return tf.cast(states, tf.float32), present

    def _encode_history(
        self,
        history: History,
        inputs: Tensors,
        rows: Tensors,
        candidate: bool,
        training: bool = False,
    ) -> tf.Tensor:
        items, present = self._events(history, inputs, rows)
        item = tf.concat([rows[name] for name in history.of], axis=1) if candidate else None
        vector = self.histories[history.title](items, present, item, training=training)
        return tf.cast(vector, tf.float32)

    def _events(
        self, history: History, inputs: Tensors, rows: Tensors
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What is read of a history's events, `[batch, length, dim]`, and which are there."""
        items = tf.concat([rows[name] for name in history.item_inputs], axis=2)
        for name in (history.gap_input, history.behaviour_input):
            if name is not None:
                items += rows[name]
        if history.context:
            context = [self._context(name, inputs, rows) for name in history.context_inputs]
            joined = self.contexts[history.title](tf.concat(context, axis=2))
            items += tf.cast(joined, tf.float32)
        ids = tf.stack([inputs[name] for name in history.item_inputs], axis=2)
        return items, tf.reduce_any(ids != 0, axis=2)

    def _context(self, name: str, inputs: Tensors, rows: Tensors) -> tf.Tensor:
        """Context of a history's events, `[batch, last, width]`."""
        width = self.spec.context[name]
        if not width:
            return rows[name]
        return tf.reshape(inputs[name], [-1, inputs[name].shape[1] // width, width])
