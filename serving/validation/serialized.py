"""Rows of raw columns as serialized tf.Examples."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


def serialized(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows as tf.Examples.

    Args:
        rows: raw columns as requests have them, `[n]`, lists `[n, k]`: texts, float32 numbers,
            float64 times, which become whole seconds, and int64 ids.

    Returns:
        Serialized Examples, bytes `[n]`. What is missing is left out of them.
    """
    count = len(next(iter(rows.values())))
    examples = [tf.train.Example() for _ in range(count)]
    for name, values in rows.items():
        for row, example in enumerate(examples):
            given = values[row : row + 1].ravel()
            if values.ndim == 1 and values.dtype.kind == "O":
                given = given[given != b""]
            if given.size:
                _fill(example.features.feature[name], given)
    return np.array([one.SerializeToString(deterministic=True) for one in examples], object)


def _fill(feature: tf.train.Feature, values: np.ndarray) -> None:
    if values.dtype.kind == "O":
        feature.bytes_list.value.extend(values)
    elif values.dtype == np.float32:
        feature.float_list.value.extend(values)
    elif np.isfinite(values).all():
        feature.int64_list.value.extend(int(value) for value in values)
