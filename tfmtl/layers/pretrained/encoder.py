"""The network of a pretrained encoder, from word pieces to one vector a text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfmtl.layers.pretrained.block import Block, Norm
from tfmtl.layers.pretrained.checkpoint import open_checkpoint
from tfmtl.layers.pretrained.shape import Shape
from tfmtl.layers.pretrained.weights import weights_by_path
from tfmtl.layers.rows import rows_at

Pooling = Literal["mean", "cls"]
_ALL_MASKED = -1e9


class PretrainedEncoder(keras.layers.Layer):
    """A stack of bidirectional Transformer blocks (Devlin et al. 2019).

    Its weights are 0 until they are `assigned`, or read from a saved model.

    Args:
        shape: numbers of blocks, heads, word pieces, and so on.
        pooling: `mean` of the vectors of all pieces, [CLS] and [SEP] included, or that of [CLS],
            where a call does not say.
        dtype: dtype policy of the blocks.

    Call arguments:
        ids: word pieces, int32 `[n, length]`, 0 behind a text's end. Pieces beyond the encoder's
            positions are left out.
        pooling: as above.

    Returns:
        float32 `[n, width]`; zeros for a row without pieces.

    Example:
        >>> encoder = load_encoder(Path("all-MiniLM-L6-v2"))
        >>> encoder(tf.constant([[101, 2417, 6007, 102, 0]])).shape  # "red shoes"
        TensorShape([1, 384])
    """

    def __init__(
        self,
        shape: Shape,
        pooling: Pooling = "mean",
        dtype: str = "float32",
        name: str = "pretrained",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.shape, self._pooling = shape, pooling
        self.words = self._table("words", shape.words)
        self.words.by_row = True  # a variant reads it so, too
        self.positions = self._table("positions", shape.positions)
        with keras.name_scope(name):
            self.norm = Norm(shape.width, shape.epsilon, name="norm")
            self.blocks = [Block(shape, dtype, name=f"block_{n}") for n in range(shape.blocks)]
        self.built = True

    @property
    def width(self) -> int:
        """Width of the vectors."""
        return self.shape.width

    def _table(self, name: str, rows: int) -> keras.Variable:
        return self.add_weight(shape=(rows, self.shape.width), initializer="zeros", name=name)

    def assign(self, weights: Mapping[str, np.ndarray]) -> None:
        """Takes the weights of a checkpoint.

        Args:
            weights: `{path: values}`, as `weights_by_path` reads them.
        """
        named = {"words": self.words, "positions": self.positions, **self.norm.named("norm")}
        for number, block in enumerate(self.blocks):
            named |= block.named(f"block_{number}")
        for path, variable in named.items():
            variable.assign(weights[path])

    def call(self, ids: tf.Tensor, pooling: Pooling | None = None) -> tf.Tensor:
        ids = ids[:, : self.shape.positions]
        present = ids != 0
        rows, length = tf.unstack(tf.shape(ids))
        vectors = rows_at(self.words, ids) + self.positions.value[None, :length]
        flat = self.norm(tf.reshape(vectors, [-1, self.width]))
        masked = tf.where(present, 0.0, _ALL_MASKED)[:, None, None, :]
        for block in self.blocks:
            flat = block(flat, masked)
        vectors = tf.cast(tf.reshape(flat, [rows, length, self.width]), tf.float32)
        counted = tf.cast(present, tf.float32)
        if (pooling or self._pooling) == "cls":
            return vectors[:, 0] * counted[:, :1]
        total = tf.matmul(counted[:, None, :], vectors)[:, 0]
        return tf.math.divide_no_nan(total, tf.reduce_sum(counted, axis=1, keepdims=True))

    def compute_output_shape(self, shape: Any, **_: Any) -> tuple[Any, int]:
        return shape[0], self.width


def load_encoder(directory: Path, pooling: Pooling = "mean") -> PretrainedEncoder:
    """The encoder of a checkpoint's directory, its weights frozen.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    checkpoint = open_checkpoint(directory)
    encoder = PretrainedEncoder(checkpoint.shape, pooling)
    encoder.assign(weights_by_path(checkpoint))
    encoder.trainable = False
    return encoder
