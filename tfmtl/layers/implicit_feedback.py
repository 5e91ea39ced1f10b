"""What a user has rated, whatever the ratings: the second half of SVD++."""

import keras
import numpy as np
import tensorflow as tf

from tfmtl.layers.rows import rows_at


class ImplicitFeedback(keras.layers.Layer):
    """Adds up what it says of a user to have rated some items: `|N(u)|^(-1/2) sum_{j in N(u)} y_j`.

    `N(u)`, the items that a user has rated in training, is held as a ragged table, so that a saved
    or served model knows it. It is empty for users without a rating, whose vector is 0. A user is
    added up once a batch, however many of its rows the batch has.

    Reference: Koren, "Factorization meets the neighborhood: a multifaceted collaborative filtering
    model", KDD 2008, equation 15.

    Args:
        users: rows of the user tables.
        items: rows of the item tables.
        dim: dimension of `y`.
        pairs: pairs of a user and a rated item.
        l2: penalty on `sum_{j in N(u)} |y_j|^2`, a mean over the batch.

    Call arguments:
        user: int32 `[batch]`.

    Returns:
        float32 `[batch, dim]`.

    Example:
        >>> feedback = ImplicitFeedback(users=4, items=9, dim=2, pairs=3)
        >>> feedback.assign_pairs(np.array([2, 2, 3]), np.array([5, 7, 5]))
        >>> feedback(tf.constant([2, 3, 1])).shape
        TensorShape([3, 2])
    """

    def __init__(
        self,
        users: int,
        items: int,
        dim: int,
        pairs: int,
        l2: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.l2 = l2
        self.factors = self.add_weight(shape=(items, dim), initializer="zeros", name="factors")
        self.factors.is_table = True
        held = {"initializer": "zeros", "dtype": "int32", "trainable": False}
        self.rated = self.add_weight(shape=(pairs,), name="rated", **held)
        self.ends = self.add_weight(shape=(users,), name="ends", **held)
        self.built = True

    def assign_pairs(self, users: np.ndarray, items: np.ndarray) -> None:
        """Sets what users have rated, by different pairs of ids: int `[pairs]` each.

        Raises:
            ValueError: there are more or fewer pairs than the layer was made for.
        """
        if len(users) != len(items) or len(users) != self.rated.shape[0]:
            raise ValueError(
                f"`users` and `items` should have {self.rated.shape[0]} ids each. "
                f"Received: {len(users)} and {len(items)}"
            )
        order = np.lexsort([items, users])
        self.rated.assign(items[order])
        self.ends.assign(np.cumsum(np.bincount(users, minlength=self.ends.shape[0])))

    def call(self, user: tf.Tensor) -> tf.Tensor:
        users, place, rows = tf.unique_with_counts(user)
        ends = tf.gather(self.ends.value, users)
        starts = tf.where(users > 0, tf.gather(self.ends.value, tf.maximum(users - 1, 0)), 0)
        sizes = ends - starts
        owner = tf.repeat(tf.range(tf.size(users)), sizes)
        offset = tf.range(tf.size(owner)) - tf.repeat(tf.cumsum(sizes, exclusive=True), sizes)
        rated = tf.gather(self.rated.value, tf.repeat(starts, sizes) + offset)
        y = rows_at(self.factors, rated)
        if self.l2:
            times = tf.cast(tf.gather(rows, owner), tf.float32)
            penalty = tf.reduce_sum(times * tf.reduce_sum(y**2, axis=1))
            batch = tf.cast(tf.size(user), tf.float32)
            self.add_loss(self.l2 * tf.math.divide_no_nan(penalty, batch))
        total = tf.math.unsorted_segment_sum(y, owner, tf.size(users))
        root = tf.sqrt(tf.cast(tf.maximum(sizes, 1), tf.float32))
        return tf.gather(total / root[:, None], place)
