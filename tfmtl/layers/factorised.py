"""Biased matrix factorisation of two ids."""

from typing import Any

import keras
import tensorflow as tf

from tfmtl.layers.implicit_feedback import ImplicitFeedback
from tfmtl.layers.rows import rows_at


class Factorised(keras.layers.Layer):
    """Scores a user and an item: `b_u + b_i + p_u . q_i`.

    With a head's own bias this is the biased matrix factorisation of Koren, Bell and Volinsky,
    "Matrix factorization techniques for recommender systems" (2009), known as SVD. With implicit
    feedback, `p_u` becomes `p_u + |N(u)|^(-1/2) sum_{j in N(u)} y_j`: SVD++ (Koren,
    "Factorization meets the neighborhood", KDD 2008).

    What is not known adds nothing: biases, the factors of items and those of the users' reserved
    ids start at 0, and nothing but a row of their own moves them. An item that was never rated has
    the score `b_u`, an unknown user `b_i`.

    Args:
        users: rows of the user tables, reserved ids included.
        items: rows of the item tables.
        dim: dimension of `p` and `q`.
        l2: penalty on `b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2`, and on the `|y_j|^2` of `N(u)`, a mean
            over the batch.
        pairs: pairs of a user and a rated item that implicit feedback holds; there is none where
            not given.
        reserved: rows of the user tables that stand for no user.

    Attributes:
        feedback: the implicit feedback; None where there is none.

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
        self,
        users: int,
        items: int,
        dim: int,
        l2: float = 0.0,
        pairs: int | None = None,
        reserved: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.l2 = l2
        small = keras.initializers.RandomNormal(stddev=0.05)

        def known(shape: Any, dtype: Any) -> tf.Tensor:
            return tf.where(tf.range(shape[0])[:, None] < reserved, 0.0, small(shape, dtype))

        self.user_bias = self.add_weight(shape=(users, 1), initializer="zeros", name="user_bias")
        self.item_bias = self.add_weight(shape=(items, 1), initializer="zeros", name="item_bias")
        self.user_factors = self.add_weight(
            shape=(users, dim), initializer=known, name="user_factors"
        )
        self.item_factors = self.add_weight(
            shape=(items, dim), initializer="zeros", name="item_factors"
        )
        for table in (self.user_bias, self.item_bias, self.user_factors, self.item_factors):
            table.is_table = True
        self.feedback: ImplicitFeedback | None = None
        if pairs is not None:
            self.feedback = ImplicitFeedback(users, items, dim, pairs, l2, name="feedback")
        self.built = True

    def call(self, user: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        p, b_u = rows_at(self.user_factors, user), rows_at(self.user_bias, user)[:, 0]
        q, b_i = rows_at(self.item_factors, item), rows_at(self.item_bias, item)[:, 0]
        if self.l2:
            squares = b_u**2 + b_i**2 + tf.reduce_sum(p**2 + q**2, axis=1)
            self.add_loss(self.l2 * tf.reduce_mean(squares))
        if self.feedback:
            p += self.feedback(user)
        return b_u + b_i + tf.reduce_sum(p * q, axis=1)

    def user_vectors(self, user: tf.Tensor) -> tf.Tensor:
        """`(p_u, b_u, 1)`, with implicit feedback in `p_u`: float32 `[batch, dim + 2]`. Its inner
        product with an item's vector is the score of both."""
        p, b_u = rows_at(self.user_factors, user), rows_at(self.user_bias, user)
        if self.feedback:
            p += self.feedback(user)
        return tf.concat([p, b_u, tf.ones_like(b_u)], axis=1)

    def item_vectors(self, item: tf.Tensor) -> tf.Tensor:
        """`(q_i, 1, b_i)`: float32 `[batch, dim + 2]`."""
        q, b_i = rows_at(self.item_factors, item), rows_at(self.item_bias, item)
        return tf.concat([q, tf.ones_like(b_i), b_i], axis=1)
