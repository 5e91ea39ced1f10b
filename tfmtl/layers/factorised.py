"""Biased matrix factorisation of two ids."""

import keras
import tensorflow as tf

from tfmtl.layers.rows import rows_at


class Factorised(keras.layers.Layer):
    """Scores a user and an item: `b_u + b_i + p_u . q_i`.

    With a head's own bias this is the biased matrix factorisation of Koren, Bell and Volinsky,
    "Matrix factorization techniques for recommender systems" (2009).

    Args:
        users: rows of the user tables, reserved ids included.
        items: rows of the item tables.
        dim: dimension of `p` and `q`.
        l2: penalty on `b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2`, a mean over the batch.

    Call arguments:
        user: int32 `[batch]`.
        item: int32 `[batch]`.

    Returns:
        float32 scores, `[batch]`.

    Example:
        >>> Factorised(users=10, items=20, dim=4)(tf.constant([2]), tf.constant([3])).shape
        TensorShape([1])
    """

    def __init__(
        self, users: int, items: int, dim: int, l2: float = 0.0, name: str | None = None
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.l2 = l2
        small = keras.initializers.RandomNormal(stddev=0.05)
        self.user_bias = self.add_weight(shape=(users, 1), initializer="zeros", name="user_bias")
        self.item_bias = self.add_weight(shape=(items, 1), initializer="zeros", name="item_bias")
        self.user_factors = self.add_weight(
            shape=(users, dim), initializer=small, name="user_factors"
        )
        self.item_factors = self.add_weight(
            shape=(items, dim), initializer=small, name="item_factors"
        )
        for table in (self.user_bias, self.item_bias, self.user_factors, self.item_factors):
            table.is_table = True
        self.built = True

    def call(self, user: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        p = rows_at(self.user_factors, user)
        q = rows_at(self.item_factors, item)
        b_u = rows_at(self.user_bias, user)[:, 0]
        b_i = rows_at(self.item_bias, item)[:, 0]
        if self.l2:
            squares = b_u**2 + b_i**2 + tf.reduce_sum(p**2 + q**2, axis=1)
            self.add_loss(self.l2 * tf.reduce_mean(squares))
        return b_u + b_i + tf.reduce_sum(p * q, axis=1)
