"""Casts rows as they were read to canonical types; what cannot be cast becomes dead letters.

Canonical are strings for texts and classes ("" where missing), float32 for numbers, labels and
weights and int64 seconds for times (null where missing), and lists of strings or of float32 for
several texts or numbers (empty where missing, without nulls).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.classes import all_known
from pipelines.preprocess.layout import ROW, Column
from pipelines.preprocess.list_values import (
    NUMBERS,
    TEXTS,
    number_lists,
    rows_with,
    single_values,
    text_lists,
)
from pipelines.preprocess.rejects import FUTURE, NOT_UTF8, NUL, OUTSIDE, dead_letters
from pipelines.preprocess.sides import Coded
from pipelines.preprocess.times import times_of
from pipelines.preprocess.values import has_nul, is_list, numbers_of, texts_of

_NOT_A_NUMBER = {
    "number": "not a number",
    "label": "label is not a number",
    "weight": "weight is not a number",
}
_TYPES = {
    "text": pa.string(),
    "class": pa.string(),
    "time": pa.int64(),
    "texts": TEXTS,
    "numbers": NUMBERS,
}


@dataclass
class _Faults:
    """The first fault of every row."""

    reasons: np.ndarray
    columns: np.ndarray
    mask: np.ndarray

    @classmethod
    def none(cls, rows: int) -> "_Faults":
        return cls(np.full(rows, None, object), np.full(rows, None, object), np.zeros(rows, bool))

    def add(self, bad: np.ndarray | None, reason: str, column: str) -> None:
        if bad is None or not bad.any():
            return
        first = bad & ~self.mask
        self.reasons[first], self.columns[first] = reason, column
        self.mask |= bad


def canonical_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """Schema of a table's canonical rows."""
    fields = [(column.name, _TYPES.get(column.kind, pa.float32())) for column in columns]
    return pa.schema([(ROW, pa.int64()), *fields])


def cast(
    rows: pa.RecordBatch,
    columns: tuple[Column, ...],
    numbers: np.ndarray,
    reject: Callable[[np.ndarray, list[str], list[str]], pa.RecordBatch],
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Casts rows and takes out the bad ones.

    Args:
        rows: the columns as they were read: strings, integers or floats.
        columns: what each column must hold.
        numbers: number of each row, kept as column `ROW`.
        reject: makes dead letters of row indices, reasons and columns.

    Returns:
        The good rows and the dead letters.
    """
    faults = _Faults.none(rows.num_rows)
    arrays = [_cast(rows.column(c.name), c, faults) for c in columns]
    _check_label_times(columns, arrays, faults)
    batch = pa.RecordBatch.from_arrays(
        [pa.array(numbers, pa.int64()), *arrays], schema=canonical_schema(columns)
    )
    bad = faults.mask
    at = np.flatnonzero(bad)
    letters = reject(at, faults.reasons[at].tolist(), faults.columns[at].tolist())
    return (batch.filter(pa.array(~bad)) if len(at) else batch), letters


def rejecter(
    table: str, file: str, lines: np.ndarray, text: Callable[[int], str]
) -> Callable[[np.ndarray, list[str], list[str]], pa.RecordBatch]:
    """Makes dead letters of a file's rows.

    Args:
        table: table of the file.
        file: path of the file.
        lines: line of each row.
        text: gives a row, by its index, as it was read.
    """

    def reject(at: np.ndarray, reasons: list[str], columns: list[str]) -> pa.RecordBatch:
        return dead_letters(table, file, lines[at], reasons, columns, [text(int(i)) for i in at])

    return reject


def _cast(values: pa.Array, column: Column, faults: _Faults) -> pa.Array:
    if column.kind in ("texts", "numbers"):
        return _list(values, column, faults)
    if is_list(values.type):
        values, several = single_values(values)
        faults.add(several, "several values where one is right", column.name)
    if column.kind in ("text", "class"):
        return _text(values, column, faults)
    return (_time if column.kind == "time" else _number)(values, column, faults)


def _check_label_times(
    columns: tuple[Column, ...], arrays: list[pa.Array], faults: _Faults
) -> None:
    by_name = {column.name: array for column, array in zip(columns, arrays, strict=True)}
    for column in columns:
        if column.time_of in by_name:
            positive = pc.fill_null(pc.equal(by_name[column.time_of], np.float32(1)), False)
            timeless = pc.and_(positive, by_name[column.name].is_null())
            faults.add(timeless.to_numpy(False), "label without its time", column.name)


def _number(values: pa.Array, column: Column, faults: _Faults) -> pa.Array:
    found, missing, unreadable = numbers_of(values)
    faults.add(unreadable, _NOT_A_NUMBER[column.kind], column.name)
    if column.missing:
        faults.add(missing, column.missing, column.name)
    given = ~missing & ~unreadable
    if column.kind == "weight":
        faults.add(given & (found < 0), "weight is negative", column.name)
    if column.binary:
        faults.add(given & (found != 0) & (found != 1), "label is not 0 or 1", column.name)
    if column.range:
        low, high = column.range
        faults.add(given & ((found < low) | (found > high)), "label is out of range", column.name)
    return pa.array(found.astype(np.float32), mask=~given)


def _time(values: pa.Array, column: Column, faults: _Faults) -> pa.Array:
    times = times_of(values, column.unit)
    faults.add(times.unreadable, "unparsable time", column.name)
    if column.missing:
        faults.add(times.missing, column.missing, column.name)
    faults.add(times.outside, OUTSIDE, column.name)
    if column.latest is not None:
        faults.add(times.seconds > column.latest, FUTURE, column.name)
    return pa.array(times.seconds, mask=times.missing)


def _text(values: pa.Array, column: Column, faults: _Faults) -> pa.Array:
    values, not_utf8 = texts_of(values)
    faults.add(not_utf8, NOT_UTF8, column.name)
    values = pc.fill_null(values, "")
    faults.add(has_nul(values), NUL, column.name)
    if column.missing:
        faults.add(pc.equal(values, "").to_numpy(False), column.missing, column.name)
    if column.allowed is not None:
        if column.kind == "class":
            known = all_known(Coded.of(values), column.allowed, column.separator)
        else:
            known = pc.is_in(values, pa.array(column.allowed)).to_numpy(False)
        faults.add(~known, column.unknown, column.name)
    return values


def _list(values: pa.Array, column: Column, faults: _Faults) -> pa.Array:
    if column.kind == "texts":
        lists, not_utf8 = text_lists(values, column.separator)
        faults.add(not_utf8, NOT_UTF8, column.name)
        nul = has_nul(lists.values)
        if nul is not None:
            faults.add(rows_with(nul, lists), NUL, column.name)
    else:
        lists, gaps, unreadable = number_lists(values, column.separator)
        faults.add(gaps, "missing number in a list", column.name)
        faults.add(unreadable, "not a number", column.name)
        if column.size is not None:
            sizes = np.diff(lists.offsets.to_numpy())
            wrong = (sizes != 0) & (sizes != column.size)
            faults.add(wrong, "vector of another size", column.name)
    if column.missing:
        faults.add(
            pc.equal(pc.list_value_length(lists), 0).to_numpy(False), column.missing, column.name
        )
    return lists
