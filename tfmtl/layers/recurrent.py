"""Histories read item after item."""

from typing import Literal

import keras
import tensorflow as tf

from tfmtl.layers.history import HistoryEncoder


class Recurrent(HistoryEncoder):
    """Last state of a recurrent network that reads a history from the oldest item to the latest.

    A gated recurrent unit updates its state by `h_t = z * h_{t-1} + (1 - z) * h'` with
    `z = sigmoid(W_z x_t + U_z h_{t-1} + b_z)`, `r = sigmoid(W_r x_t + U_r h_{t-1} + b_r)`,
    `h' = tanh(W x_t + U (r * h_{t-1}) + b)`.

    A long short-term memory keeps a cell `c_t = f * c_{t-1} + i * g` with
    `g = tanh(W_c x_t + U_c h_{t-1} + b_c)` beside its state `h_t = o * tanh(c_t)`; the gates `i`,
    `f` and `o` are made as `z` is above.

    Padding leaves the state as it is. A state wider or narrower than an item is projected onto its
    width, linearly and without bias.

    Reference: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014,
    equations 5 to 8; Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget
    gate of Gers et al. (2000), its bias 1 at the start.

    Args:
        dim: width of an item.
        cell: `gru` or `lstm`.
        units: width of the state; `dim` where not given.
        dropout: share of an item's numbers dropped in training before they are read, the same ones
            of all items of a history.
        dtype: dtype policy.

    Call arguments:
        rows: the latest item first, `[batch, length, dim]`.
        present: bool `[batch, length]`.

    Returns:
        `[batch, dim]`.

    Example:
        >>> layer = Recurrent(4, "gru")
        >>> layer(tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool), None).shape
        TensorShape([2, 4])
    """

    def __init__(
        self,
        dim: int,
        cell: Literal["gru", "lstm"],
        units: int | None = None,
        dropout: float = 0.0,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        super().__init__(dim, dtype, name)
        options = {
            "go_backwards": True,
            "return_sequences": True,
            "use_cudnn": False,
            "dropout": dropout,
            "name": cell,
            "dtype": dtype,
        }
        self.network = (
            keras.layers.GRU(units or dim, reset_after=False, **options)
            if cell == "gru"
            else keras.layers.LSTM(units or dim, **options)
        )
        self.projection: keras.layers.Dense | None = None
        if units not in (None, dim):
            self.projection = keras.layers.Dense(
                dim, use_bias=False, name="projection", dtype=dtype
            )

    def build(self, *shapes: object) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def call(
        self,
        rows: tf.Tensor,
        present: tf.Tensor,
        candidate: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        if rows.shape[0] == 0:  # known to be so: Keras takes the cell's products for biases
            return tf.zeros([0, self.dim], self.compute_dtype)
        # Read from the oldest item on: the last state is the latest item's.
        state = self.network(rows, mask=present, training=training)[:, -1]
        return state if self.projection is None else self.projection(state)

    def states(self, rows: tf.Tensor, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        read = tf.reverse(self.network(rows, mask=present, training=training), [1])
        states = read if self.projection is None else self.projection(read)
        return tf.where(present[:, :, None], states, tf.zeros_like(states))
