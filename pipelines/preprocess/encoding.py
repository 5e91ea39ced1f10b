"""Applies the model's own preprocessing to batches of the log: every different text only once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.sides import View
from tfmtl.config import Raw

if TYPE_CHECKING:
    from pipelines.texts.numbered import NumberedTexts

_NAN = np.float32("nan")


class Encoder:
    """Makes the model's inputs out of raw columns with a `Preprocessor`.

    Args:
        examples: the examples.
        statistics: directory with vocabularies and moments.
        texts: the texts that are numbered; such an input is the number of its text then, and its
            vector where this is not given.
    """

    def __init__(
        self, examples: Examples, statistics: Path, texts: "NumberedTexts | None" = None
    ) -> None:
        import tensorflow as tf

        from tfmtl.preprocessing.preprocessor import Preprocessor

        self._tensor = tf.constant
        self._examples = examples
        self._inputs = examples.config.features.inputs
        self._preprocessor = Preprocessor(examples.config, statistics)
        self._side_ids: dict[str, np.ndarray] = {}
        self._texts = texts

    @property
    def classes(self) -> dict[str, list[str]]:
        """Names of the classes by task, in the order of their numbers."""
        return self._preprocessor.classes

    def of_view(self, name: str, view: View) -> np.ndarray:
        """An input of a batch: float32 or int32, `[n]` or `[n, length]`."""
        reads = self._inputs[name].reads
        tables = [self._examples.table_of(raw.side, raw.column) for raw in reads]
        if [raw.kind for raw in reads] == ["text"]:
            return self._of_text(name, tables[0], view.text(tables[0], reads[0].column))
        raws = [
            view.text(table, raw.column)
            if raw.kind == "text"
            else _plain(view.array(table, raw.column), raw)
            for table, raw in zip(tables, reads, strict=True)
        ]
        return self._made(name, raws)

    def of_columns(self, name: str, columns: Sequence[pa.Array]) -> np.ndarray:
        """An input made of canonical columns, one for each that it reads, all of `n` rows."""
        raws = [
            Coded.of(pc.fill_null(column, "")) if raw.kind == "text" else _plain(column, raw)
            for column, raw in zip(columns, self._inputs[name].reads, strict=True)
        ]
        return self._made(name, raws)

    def of_history(self, feature: str, values: pa.ListArray, length: int) -> np.ndarray:
        """A history's input: an item feature's values, the latest first, as ids `[n, length]`."""
        layer = self._layer(feature)
        if not pa.types.is_string(values.type.value_type):
            numbers = _padded(values.flatten().to_numpy(False), _sizes(values), length, _NAN)
            return layer(self._tensor(numbers)).numpy()
        coded = Coded.of(values.flatten())
        ids = layer(self._strings(coded.values)).numpy()
        return _padded(ids[coded.codes], _sizes(values), length, np.int32(0))

    def of_past(self, name: str, values: pa.Array) -> np.ndarray:
        """An input of what was before that is no item, made as for a request: of gaps and
        behaviours, which are lists, and of counts and rates, null where missing."""
        if not pa.types.is_list(values.type):
            tensor = self._tensor(pc.fill_null(values, np.nan).to_numpy(False))
        elif pa.types.is_string(values.type.value_type):
            coded = Coded.of(values.flatten())
            texts = np.append(coded.values.cast(pa.binary()).to_numpy(False), [b""])
            codes = _padded(coded.codes, _sizes(values), _longest(values), np.int32(-1))
            tensor = self._tensor(texts[codes], dtype="string")
        else:
            flat = values.flatten().to_numpy(False)
            tensor = self._tensor(_padded(flat, _sizes(values), _longest(values), _NAN))
        return self._preprocessor({name: tensor}, [name])[name].numpy()

    def scenario(self, values: Coded) -> np.ndarray:
        """Ids of scenarios: int32 `[n]`."""
        return self._preprocessor.scenario(self._strings(values.values)).numpy()[values.codes]

    def _of_text(self, name: str, table: str, coded: Coded) -> np.ndarray:
        """An input of one text; the texts of a side table are the same in every batch."""
        if table == "log":
            return self._made(name, [coded])
        if name not in self._side_ids:
            self._side_ids[name] = self._of_different(name, coded.values)
        return self._side_ids[name][coded.codes]

    def _of_different(self, name: str, values: pa.Array) -> np.ndarray:
        """An input of different texts, `[n]` or `[n, length]`."""
        if not self._inputs[name].encoded:
            return self._layer(name)(self._strings(values)).numpy()
        if self._texts is not None:
            return self._texts.numbers(name, values)
        return self._layer(name).vectors(values.to_pylist())

    def _made(self, name: str, raws: Sequence[Coded | np.ndarray | pa.ListArray]) -> np.ndarray:
        layer = self._layer(name)
        if len(raws) > 1:
            return self._together(layer, [r if isinstance(r, Coded) else _coded(r) for r in raws])
        raw = raws[0]
        if isinstance(raw, np.ndarray):
            return layer(self._tensor(raw)).numpy()
        if isinstance(raw, Coded):
            return self._of_different(name, raw.values)[raw.codes]
        length = self._inputs[name].length
        assert length is not None, name
        if not pa.types.is_string(raw.type.value_type):
            numbers = _padded(raw.flatten().to_numpy(False), _sizes(raw), length, _NAN)
            return layer(self._tensor(numbers)).numpy()
        coded = Coded.of(raw.flatten())
        ids = layer.values(self._strings(coded.values)).numpy()
        return _padded(ids[coded.codes], _sizes(raw), length, np.int32(0))

    def _together(self, layer: Any, parts: Sequence[Coded]) -> np.ndarray:
        """An input of several columns, made once of each combination that occurs."""
        codes = parts[0].codes.astype(np.int64)
        for part in parts[1:]:
            pairs = pa.array(codes * len(part.values) + part.codes).dictionary_encode()
            codes = pairs.indices.to_numpy().astype(np.int64)
        rows = np.zeros(codes.max(initial=-1) + 1, np.int64)
        rows[codes] = np.arange(len(codes))  # one row of each combination, whichever
        values = [part.values.take(pa.array(part.codes[rows])) for part in parts]
        made = layer(
            *[
                self._strings(v) if pa.types.is_string(v.type) else self._tensor(v.to_numpy(False))
                for v in values
            ]
        )
        return made.numpy()[codes]

    def _layer(self, name: str) -> Any:
        return self._preprocessor.feature(name)

    def _strings(self, values: pa.Array) -> "object":
        return self._tensor(values.cast(pa.binary()).to_numpy(False), dtype="string")


def _plain(column: pa.Array, raw: Raw) -> np.ndarray | pa.ListArray:
    """A canonical column that is no text: numbers are NaN where missing, times in float64."""
    if raw.kind in ("texts", "numbers"):
        return column
    kind = pa.float64() if raw.kind == "time" else pa.float32()
    return pc.fill_null(column.cast(kind, safe=False), np.nan).to_numpy(False)


def _coded(numbers: np.ndarray) -> Coded:
    coded = pa.array(numbers).dictionary_encode()
    return Coded(coded.indices.to_numpy(), coded.dictionary)


def _sizes(lists: pa.ListArray) -> np.ndarray:
    return pc.fill_null(pc.list_value_length(lists), 0).to_numpy(False).astype(np.int64)


def _longest(lists: pa.ListArray) -> int:
    return int(max(_sizes(lists).max(initial=0), 1))


def _padded(flat: np.ndarray, sizes: np.ndarray, length: int, missing: np.generic) -> np.ndarray:
    """The first values of each list in a row, followed by what is missing.

    Args:
        flat: values of all lists, one after the other.
        sizes: how many of them each list has, `[n]`.
        length: values kept.
        missing: what follows the values of shorter lists.

    Returns:
        `[n, length]`, of the type of `missing`.
    """
    rows = np.full((len(sizes), length), missing)
    places = np.arange(len(flat)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = places < length
    rows[np.repeat(np.arange(len(sizes)), sizes)[kept], places[kept]] = flat[kept]
    return rows


def array_of(column: pa.Array) -> np.ndarray:
    """Numbers `[n]`, or `[n, length]` of lists of one size."""
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy().reshape(len(column), -1)
    return column.to_numpy()


def column(values: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Numbers `[n]` as they are, `[n, length]` as lists of one size; null where `missing`."""
    flat = pa.array(values.ravel(), mask=None if missing is None else missing.ravel())
    if values.ndim == 1:
        return flat
    # What cannot be missing takes a fifth less time to read.
    of = pa.field("item", flat.type, nullable=missing is not None)
    return pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(of, values.shape[1]))
