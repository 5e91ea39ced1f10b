"""Tables joined by key: the catalogue of items, the profiles of users, lookups."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.joining import JoinIndex
from pipelines.preprocess.record_batches import whole


class SideTable:
    """A table in memory that is joined to the log.

    Args:
        table: canonical rows.
        keys: its key columns.
        on: the log's columns that are equal to them.
        valid_from: column of the time from which a row holds, where keys have versions.
        time: the log's column of the time as of which versions are seen.
    """

    def __init__(
        self,
        table: pa.Table,
        keys: Sequence[str],
        on: Sequence[str],
        valid_from: str | None = None,
        time: str | None = None,
    ) -> None:
        self._table = table
        self._keys, self._on = keys, on
        self._time = time if valid_from else None
        since = table.column(valid_from).to_numpy() if valid_from else None
        self._index = JoinIndex([self.array(key) for key in keys], since)
        self._coded: dict[str, Coded] = {}

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self._table.column_names)

    def array(self, name: str) -> pa.Array:
        """A column."""
        return whole(self._table.column(name))

    @cached_property
    def latest(self) -> np.ndarray:
        """Row of each key's latest version, in their order: int64 `[keys]`."""
        if self._time is None:
            return np.arange(self._table.num_rows)
        numbered = self._table.append_column("meta/place", pa.array(np.arange(len(self._table))))
        last = numbered.group_by(self._keys, use_threads=False).aggregate([("meta/place", "max")])
        return np.sort(last.column("meta/place_max").to_numpy())

    def find(self, rows: pa.RecordBatch) -> np.ndarray:
        """Row of the table that each row of the log sees: int64 `[n]`, -1 where there is none."""
        times = rows.column(self._time).to_numpy() if self._time else None
        return self._index.find([Coded.of(rows.column(name)) for name in self._on], times)

    def text(self, name: str) -> Coded:
        """A column's texts as codes, with one more row for keys that are not there: ""."""
        if name not in self._coded:
            column = self.array(name).cast(pa.string())
            padded = pa.concat_arrays([pc.fill_null(column, ""), pa.array([""])])
            self._coded[name] = Coded.of(padded)
        return self._coded[name]

    def number(self, name: str) -> np.ndarray:
        """A column's numbers, NaN where missing, and one more NaN for keys that are not there."""
        return np.append(_floats(self.array(name)), np.float32(np.nan))


class View:
    """A batch of the log joined with the side tables, column by column as they are asked for.

    Args:
        rows: canonical rows of the log.
        sides: the side tables by name.
    """

    def __init__(self, rows: pa.RecordBatch, sides: Mapping[str, SideTable]) -> None:
        self.rows = rows
        self._sides = sides
        self._found: dict[str, np.ndarray] = {}

    def find(self, table: str) -> np.ndarray:
        """The side table's row of each row; -1, which is also the last, where there is none."""
        if table not in self._found:
            self._found[table] = self._sides[table].find(self.rows)
        return self._found[table]

    def text(self, table: str, name: str) -> Coded:
        """A column's texts, "" where missing."""
        if table == "log":
            return Coded.of(self.rows.column(name))
        coded = self._sides[table].text(name)
        return Coded(coded.codes[self.find(table)], coded.values)

    def number(self, table: str, name: str) -> np.ndarray:
        """A column's numbers: float32 `[n]`, NaN where missing."""
        if table == "log":
            return _floats(self.rows.column(name))
        return self._sides[table].number(name)[self.find(table)]

    def array(self, table: str, name: str) -> pa.Array:
        """A column as it is stored, as of times and lists; null where there is no row to join."""
        if table == "log":
            return self.rows.column(name)
        found = self.find(table)
        return self._sides[table].array(name).take(pa.array(found, mask=found < 0))


def _floats(column: pa.Array) -> np.ndarray:
    return pc.fill_null(column.cast(pa.float32(), safe=False), np.nan).to_numpy(False)
