"""Strings to ids without a vocabulary."""

import keras
import tensorflow as tf


def hash_buckets(values: tf.Tensor, buckets: int, salt: str = "") -> tf.Tensor:
    """Number of each string's bucket: FarmHash of salt and string, modulo `buckets`.

    The hash is the same on every machine and in every version of TensorFlow.

    Args:
        values: strings of any shape.
        buckets: how many there are.
        salt: put before every string.

    Returns:
        int32 of the same shape, from 0 on.
    """
    salted = tf.strings.join([salt, values]) if salt else values
    return tf.cast(tf.strings.to_hash_bucket_fast(salted, buckets), tf.int32)


class HashBuckets(keras.layers.Layer):
    """Hashes strings to ids: "" is 0, all others 1 to `buckets`.

    Args:
        buckets: ids that the strings share.
        salt: two layers with different salts confuse different strings.

    Call arguments:
        values: strings of any shape.

    Returns:
        int32 ids of the same shape.

    Example:
        >>> HashBuckets(buckets=1)(tf.constant(["red", "", "blue"])).numpy()
        array([1, 0, 1], dtype=int32)
    """

    def __init__(self, buckets: int, salt: str = "", name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.buckets = buckets
        self.salt = salt

    def call(self, values: tf.Tensor) -> tf.Tensor:
        ids = 1 + hash_buckets(values, self.buckets, self.salt)
        return tf.where(tf.equal(values, ""), 0, ids)


class HashedCross(keras.layers.Layer):
    """Hashes strings that belong together to one id: 0 where one of them is "", else 1 to
    `buckets`.

    Every string is preceded by its length, so that `("ab", "c")` and `("a", "bc")` differ.

    Args:
        buckets: ids that the combinations share.
        salt: two layers with different salts confuse different combinations.

    Call arguments:
        parts: strings of one shape.

    Returns:
        int32 ids of that shape.

    Example:
        >>> HashedCross(buckets=1)(tf.constant(["red", "red"]), tf.constant(["shoe", ""])).numpy()
        array([1, 0], dtype=int32)
    """

    def __init__(self, buckets: int, salt: str = "", name: str | None = None) -> None:
        super().__init__(name=name, trainable=False)
        self.buckets = buckets
        self.salt = salt

    def call(self, *parts: tf.Tensor) -> tf.Tensor:
        lengths = [tf.strings.as_string(tf.strings.length(part)) for part in parts]
        pieces = [piece for pair in zip(lengths, parts, strict=True) for piece in pair]
        joined = tf.strings.join(pieces, separator=":")
        missing = tf.reduce_any(tf.stack([tf.equal(part, "") for part in parts]), axis=0)
        return tf.where(missing, 0, 1 + hash_buckets(joined, self.buckets, self.salt))
