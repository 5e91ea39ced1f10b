"""How much two vectors resemble one another."""

import tensorflow as tf


def products(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The element-wise product of two vectors of length 1, whose sum is their cosine.

    Args:
        one: float32 `[batch, dim]`.
        other: as many.

    Returns:
        float32 `[batch, dim]`, 0 where one of the vectors is zero.
    """
    return tf.math.l2_normalize(one, axis=1) * tf.math.l2_normalize(other, axis=1)


def resemblance(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The cosine of two vectors, 0 where one of them is zero.

    Args:
        one: float32 `[batch, dim]`.
        other: as many.

    Returns:
        float32 `[batch, 1]`.

    Example:
        >>> resemblance(tf.constant([[3.0, 4.0]]), tf.constant([[0.0, 2.0]])).numpy()
        array([[0.8]], dtype=float32)
    """
    return tf.reduce_sum(products(one, other), axis=1, keepdims=True)
