"""Lists of any length to lists of one length."""

import keras
import tensorflow as tf


def fitted(values: tf.Tensor, length: int) -> tf.Tensor:
    """The first `length` values of each row, followed by what is missing, "" or NaN: `[n, k]` to
    `[n, length]`."""
    kept = values[:, :length]
    padding = [[0, 0], [0, length - tf.shape(kept)[1]]]
    missing = "" if values.dtype == tf.string else float("nan")
    return tf.ensure_shape(tf.pad(kept, padding, constant_values=missing), [None, length])


class Weights(keras.layers.Layer):
    """Weights of a bag's values: one that is no finite number is 1, a negative one 0.

    Call arguments:
        values: floats of any shape.

    Returns:
        float32 of the same shape.

    Example:
        >>> Weights()(tf.constant([[0.5, float("nan"), -1.0]])).numpy()
        array([[0.5, 1. , 0. ]], dtype=float32)
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.cast(values, tf.float32)
        return tf.where(tf.math.is_finite(values), tf.maximum(values, 0.0), 1.0)
