"""Rates on a common scale."""

import keras
import tensorflow as tf

from tfmtl.config.windows import LEAST_RATE


class StandardizeLogOdds(keras.layers.Layer):
    """Standardises rates: `(log(p / (1 - p)) - mean) / deviation`; what is missing becomes 0.

    On the scale of log odds, 1 % and 2 % are as far apart as 0.1 % and 0.2 %, nearly, and a
    logistic model adds to what the rate tells.

    Args:
        mean: mean of the log odds over the training rows.
        deviation: their standard deviation; 0 counts as 1.

    Call arguments:
        values: rates of any shape, moved to [1e-6, 1 - 1e-6]; NaN, or no rate at all, is missing.

    Returns:
        float32 of the same shape, never NaN. It is computed in float64, so that the result does
        not depend on how a processor rounds, on a row's place in its batch or on graph rewrites.

    Example:
        >>> StandardizeLogOdds(mean=0.0, deviation=2.0)(tf.constant([0.5, float("nan")])).numpy()
        array([0., 0.], dtype=float32)
    """

    def __init__(self, mean: float, deviation: float, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.mean = mean
        self.deviation = deviation or 1.0

    def call(self, values: tf.Tensor) -> tf.Tensor:
        values = tf.cast(values, tf.float64)
        known = (values >= 0) & (values <= 1)
        rates = tf.clip_by_value(tf.where(known, values, 0.5), LEAST_RATE, 1 - LEAST_RATE)
        scaled = (tf.math.log(rates) - tf.math.log1p(-rates) - self.mean) / self.deviation
        return tf.where(known, tf.cast(scaled, tf.float32), 0.0)
