"""Numbers as the bins below them."""

from statistics import NormalDist

import keras
import numpy as np
import tensorflow as tf

_NARROWEST = 1e-6


class PiecewiseLinear(keras.layers.Layer):
    """Embeds a number by how much of every bin lies below it.

    With bounds `b_0 <= ... <= b_T`, `e_t = (x - b_{t-1}) / (b_t - b_{t-1})`, cut off at 0 except in
    the first bin and at 1 except in the last; the vector is `relu(W [e_1, ..., e_T] + b)`. A bin
    of no width is 0 below its bound and 1 from it on.

    Reference: Gorishniy et al., "On embeddings for numerical features in tabular deep learning",
    NeurIPS 2022, equation 1 and section 3.2.1; with the dense layer the paper's Q-LR.

    Args:
        bins: `T`.
        dim: width of the vector.
        dtype: dtype policy of the dense layer; the encoding is float32.

    Attributes:
        bounds: `b`, `[bins + 1]`; quantiles of the normal distribution between -3 and 3 until
            `adapt` sets them.

    Call arguments:
        values: float32 `[batch]`.

    Returns:
        `[batch, dim]`.

    Example:
        >>> layer = PiecewiseLinear(bins=4, dim=3)
        >>> layer.adapt(np.array([1.0, 2.0, 2.5, 7.0]))
        >>> layer(tf.constant([0.5, 1.0])).shape
        TensorShape([2, 3])
    """

    def __init__(
        self, bins: int, dim: int, dtype: str = "float32", name: str | None = None
    ) -> None:
        super().__init__(name=name, dtype="float32")
        inner = [NormalDist().inv_cdf(t / bins) for t in range(1, bins)]
        at_start = np.clip([-3.0, *inner, 3.0], -3.0, 3.0)
        self.bounds = self.add_weight(
            shape=(bins + 1,),
            initializer=keras.initializers.Constant(at_start.astype("float32")),
            trainable=False,
            name="bounds",
        )
        self.dense = keras.layers.Dense(dim, activation="relu", name="dense", dtype=dtype)

    def build(self, *shapes: object) -> None:
        """The dense layer builds itself when it is first called."""
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Sets the bounds to quantiles: `b_t` is the `t / T` quantile of the values `[n]`.

        A bin narrower than 1e-6 gets no width: a division by next to nothing is infinite.
        """
        levels = np.linspace(0.0, 1.0, self.bounds.shape[0])
        bounds = np.quantile(values, levels).astype("float32")
        for at in range(1, len(bounds)):
            if bounds[at] - bounds[at - 1] < _NARROWEST:
                bounds[at] = bounds[at - 1]
        self.bounds.assign(bounds)

    def shares(self, values: tf.Tensor) -> tf.Tensor:
        """`[e_1, ..., e_T]`, `[batch, bins]`."""
        low, high = self.bounds.value[:-1], self.bounds.value[1:]
        x = values[:, None]
        inside = tf.math.divide_no_nan(x - low, high - low)
        bins = self.bounds.shape[0] - 1
        floor = tf.constant([-np.inf] + [0.0] * (bins - 1), tf.float32)
        ceiling = tf.constant([1.0] * (bins - 1) + [np.inf], tf.float32)
        steps = tf.cast(x >= high, tf.float32)
        return tf.where(high > low, tf.clip_by_value(inside, floor, ceiling), steps)

    def call(self, values: tf.Tensor) -> tf.Tensor:
        return self.dense(self.shares(values))
