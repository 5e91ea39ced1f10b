"""The items of a history that have to do with the candidate."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmtl.layers.history import HistoryEncoder


class TargetAttention(HistoryEncoder):
    """Sum of a history's items, weighted by an activation unit that compares each with the
    candidate: the local activation of the Deep Interest Network.

    With items `e_1 ... e_H` and candidate `v`: `sum_j a(e_j, v) e_j`, where the unit
    `a(e, v) = w . f(W [e; v; e * v] + b) + c` is a small network with PReLU. The weights are not
    normalised: their sum says how strong the interest is.

    Reference: Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018,
    equation 3 and figure 2. Of the paper's two activations it is PReLU, whose answer for a row
    does not depend on other rows, and not Dice. Their published code also feeds `v - e`, which
    adds nothing to a linear layer of `e` and `v`, and normalises by softmax, which the paper
    argues against.

    The first layer is computed as `(W_e + W_p diag(v)) e + W_v v + b`, which spares writing
    `[e; v; e * v]` for every item.

    Args:
        dim: width of an item.
        units: hidden widths of the activation unit.
        dtype: dtype policy; weights of the items are float32.

    Call arguments:
        rows: `[batch, length, dim]`.
        present: bool `[batch, length]`.
        candidate: `[batch, dim]`.

    Returns:
        `[batch, dim]`.

    Example:
        >>> layer = TargetAttention(4, units=[8])
        >>> layer(tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool), tf.ones([2, 4])).shape
        TensorShape([2, 4])
    """

    reads_candidate = True

    def __init__(
        self,
        dim: int,
        units: Sequence[int] = (36,),
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        super().__init__(dim, dtype, name)
        if not units:
            raise ValueError("an activation unit needs a hidden layer. Received: units=[]")
        self.kernel = self.add_weight(shape=(3 * dim, units[0]), name="kernel")
        self.bias = self.add_weight(shape=(units[0],), initializer="zeros", name="bias")
        self.activations = [
            keras.layers.PReLU(
                alpha_initializer=keras.initializers.Constant(0.25),
                name=f"prelu_{i}",
                dtype=dtype,
            )
            for i in range(len(units))
        ]
        self.hidden = [
            keras.layers.Dense(width, name=f"dense_{i}", dtype=dtype)
            for i, width in enumerate(units[1:], 1)
        ]
        self.output_layer = keras.layers.Dense(1, name="weight", dtype="float32")

    def build(self, *shapes: object) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def weights_of(self, rows: tf.Tensor, present: tf.Tensor, candidate: tf.Tensor) -> tf.Tensor:
        """Weights of the items, `[batch, length]`, in float32; 0 where padded."""
        of_item, of_candidate, of_product = tf.split(tf.cast(self.kernel, rows.dtype), 3)
        of_both = of_item + candidate[:, :, None] * of_product
        shift = tf.matmul(candidate, of_candidate) + tf.cast(self.bias, rows.dtype)
        first = tf.matmul(rows, of_both) + shift[:, None, :]
        hidden = self.activations[0](tf.reshape(first, [-1, first.shape[-1]]))
        for layer, activation in zip(self.hidden, self.activations[1:], strict=True):
            hidden = activation(layer(hidden))
        weights = self.output_layer(tf.cast(hidden, tf.float32))
        return tf.where(present, tf.reshape(weights, tf.shape(present)), 0.0)

    def call(
        self,
        rows: tf.Tensor,
        present: tf.Tensor,
        candidate: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        weights = tf.cast(self.weights_of(rows, present, candidate), rows.dtype)
        return tf.matmul(weights[:, None, :], rows)[:, 0]
