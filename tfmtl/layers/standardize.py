"""Numbers on a common scale."""

import keras
import tensorflow as tf


class Standardize(keras.layers.Layer):
    """Standardises numbers: `(f(x) - mean) / deviation`; what is missing becomes 0, the mean.

    Args:
        mean: mean of `f(x)` over the training rows.
        deviation: standard deviation of `f(x)`; 0 counts as 1.
        log: `f(x)` is `log(1 + x)` and negative numbers are missing; otherwise `x`.

    Call arguments:
        values: floats of any shape, NaN where missing.

    Returns:
        float32 of the same shape, never NaN. It is computed in float64, so that the result does
        not depend on how a processor rounds, on a row's place in its batch or on graph rewrites.

    Example:
        >>> Standardize(mean=10.0, deviation=5.0)(tf.constant([20.0, float("nan")])).numpy()
        array([2., 0.], dtype=float32)
    """

    def __init__(
        self, mean: float, deviation: float, log: bool = False, name: str | None = None
    ) -> None:
        super().__init__(name=name, trainable=False)
        self.mean = mean
        self.deviation = deviation or 1.0
        self.log = log

    def call(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.cast(values, tf.float32)
        missing = ~tf.math.is_finite(values)
        values = tf.cast(tf.where(missing, 0.0, values), tf.float64)
        if self.log:
            missing |= values < 0
            values = tf.math.log1p(tf.maximum(values, 0.0))
        scaled = tf.cast((values - self.mean) / self.deviation, tf.float32)
        return tf.where(missing, 0.0, scaled)
