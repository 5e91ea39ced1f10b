"""Inputs that a request may leave out, and rows that are given once for all.

A default has one row: TF Serving puts it in the place of what a request lacks, and the graph
repeats it. An input that a request gives one row of is repeated likewise.
"""

from collections.abc import Collection, Mapping

import numpy as np
import tensorflow as tf


def defaults(
    spec: Mapping[str, tf.TensorSpec], required: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """What stands for inputs that a request leaves out.

    Args:
        spec: the inputs of a signature.
        required: those that a request must give.

    Returns:
        Of every other input one row that is missing: "", NaN, -1, or an empty list.
    """
    return {name: _missing(one) for name, one in spec.items() if name not in required}


def _missing(spec: tf.TensorSpec) -> np.ndarray:
    shape = [1, *(size or 0 for size in spec.shape[1:])]
    if spec.dtype == tf.string:
        return np.full(shape, b"", object)
    value = np.nan if spec.dtype.is_floating else -1
    return np.full(shape, value, spec.dtype.as_numpy_dtype)


def required(spec: Mapping[str, tf.TensorSpec], keys: Collection[str | None]) -> list[str]:
    """Inputs that a request must give: the keys among them, else the first."""
    given = [name for name in spec if name in keys]
    return given or list(spec)[:1]


def batch_of(raw: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Rows of a request: as many as every input has that has not one, int32 scalar."""
    rows = tf.stack([tf.shape(values)[0] for values in raw.values()])
    other = tf.reduce_max(tf.where(rows == 1, -1, rows))
    batch = tf.where(other < 0, 1, other)
    fits = tf.reduce_all((rows == 1) | (rows == batch))
    message = f"inputs should have one length, or 1; {', '.join(raw)} have"
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, rows], summarize=-1)]):
        return tf.identity(batch)


def repeated(raw: Mapping[str, tf.Tensor], batch: tf.Tensor) -> dict[str, tf.Tensor]:
    """Inputs of one row, repeated to the batch; the others as they are."""
    return {name: _repeated(values, batch) for name, values in raw.items()}


def _repeated(values: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    times = tf.where(tf.shape(values)[0] == 1, batch, 1)
    # Tile hands its input on where every multiple is 1.
    tiled = tf.tile(values, [times, *[1] * (values.shape.rank - 1)])
    tiled.set_shape([None, *values.shape[1:]])
    return tiled
