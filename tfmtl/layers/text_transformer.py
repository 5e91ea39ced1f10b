"""Texts whose tokens all look at each other."""

import keras
import tensorflow as tf

from tfmtl.layers.pooling import mean_pooling
from tfmtl.layers.self_attention import FORBIDDEN, SelfAttentionBlock


class TextTransformer(keras.layers.Layer):
    """Self-attention among all tokens of a text, and the mean of what they become.

    Tokens get a learnt embedding of their position and pass through blocks of attention and
    feed-forward networks, normalised before each and once more behind the last. Padding is neither
    looked at nor counted; a text of nothing else gives zeros.

    Reference: Vaswani et al., "Attention is all you need", 2017, the encoder; with the norms before
    each half (Xiong et al., "On layer normalization in the transformer architecture", 2020), which
    learns without a warm-up, and feed-forward halves as wide as the tokens, not four times.

    Args:
        dim: width of the tokens and of the vector.
        length: most tokens of a text.
        blocks: number of blocks.
        heads: heads of every block; they divide `dim`.
        dropout: share of the activations dropped in training.
        dtype: dtype policy of its dense layers and products; logits, softmax, normalisation and
            sums are float32.

    Call arguments:
        rows: token embeddings, `[batch, length, dim]`.
        present: bool `[batch, length]`, false where padded.
        training: whether dropout is on.

    Returns:
        float32 `[batch, dim]`.

    Example:
        >>> layer = TextTransformer(4, length=3)
        >>> layer(tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)).shape
        TensorShape([2, 4])
    """

    def __init__(
        self,
        dim: int,
        length: int,
        blocks: int = 2,
        heads: int = 2,
        dropout: float = 0.0,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32")
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
        self.norm = keras.layers.LayerNormalization(name="norm", dtype="float32")
        self.dropout = keras.layers.Dropout(dropout, dtype="float32")

    def build(self, *shapes: object) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def call(self, rows: tf.Tensor, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        length = rows.shape[1]
        tokens = self.dropout(rows + self.positions[:length], training=training)
        barrier = tf.where(present, 0.0, FORBIDDEN)[:, None] + tf.zeros([length, 1])
        for block in self.blocks:
            tokens = block(tokens, barrier=barrier, training=training)
        return mean_pooling(self.norm(tokens), tf.cast(present, tf.int32))
