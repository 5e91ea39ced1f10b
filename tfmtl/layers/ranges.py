"""Numbers to ids, by the range they are in."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


class Ranges(keras.layers.Layer):
    """Numbers each number's range: missing is 0, below the first boundary 1, and so on.

    Args:
        boundaries: first numbers of all ranges but the first, ascending; compared in float32.

    Call arguments:
        values: floats of any shape, missing where they are not finite.

    Returns:
        int32 ids of the same shape, 0 to `len(boundaries) + 1`.

    Example:
        >>> Ranges([10.0, 50.0])(tf.constant([9.5, 10.0, 99.0, float("nan")])).numpy()
        array([1, 2, 3, 0], dtype=int32)
    """

    def __init__(self, boundaries: Sequence[float], name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.boundaries = np.asarray(boundaries, np.float32)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.cast(values, tf.float32)
        known = tf.math.is_finite(values)
        flat = tf.reshape(tf.where(known, values, 0.0), [-1])
        places = tf.searchsorted(tf.constant(self.boundaries), flat, side="right")
        return tf.where(known, 1 + tf.reshape(places, tf.shape(values)), 0)
