"""Canonical rows to the model's inputs, as a request's values become them in the served model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.catalogue import KEY, raw
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.hashing import KeyIndex
from pipelines.preprocess.record_batches import whole
from tfmtl.config import Config, Raw, RawKind
from tfmtl.preprocessing import columns

_TYPES: dict[RawKind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float32(),
    "time": pa.float64(),
    "texts": pa.list_(pa.string()),
    "numbers": pa.list_(pa.float32()),
}
_MISSING: dict[RawKind, Any] = {"text": "", "texts": [], "numbers": []}


class RowInputs:
    """Makes the model's inputs of canonical rows.

    Args:
        config: the model's configuration.
        home: the model's directory, with vocabularies and moments.
        catalogue: its items.
        names: the inputs to make.
    """

    def __init__(
        self, config: Config, home: Path, catalogue: pa.Table, names: Sequence[str]
    ) -> None:
        self._config = config
        self._names = names
        self._encoder = Encoder(Examples(config, home), home)
        self._catalogue = catalogue
        self._items = KeyIndex(whole(catalogue.column(KEY)))
        features = config.features
        self._histories = {
            name: (of, history.last)
            for history in features.history
            for name, of in history.item_inputs.items()
        }
        past = [name for h in features.history for name in h.input_names]
        self._windows = {window.name for window in features.windows}
        self._past = {*past, *self._windows}.difference(self._histories)

    @property
    def classes(self) -> dict[str, list[str]]:
        """Names of the classes by task, in the order of the predictions."""
        return self._encoder.classes

    def places(self, keys: pa.Array) -> np.ndarray:
        """Rows of the catalogue of items by key: int64 `[n]`, -1 where an item is unknown."""
        coded = Coded.of(pc.fill_null(keys, ""))
        return self._items.find(coded.values)[coded.codes]

    def __call__(self, rows: pa.RecordBatch) -> dict[str, np.ndarray]:
        """The inputs of rows.

        Args:
            rows: canonical; a column that is not there is taken from the catalogue if it is an
                item's, else as missing.

        Returns:
            `{input: [n] or [n, length]}`.
        """
        item = self._config.source.log.item
        known = item in rows.schema.names
        places = self.places(rows.column(item)) if known else np.full(rows.num_rows, -1)
        return {name: self._made(name, rows, places) for name in self._names}

    def _made(self, name: str, rows: pa.RecordBatch, places: np.ndarray) -> np.ndarray:
        if name == columns.SCENARIO:
            assert self._config.scenario
            return self._encoder.scenario(Coded.of(rows.column(self._config.scenario.column)))
        if name in self._histories:
            of, last = self._histories[name]
            texts = self._config.features.inputs[of].reads[0].kind == "text"
            values = _column(rows, name, "texts" if texts else "numbers")
            return self._encoder.of_history(of, values, last)
        if name in self._past:
            behaviours = {h.behaviour_input for h in self._config.features.history}
            kind: RawKind = "number" if name in self._windows else "numbers"
            values = _column(rows, name, "texts" if name in behaviours else kind)
            return self._encoder.of_past(name, values)
        made = self._config.features.inputs[name]
        reads = made.reads
        if made.encoded and not self._is_given(reads[0], rows):
            return self._held(name, places)
        return self._encoder.of_columns(name, [self._read(read, rows, places) for read in reads])

    def _is_given(self, read: Raw, rows: pa.RecordBatch) -> bool:
        held = raw(read.column) in self._catalogue.column_names
        return read.column in rows.schema.names or read.side != "item" or not held

    def _held(self, name: str, places: np.ndarray) -> np.ndarray:
        """Vectors of items' texts, which the catalogue has, float32 `[n, width]`."""
        known = whole(self._catalogue.column(name))
        vectors = known.flatten().to_numpy().reshape(len(known), -1)
        missing = self._encoder.of_columns(name, [pa.array([""])])
        return np.where((places < 0)[:, None], missing, vectors[places])

    def _read(self, read: Raw, rows: pa.RecordBatch, places: np.ndarray) -> pa.Array:
        if read.constant is not None:
            return _repeated(read.constant, read.kind, rows.num_rows)
        if read.column in rows.schema.names:
            return rows.column(read.column)
        if read.side == "item" and raw(read.column) in self._catalogue.column_names:
            known = whole(self._catalogue.column(raw(read.column)))
            return known.take(pa.array(places, mask=places < 0))
        return _column(rows, read.column, read.kind)


def _column(rows: pa.RecordBatch, name: str, kind: RawKind) -> pa.Array:
    """A column, missing in all rows where it is not there."""
    if name in rows.schema.names:
        return rows.column(name)
    return _repeated(_MISSING.get(kind), kind, rows.num_rows)


def _repeated(value: Any, kind: RawKind, count: int) -> pa.Array:
    # Arrow repeats no list zero times.
    return pa.repeat(pa.scalar(value, _TYPES[kind]), max(count, 1)).slice(0, count)
