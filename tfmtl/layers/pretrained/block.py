"""A block of a pretrained encoder: attention, then a feed-forward half (Vaswani et al. 2017)."""

import math
from typing import Any

import keras
import tensorflow as tf

from tfmtl.layers.pretrained.shape import Shape


class Norm(keras.layers.Layer):
    """Layer norm (Ba et al. 2016), `scale (x - mean) / sqrt(variance + epsilon) + shift`, computed
    in float32 as one product and one sum.

    Args:
        width: of the vectors.
        epsilon: added to the variance.

    Call arguments:
        values: `[n, width]`.

    Returns:
        `[n, width]` of the same type.
    """

    def __init__(self, width: int, epsilon: float, name: str) -> None:
        super().__init__(name=name, dtype="float32", autocast=False)
        self._epsilon = epsilon
        self.scale = self.add_weight(shape=(width,), initializer="zeros", name="scale")
        self.shift = self.add_weight(shape=(width,), initializer="zeros", name="shift")
        self.built = True

    def named(self, path: str) -> dict[str, keras.Variable]:
        """The variables by their paths."""
        return {f"{path}/scale": self.scale, f"{path}/shift": self.shift}

    def call(self, values: tf.Tensor) -> tf.Tensor:
        numbers = tf.cast(values, tf.float32)
        mean, variance = tf.nn.moments(numbers, [-1], keepdims=True)
        factor = tf.math.rsqrt(variance + self._epsilon) * self.scale.value
        return tf.cast(numbers * factor + (self.shift.value - mean * factor), values.dtype)


class Block(keras.layers.Layer):
    """Self-attention and a feed-forward half, a layer norm behind each.

    Vectors of all texts lie in one matrix, so that dense layers are plain matrix products.

    Args:
        shape: of the network.
        dtype: dtype policy.

    Call arguments:
        flat: `[n * length, width]`.
        masked: added to the attention's logits, float32 `[n, 1, 1, length]`.

    Returns:
        As `flat`.
    """

    def __init__(self, shape: Shape, dtype: str, name: str) -> None:
        super().__init__(name=name, dtype=dtype, autocast=False)
        self._heads, self._size = shape.heads, shape.width // shape.heads
        self._activation = shape.activation
        with keras.name_scope(name):
            self.query = self._dense(shape.width, shape.width, "query")
            self.key = self._dense(shape.width, shape.width, "key")
            self.value = self._dense(shape.width, shape.width, "value")
            self.attended = self._dense(shape.width, shape.width, "attended")
            self.attention_norm = Norm(shape.width, shape.epsilon, "attention_norm")
            self.inner = self._dense(shape.width, shape.inner, "inner")
            self.outer = self._dense(shape.inner, shape.width, "outer")
            self.norm = Norm(shape.width, shape.epsilon, "norm")
        self.built = True

    def _dense(self, inputs: int, outputs: int, name: str) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            outputs, kernel_initializer="zeros", name=name, dtype=self.dtype_policy
        )
        layer.build((None, inputs))
        return layer

    def named(self, path: str) -> dict[str, keras.Variable]:
        """The variables by their paths."""
        found: dict[str, keras.Variable] = {}
        for part in ("query", "key", "value", "attended", "inner", "outer"):
            layer = getattr(self, part)
            found |= {f"{path}/{part}/kernel": layer.kernel, f"{path}/{part}/bias": layer.bias}
        for part in ("attention_norm", "norm"):
            found |= getattr(self, part).named(f"{path}/{part}")
        return found

    def call(self, flat: tf.Tensor, masked: tf.Tensor) -> tf.Tensor:
        flat = tf.cast(flat, self.compute_dtype)
        rows, length = tf.shape(masked)[0], tf.shape(masked)[3]
        divided = [rows, length, self._heads, self._size]
        query, key, value = (
            tf.transpose(tf.reshape(layer(flat), divided), [0, 2, 1, 3])
            for layer in (self.query, self.key, self.value)
        )
        logits = tf.matmul(query / math.sqrt(self._size), key, transpose_b=True)
        weights = tf.nn.softmax(logits + tf.cast(masked, logits.dtype))
        found = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        joined = tf.reshape(found, [-1, self._heads * self._size])
        flat = self.attention_norm(flat + self.attended(joined))
        inner = self._activated(self.inner(flat))
        return self.norm(flat + self.outer(inner))

    def _activated(self, values: tf.Tensor) -> tf.Tensor:
        if self._activation == "relu":
            return tf.nn.relu(values)
        return tf.nn.gelu(values, approximate=self._activation != "gelu")

    def compute_output_shape(self, flat: Any, masked: Any) -> Any:
        return flat
