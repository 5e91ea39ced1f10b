"""The catalogue inside a SavedModel: keys, and of every item what the model reads of it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from serving.served_model.catalogue_columns import raw_column
from serving.served_model.optional import defaults
from serving.served_model.sides import held_columns, held_inputs
from serving.served_model.tables import table
from tfmtl.config import Config
from tfmtl.models.catalogue import Inputs, column_array
from tfmtl.models.saved import CATALOGUE
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import write_lines

KEYS = "catalogue.keys.txt"
"""Name of the asset with the items' keys, one a line; no vocabulary can have it."""


class HeldItems(tf.Module):
    """Items by their place in the catalogue.

    Behind the last item stands one of missing values, which unknown keys are joined with.

    Args:
        keys: text file of the items' keys, one a line.
        count: number of its lines.
        inputs: what the model reads of the items, `{input: [items + 1, ...]}`.
        raw: raw columns of the items, `{column: [items + 1]}`: texts as bytes, or numbers.

    Attributes:
        count: number of items.
        columns: raw columns that are held.
    """

    def __init__(
        self,
        keys: Path,
        count: int,
        inputs: Mapping[str, np.ndarray],
        raw: Mapping[str, np.ndarray],
    ) -> None:
        super().__init__(name="items")
        self.count = count
        self.columns = frozenset(raw)
        self._inputs = {name: _variable(name, values) for name, values in inputs.items()}
        self._raw = {name: _variable(f"raw_{name}", values) for name, values in raw.items()}
        # TensorFlow refuses tables without a line.
        self._places = table(keys, count, lines=True) if count else None
        self._keys = table(keys, count, lines=False) if count else None

    def places(self, keys: tf.Tensor) -> tf.Tensor:
        """Places of items, int32 of the shape of `keys`; -1 where a key is unknown."""
        if self._places is None:
            return -tf.ones_like(keys, tf.int32)
        return tf.cast(self._places.lookup(keys), tf.int32)

    def keys(self, places: tf.Tensor) -> tf.Tensor:
        """Keys of items, strings of the shape of `places`; "" where a place is -1."""
        if self._keys is None:
            return tf.zeros_like(places, tf.string)
        return self._keys.lookup(tf.cast(places, tf.int64))

    def holds(self, name: str) -> bool:
        """Whether an input of the model is held."""
        return name in self._inputs

    def join(self, places: tf.Tensor, names: Iterable[str] | None = None) -> dict[str, tf.Tensor]:
        """What the model reads of items.

        Args:
            places: int32 of any shape; -1 gives an item of missing values.
            names: inputs of the model; all that are made of items alone where not given.

        Returns:
            `{input: tensor}` of the shape of `places`, lists of one dimension more.
        """
        held = self._held(places)
        names = self._inputs if names is None else names
        return {name: tf.gather(self._inputs[name], held) for name in names}

    def raw(self, column: str, places: tf.Tensor) -> tf.Tensor:
        """A raw column of items: strings or float32 of the shape of `places`."""
        return tf.gather(self._raw[column], self._held(places))

    def _held(self, places: tf.Tensor) -> tf.Tensor:
        return tf.where(places < 0, self.count, places)


def hold(
    config: Config,
    spec: Mapping[str, tf.TensorSpec],
    preprocessor: Preprocessor,
    home: Path,
    scratch: Path,
    encoded: Callable[[Inputs], Inputs] = dict,
) -> HeldItems:
    """Reads the catalogue of a model.

    Args:
        config: the configuration.
        spec: the model's inputs.
        preprocessor: makes them of raw values.
        home: the model's directory.
        scratch: directory that is there until the SavedModel is written.
        encoded: makes vectors of texts, which are then held in place of word pieces.

    Raises:
        ValueError: the catalogue lacks a column, or a key is no line of text.
    """
    catalogue = pq.read_table(home / CATALOGUE)
    names = held_inputs(config)
    missing = _missing(preprocessor, names)
    inputs = {
        name: np.concatenate([column_array(catalogue[name], spec[name]), missing[name]])
        for name in names
    }
    raw = {name: _raw_column(catalogue, name) for name in held_columns(config)}
    keys = catalogue["key"].to_pylist()
    if config.source.log.item in config.features.int64_columns:
        _check_numbers(keys, config.source.log.item)
    write_lines(scratch / KEYS, keys, "key of an item")
    return HeldItems(scratch / KEYS, len(catalogue), encoded(inputs), raw)


def _check_numbers(keys: list[str], column: str) -> None:
    wrong = next((key for key in keys if not _is_number(key)), None)
    if wrong is not None:
        raise ValueError(
            f"features.item '{column}': dtype is int64, and {wrong!r} is no whole number from 0 to "
            "2^63 - 1 as it is written without leading zeros; make it string"
        )


def _is_number(text: str) -> bool:
    return text.isdecimal() and str(int(text)) == text and int(text) < 2**63


def _missing(preprocessor: Preprocessor, names: list[str]) -> dict[str, np.ndarray]:
    """What the model reads of an item of missing values, `{input: [1, ...]}`."""
    spec = preprocessor.raw_spec(names)
    raw = {n: tf.constant(v, spec[n].dtype) for n, v in defaults(spec).items()}
    made = preprocessor(raw or {"": tf.zeros([1])}, names)
    return {name: values.numpy() for name, values in made.items()}


def _raw_column(catalogue: pa.Table, name: str) -> np.ndarray:
    values = raw_column(catalogue, name)
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.append(numbers, np.nan).astype(np.float32)
    return np.array([*[(text or "").encode() for text in values.to_pylist()], b""], object)


def _variable(name: str, values: np.ndarray) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)
