"""Raw columns of the catalogue as filters and formulas need them."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from serving.served_model.tables import table
from tfmtl.preprocessing.tables import write_lines

RAW = "raw/{}"
"""Column of the catalogue that keeps a raw column of the items."""
_FILE = "item.{}.txt"
"""Name of the asset with a column's values, one a line; no vocabulary can have it."""
_NO = ("", "false", "no")
"""Texts that mean no, beside 0."""


class Texts(tf.Module):
    """A column of texts as numbers, so that no texts are compared.

    Args:
        values: text file of the column's values, one a line.
        count: number of its lines.
        codes: each item's value by its line, int32 `[items]`; `count` where it is missing.

    Attributes:
        codes: a variable of the argument's values.
        count: the argument.
    """

    def __init__(self, values: Path, count: int, codes: np.ndarray, name: str) -> None:
        super().__init__(name=name)
        self.count = count
        self.codes = tf.Variable(codes, trainable=False, name=f"codes_{name}")
        # TensorFlow refuses tables without a line.
        self._table = table(values, count, lines=True) if count else None

    def codes_of(self, values: tf.Tensor) -> tf.Tensor:
        """Codes of texts, int32 of their shape; -1 where no item has it, and of ""."""
        if self._table is None:
            return -tf.ones_like(values, tf.int32)
        return tf.cast(self._table.lookup(values), tf.int32)


def texts(catalogue: pa.Table, name: str, scratch: Path) -> Texts:
    """A column of texts.

    Args:
        catalogue: the model's catalogue.
        name: of the raw column.
        scratch: directory that is there until the SavedModel is written.

    Raises:
        ValueError: the catalogue lacks the column, or a value of it is no line of text.
    """
    column = pc.fill_null(raw_column(catalogue, name).cast(pa.string()), "")
    known = pc.unique(column)
    known = known.filter(pc.not_equal(known, ""))
    path = scratch / _FILE.format(name)
    write_lines(path, known.to_pylist(), f"column '{name}' of items")
    codes = pc.fill_null(pc.index_in(column, known), len(known))
    return Texts(path, len(known), codes.to_numpy(zero_copy_only=False).astype(np.int32), name)


def numbers(catalogue: pa.Table, name: str) -> np.ndarray:
    """A column of numbers, float32 `[items]`, NaN where missing."""
    column = raw_column(catalogue, name).cast(pa.float64())
    return pc.fill_null(column, math.nan).to_numpy(zero_copy_only=False).astype(np.float32)


def flags(catalogue: pa.Table, name: str) -> np.ndarray:
    """Whether a column is not 0, false, no or missing, bool `[items]`."""
    if not pa.types.is_string(raw_column(catalogue, name).type):
        values = numbers(catalogue, name)
        return (values != 0) & ~np.isnan(values)
    return np.array([_means_yes(text) for text in raw_column(catalogue, name).to_pylist()], bool)


def _means_yes(text: str | None) -> bool:
    text = (text or "").strip().lower()
    try:
        number = float(text)
    except ValueError:
        return text not in _NO
    return number != 0 and not math.isnan(number)


def raw_column(catalogue: pa.Table, name: str) -> pa.Array:
    """A raw column of the items.

    Raises:
        ValueError: the catalogue does not have it.
    """
    column = RAW.format(name)
    if column not in catalogue.column_names:
        raise ValueError(f"the model's catalogue has no column {column}; make the model anew")
    return catalogue[column].combine_chunks()
