"""Texts whose neighbouring tokens are read together."""

import keras
import tensorflow as tf


class TextCnn(keras.layers.Layer):
    """Filters over `width` tokens at a time, and the largest answer of each in the text.

    With token embeddings `x_1 .. x_L`, zeros for padding and beyond the ends, filter f gives
    `c_f,l = relu(b_f + w_f . [x_l-a; ..; x_l+b])` with `a = (width - 1) // 2` and `b = width // 2`,
    and `max_l c_f,l` over the tokens that are there. A text without any gives zeros.

    Reference: Kim, "Convolutional neural networks for sentence classification", EMNLP 2014, with
    filters of one width and windows that reach beyond the ends, so that a text of one word has one.

    Args:
        filters: how many.
        width: tokens that a filter reads at a time.
        dropout: share of the vector's numbers dropped in training.
        dtype: dtype policy of the filters.

    Call arguments:
        rows: token embeddings, `[batch, length, dim]`.
        present: bool `[batch, length]`, false where padded.
        training: whether dropout is on.

    Returns:
        `[batch, filters]`.

    Example:
        >>> layer = TextCnn(filters=8, width=3)
        >>> layer(tf.ones([2, 5, 4]), tf.ones([2, 5], tf.bool)).shape
        TensorShape([2, 8])
    """

    def __init__(
        self,
        filters: int,
        width: int,
        dropout: float = 0.0,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if filters < 1 or width < 1:
            raise ValueError(
                f"`filters` and `width` should be at least 1. Received: {filters} and {width}"
            )
        self.width = width
        self.filters = keras.layers.Dense(filters, activation="relu", name="filters", dtype=dtype)
        self.dropout = keras.layers.Dropout(dropout, dtype=dtype)

    def build(self, *shapes: object) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def call(self, rows: tf.Tensor, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        length, dim = rows.shape[1:]
        seen = tf.where(present[:, :, None], rows, 0)
        padded = tf.pad(seen, [[0, 0], [(self.width - 1) // 2, self.width // 2], [0, 0]])
        windows = tf.concat([padded[:, i : i + length] for i in range(self.width)], axis=2)
        # One matrix product, which takes adapters and quantisation as any dense layer does.
        answers = self.filters(tf.reshape(windows, [-1, self.width * dim]))
        answers = tf.reshape(answers, [-1, length, answers.shape[-1]])
        # No answer is below 0, so that a position of padding never is the largest.
        largest = tf.reduce_max(tf.where(present[:, :, None], answers, 0), axis=1)
        return self.dropout(largest, training=training)
