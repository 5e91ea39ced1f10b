"""Items of a model's catalogue as requests would give them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.config import Config
from tfmtl.models.saved import CATALOGUE


class CatalogueRows:
    """The raw columns of items by key.

    Args:
        home: the model's directory.
        spec: the columns, as requests give them: `[rows]`, lists `[rows, any]`.
        config: the configuration.

    Attributes:
        key: raw column of the items' keys.
    """

    def __init__(self, home: Path, spec: Mapping[str, tf.TensorSpec], config: Config) -> None:
        self.key = config.source.log.item
        self._spec = spec
        catalogue = pq.read_table(home / CATALOGUE)
        keys = catalogue["key"].to_pylist()
        self._places = {key: place for place, key in enumerate(keys)}
        self._columns = {
            name: catalogue[f"raw/{name}"].to_pylist()
            for name in spec
            if f"raw/{name}" in catalogue.column_names
        }

    def __call__(self, keys: np.ndarray) -> dict[str, np.ndarray]:
        """Raw columns of items that were asked for; what the catalogue lacks is missing, of unknown
        keys all but the key."""
        texts = [key.decode() if isinstance(key, bytes) else str(key) for key in keys]
        places = [self._places.get(text, -1) for text in texts]
        rows = {name: self._column(name, spec, places) for name, spec in self._spec.items()}
        return {**rows, self.key: keys} if self.key in self._spec else rows

    def _column(self, name: str, spec: tf.TensorSpec, places: list[int]) -> np.ndarray:
        held = self._columns.get(name)
        values = [held[place] if held is not None and place >= 0 else None for place in places]
        if spec.shape.rank == 1:
            return np.array([_value(value, spec.dtype) for value in values], _type(spec.dtype))
        lists = [value if value is not None else [] for value in values]
        longest = spec.shape[1] or max(map(len, lists), default=0)
        filled = [
            [_value(one, spec.dtype) for one in [*row, *[None] * (longest - len(row))]]
            for row in lists
        ]
        return np.array(filled, _type(spec.dtype)).reshape(len(lists), longest)


def _value(value: object, dtype: tf.DType) -> object:
    """A value as requests give it."""
    if dtype == tf.string:
        return str("" if value is None else value).encode()
    if dtype == tf.int64:
        return int(str(value)) if value else -1
    return np.nan if value is None else value


def _type(dtype: tf.DType) -> type:
    return object if dtype == tf.string else dtype.as_numpy_dtype
