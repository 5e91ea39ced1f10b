"""How long ago, as ids of ranges that double."""

import keras
import tensorflow as tf

_LONGEST = 31
"""Power of two seconds, 68 years, beyond which there is one range."""
_MANTISSA, _BIAS = 23, 127
"""Bits of a float's fraction, and what is added to its exponent."""

GAP_IDS = _LONGEST + 3
"""Ids that `GapBuckets` gives: missing, below a second, and a range for each power of two."""


class GapBuckets(keras.layers.Layer):
    """Ids of the ranges [0, 1), [1, 2), [2, 4), ..., [2^31, oo) that seconds fall into.

    A second more matters an hour ago less than a minute ago, which is why ranges grow with the time
    that has passed.

    Call arguments:
        seconds: floats of any shape, NaN where missing.

    Returns:
        int32 of the same shape: 0 missing or negative, 1 below a second, 2 below two, and so on.

    Example:
        >>> GapBuckets()(tf.constant([float("nan"), 0.5, 1.0, 3.0, 3600.0])).numpy()
        array([ 0,  1,  2,  3, 13], dtype=int32)

    Reference:
        - [Zhou et al., 2018](https://arxiv.org/abs/1711.06632), ATRank: the ranges of time, which
          like the kinds of behaviour are added to the items' embeddings
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)

    def call(self, seconds: tf.Tensor) -> tf.Tensor:
        seconds = tf.cast(seconds, tf.float32)
        # The exponent of a float is the power of two below it, with nothing rounded.
        bits = tf.bitwise.right_shift(tf.bitcast(seconds, tf.int32), _MANTISSA)
        power = tf.minimum(bits - _BIAS, _LONGEST)
        # A comparison with NaN is false.
        return tf.where(seconds >= 1, power + 2, tf.cast(seconds >= 0, tf.int32))
