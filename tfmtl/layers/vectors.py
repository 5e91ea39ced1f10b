"""Vectors that were made elsewhere."""

import keras
import tensorflow as tf


class Vectors(keras.layers.Layer):
    """Passes vectors on; one with a number that is not finite is missing, which is all zeros.

    Args:
        size: numbers of a vector.

    Call arguments:
        values: floats `[n, size]`.

    Returns:
        float32 `[n, size]`.

    Example:
        >>> Vectors(size=2)(tf.constant([[1.0, 2.0], [3.0, float("nan")]])).numpy()
        array([[1., 2.],
               [0., 0.]], dtype=float32)
    """

    def __init__(self, size: int, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.size = size

    def call(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.ensure_shape(tf.cast(values, tf.float32), [None, self.size])
        known = tf.reduce_all(tf.math.is_finite(values), axis=1, keepdims=True)
        return tf.where(known, values, 0.0)
