"""Weights as a served model stores them: in full, in half the bytes, or in a quarter."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmtl.config import Storage

_LARGEST = 127
"""Of an int8, so that a number and its negative are both there."""


class Stored(tf.Module):
    """A weight that is kept in few bytes and read as float32.

    `bfloat16` keeps 8 bits of the mantissa: relative errors up to `2^-9`. `int8` keeps whole
    numbers from -127 to 127 and a float32 scale for each row,

        w = scale * q,   scale = max |w| / 127,   q = round(w / scale),

    so that errors are at most half a scale. Which numbers share a scale is told by `axis`.

    Args:
        values: the weight, float32 of any shape.
        kind: how to store it.
        axis: the dimension along which numbers share a scale: the last for the rows of a table,
            the last but one for kernels, whose columns then have scales of their own.
        name: of the variables.

    Attributes:
        values: what is stored, a variable of the weight's shape.
        scales: of int8, a variable of that shape with `axis` of size 1; else None.

    Raises:
        ValueError: a value is not finite.

    Example:
        >>> table = Stored(np.array([[1.0, -2.54], [0.0, 0.0]], np.float32), "int8")
        >>> table.gather(tf.constant([0])).numpy().round(2).tolist()
        [[1.0, -2.54]]
    """

    def __init__(
        self, values: np.ndarray, kind: Storage, axis: int = -1, name: str = "stored"
    ) -> None:
        super().__init__(name=name)
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name}: expected finite numbers to store as {kind}")
        self.kind = kind
        self.scales: tf.Variable | None = None
        if kind == "int8":
            values, scales = quantised(values, axis)
            self.scales = tf.Variable(scales, trainable=False, name=f"{name}_scales")
        dtype = {"float32": tf.float32, "bfloat16": tf.bfloat16, "int8": tf.int8}[kind]
        self.values = tf.Variable(tf.cast(values, dtype), trainable=False, name=name)

    @property
    def nbytes(self) -> int:
        """Bytes of the variables."""
        kept: Sequence[tf.Variable] = [self.values, *([] if self.scales is None else [self.scales])]
        return sum(int(np.prod(v.shape)) * v.dtype.size for v in kept)

    def gather(self, places: tf.Tensor) -> tf.Tensor:
        """Rows by place, float32 `[..., *shape of a row]`; the others are not touched."""
        rows = tf.cast(tf.gather(self.values, places), tf.float32)
        return rows if self.scales is None else rows * tf.gather(self.scales, places)

    def whole(self) -> tf.Tensor:
        """The weight, float32."""
        values = tf.cast(tf.convert_to_tensor(self.values), tf.float32)
        return values if self.scales is None else values * self.scales


def quantised(values: np.ndarray, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Int8 numbers and their scales.

    Args:
        values: float32 of any shape.
        axis: along which numbers share a scale.

    Returns:
        int8 of the same shape, and float32 scales with `axis` of size 1; 1 where all are 0.
    """
    largest = np.max(np.abs(values), axis=axis, keepdims=True, initial=0.0)
    scales = (largest / _LARGEST).astype(np.float32)
    scales[scales == 0] = 1.0  # also where so small a scale is not a float32
    return np.rint(values / scales).astype(np.int8), scales
