"""What evaluation reads of the measured rows beside the model's inputs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfmtl.config import Config, History
from tfmtl.config.evaluation import HISTORY, MADE_SLICES, NEW_ITEM, NEW_USER
from tfmtl.preprocessing import columns
from tfmtl.training.groups import group_codes, kept_columns
from tfmtl.training.past import ROWS_AT_ONCE, Past

_LONGEST = np.array([0, 2, 5, 10])
"""The most items of each of `history`'s values but the last."""


@dataclass(frozen=True)
class Rows:
    """Some rows, in the order of the examples.

    Attributes:
        users: number of each row's user `[n]`, as in `Past`; None where users are not known.
        slices: text of each row by slice column, `[n]` each.
        queries: equal numbers for the rows of one query `[n]`; None where that is not known.
    """

    users: np.ndarray | None
    slices: dict[str, np.ndarray]
    queries: np.ndarray | None


class MeasuredRows:
    """Reads a split's users, slices and queries in the order of its examples.

    Args:
        directory: the split.
        config: the configuration the examples were made with.
        past: what the splits before say of users and items.
        sliced: whether slices are asked for.
    """

    def __init__(self, directory: Path, config: Config, past: Past, sliced: bool = True) -> None:
        self._files = sorted(directory.glob("*.parquet"))
        self._config, self._past = config, past
        self._users = config.source.log.user is not None
        names = pq.read_schema(self._files[0]).names if sliced else []
        prefix = columns.slice_("")
        self._kept = {n.removeprefix(prefix): n for n in names if n.startswith(prefix)}
        self._made = [NEW_USER] * self._users + [NEW_ITEM] if sliced else []
        self._histories = config.features.history if sliced else []
        self._queries = kept_columns(config, config.query_group or [])
        self._tables = self._read()
        self._rest = self._coded(pq.read_schema(self._files[0]).empty_table())

    @property
    def slices(self) -> list[str]:
        """The slice columns."""
        return [*self._kept, *self._made, *([HISTORY] if self._histories else [])]

    def take(self, inputs: Mapping[str, np.ndarray], count: int) -> Rows:
        """The next rows.

        Args:
            inputs: the examples' inputs of these rows.
            count: how many.
        """
        parts = [self._rest]
        while sum(part.num_rows for part in parts) < count:
            parts.append(next(self._tables))
        table = pa.concat_tables(parts)
        own, self._rest = table.slice(0, count), table.slice(count)
        slices = {name: _array(own[column]) for name, column in self._kept.items()}
        for name in self._made:
            slices[name] = _texts(name, _array(own[name]).astype(np.intp))
        if self._histories:
            slices[HISTORY] = _texts(HISTORY, _history_buckets(inputs, self._histories))
        return Rows(
            _array(own[columns.USER]) if self._users else None,
            slices,
            _array(own[columns.GROUP]) if self._queries else None,
        )

    def _read(self) -> Iterator[pa.Table]:
        """Tables of many rows."""
        names = dict.fromkeys([columns.USER, columns.ITEM, *self._kept.values(), *self._queries])
        for file in self._files:
            for batch in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE, columns=list(names)):
                yield self._coded(pa.Table.from_batches([batch]))

    def _coded(self, table: pa.Table) -> pa.Table:
        """Numbers for users and queries, what is new, and slices as they are."""
        made = {name: table[name] for name in self._kept.values()}
        users = self._past.numbers(table[columns.USER])
        made[columns.USER] = pa.array(users)
        if NEW_USER in self._made:
            made[NEW_USER] = pa.array(self._past.new_users[users])
        if NEW_ITEM in self._made:
            made[NEW_ITEM] = pc.invert(pc.is_in(table[columns.ITEM], self._past.items))
        if self._queries:
            made[columns.GROUP] = pa.array(group_codes(table, self._queries))
        return pa.table(made)


def _array(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy()


def _texts(column: str, places: np.ndarray) -> np.ndarray:
    """Values of a column that evaluation makes, by their places."""
    return np.array(MADE_SLICES[column], object)[places]


def _history_buckets(inputs: Mapping[str, np.ndarray], histories: Sequence[History]) -> np.ndarray:
    """Place in `history`'s values of the length of each row's longest history."""
    lengths = [
        np.any([inputs[name] != 0 for name in history.item_inputs], axis=0).sum(axis=1)
        for history in histories
    ]
    return np.searchsorted(_LONGEST, np.max(lengths, axis=0), side="left")
