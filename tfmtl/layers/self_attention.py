"""Histories whose items look at those before them."""

from typing import Literal

import keras
import tensorflow as tf

from tfmtl.layers.history import HistoryEncoder

FORBIDDEN = -1e9
"""What is added to the attention logit of an item that must not be looked at."""


class SelfAttentionBlock(keras.layers.Layer):
    """Self-attention, then a point-wise feed-forward network, each as
    `x + dropout(g(layer_norm(x)))`.

    `softmax(Q K^T / sqrt(d)) V` with `Q = x W^Q`, `K = x W^K`, `V = x W^V`, then
    `relu(x W_1 + b_1) W_2 + b_2`.

    Args:
        dim: width of the items and of both networks.
        heads: parts that attend separately, each `dim / heads` wide.
        dropout: share of the activations dropped in training.
        dtype: dtype policy of its dense layers and products; logits, softmax, normalisation and
            sums are float32.

    Call arguments:
        items: float32 `[batch, length, dim]`.
        barrier: float32 `[batch, queries, length]`: what is added to the logits, 0 where one of the
            first `queries` items may look at another.

    Returns:
        `[batch, queries, dim]`.
    """

    def __init__(self, dim: int, heads: int, dropout: float, dtype: str, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.dim, self.heads, self.width = dim, heads, dim // heads
        self.query, self.key, self.value = (
            keras.layers.Dense(dim, use_bias=False, name=part, dtype=dtype)
            for part in ("query", "key", "value")
        )
        self.inner = keras.layers.Dense(dim, activation="relu", name="inner", dtype=dtype)
        self.outer = keras.layers.Dense(dim, name="outer", dtype=dtype)
        self.norms = [
            keras.layers.LayerNormalization(name=f"norm_{i}", dtype="float32") for i in range(2)
        ]
        self.dropout = keras.layers.Dropout(dropout, dtype=dtype)

    def build(self, *shapes: object) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def call(self, items: tf.Tensor, barrier: tf.Tensor, training: bool = False) -> tf.Tensor:
        queries = barrier.shape[1]
        normed = self.norms[0](items)
        x = self._flat(items[:, :queries])
        seen = self._attend(normed[:, :queries], normed, barrier)
        x += tf.cast(self.dropout(seen, training=training), tf.float32)
        change = self.outer(self.inner(self.norms[1](x)))
        x += tf.cast(self.dropout(change, training=training), tf.float32)
        return tf.reshape(x, [-1, queries, self.dim])

    def _attend(self, asking: tf.Tensor, asked: tf.Tensor, barrier: tf.Tensor) -> tf.Tensor:
        query = self._heads(self.query(self._flat(asking) * self.width**-0.5), asking.shape[1])
        key, value = (
            self._heads(layer(self._flat(asked)), asked.shape[1])
            for layer in (self.key, self.value)
        )
        logits = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)
        shares = tf.nn.softmax(logits + barrier[:, None])
        seen = tf.matmul(tf.cast(shares, value.dtype), value)
        return self._flat(tf.transpose(seen, [0, 2, 1, 3]))

    def _flat(self, x: tf.Tensor) -> tf.Tensor:
        """All rows' items one below the other, which makes dense layers one matrix product."""
        return tf.reshape(x, [-1, self.dim])

    def _heads(self, x: tf.Tensor, length: int) -> tf.Tensor:
        parts = tf.reshape(x, [-1, length, self.heads, self.width])
        return tf.transpose(parts, [0, 2, 1, 3])


class SelfAttention(HistoryEncoder):
    """Causal self-attention over a history; the vector is that of the latest item's position.

    Items get a learnt embedding of their position, counted from the latest, and pass through
    blocks in which every item looks at itself and those before it. Of the last block only the
    latest position is computed, as no other is read.

    Reference: Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018, equations 1
    to 5 and section III.B. Several heads are an option which the paper reports as no gain. Their
    published code also scales the embeddings by `sqrt(d)` and normalises the last block's output,
    which the paper's equations do not; `variant` says which.

    Args:
        dim: width of an item.
        length: longest history.
        blocks: number of blocks.
        heads: heads of every block; they divide `dim`.
        dropout: share of the activations dropped in training.
        variant: `paper`, or `code` for what the authors' program does beyond it.
        dtype: dtype policy of its dense layers and products; logits, softmax, normalisation and
            sums are float32.

    Call arguments:
        rows: the latest item first, `[batch, at most length, dim]`.
        present: bool `[batch, at most length]`.

    Returns:
        `[batch, dim]`.

    Example:
        >>> layer = SelfAttention(4, length=3)
        >>> layer(tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool), None).shape
        TensorShape([2, 4])
    """

    def __init__(
        self,
        dim: int,
        length: int,
        blocks: int = 2,
        heads: int = 1,
        dropout: float = 0.0,
        variant: Literal["paper", "code"] = "paper",
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        super().__init__(dim, "float32", name)
        if blocks < 1 or heads < 1 or dim % heads:
            raise ValueError(
                "self-attention needs at least one block, and heads that divide the width. "
                f"Received: blocks={blocks}, heads={heads}, dim={dim}"
            )
        self.positions = self.add_weight(
            shape=(length, dim),
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
            name="positions",
        )
        self.blocks = [
            SelfAttentionBlock(dim, heads, dropout, dtype, name=f"block_{i}") for i in range(blocks)
        ]
        self.dropout = keras.layers.Dropout(dropout, dtype="float32")
        self.scale, self.norm = 1.0, tf.identity
        if variant == "code":
            self.scale = dim**0.5
            self.norm = keras.layers.LayerNormalization(name="norm", dtype="float32")

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
        items, barrier = self._placed(rows, present, training)
        for block in self.blocks[:-1]:
            items = block(items, barrier=barrier, training=training)
        latest = self.blocks[-1](items, barrier=barrier[:, :1], training=training)[:, 0]
        return tf.where(tf.reduce_any(present, axis=1, keepdims=True), self.norm(latest), 0.0)

    def states(self, rows: tf.Tensor, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        items, barrier = self._placed(rows, present, training)
        for block in self.blocks:
            items = block(items, barrier=barrier, training=training)
        return tf.where(present[:, :, None], self.norm(items), 0.0)

    def _placed(
        self, rows: tf.Tensor, present: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Items with their positions, and which may look at which."""
        length = rows.shape[1]
        items = self.dropout(self.scale * rows + self.positions[:length], training=training)
        not_later = tf.range(length)[None, :] >= tf.range(length)[:, None]
        return items, tf.where(not_later[None] & present[:, None, :], 0.0, FORBIDDEN)
