"""What the splits before the measured one say of its users and of items."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tfmtl.preprocessing import columns

ROWS_AT_ONCE = 262_144
"""Rows read together: looking up users begins with a table of all of them."""


class Past:
    """Who is new in a split, what is new there, and what its users had before.

    What a model has learnt of comes from the training rows, so a user or an item that occurs in the
    validation rows alone is new, too.

    Args:
        transformed: Transform's artifact.
        split: the split that is measured.

    Attributes:
        users: keys of the split's users.
    """

    def __init__(self, transformed: Path, split: str) -> None:
        self._transformed, self._split = transformed, split
        self.users = _distinct(transformed / split, columns.USER, pa.string())

    @cached_property
    def new_users(self) -> np.ndarray:
        """Whether each of the split's users is missing in the training rows, `[users]`."""
        new = np.ones(len(self.users), bool)
        for batch in _batches(self._transformed / columns.SPLITS[0], [columns.USER]):
            found = self.numbers(pc.unique(batch[columns.USER]))
            new[found[found >= 0]] = False
        return new

    @cached_property
    def items(self) -> pa.Array:
        """The training rows' items, as rows of the catalogue."""
        return _distinct(self._transformed / columns.SPLITS[0], columns.ITEM, pa.int32())

    def numbers(self, keys: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Places in `users`, -1 for those who are not there."""
        return pc.fill_null(pc.index_in(keys, value_set=self.users), -1).to_numpy()

    def seen(self) -> "Seen":
        """The items that each user had a positive with in the splits before."""
        users, items = [np.array([], np.int64)], [np.array([], np.int64)]
        for name in columns.SPLITS[: columns.SPLITS.index(self._split)]:
            if any((self._transformed / name).glob("*.parquet")):
                pairs = ds.dataset(self._transformed / name, format="parquet").to_table(
                    columns=[columns.USER, columns.ITEM], filter=ds.field(columns.POSITIVE) > 0
                )
                places = self.numbers(pairs[columns.USER])
                users.append(places[places >= 0])
                items.append(pairs[columns.ITEM].to_numpy()[places >= 0])
        return Seen(np.concatenate(users), np.concatenate(items))


class Seen:
    """Pairs of users and items.

    Args:
        users: numbers `[pairs]`.
        items: rows of the catalogue `[pairs]`.
    """

    def __init__(self, users: np.ndarray, items: np.ndarray) -> None:
        order = np.argsort(users, kind="stable")
        self._users, self._items = users[order], items[order]

    def of(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The users' items as rows of a CSR matrix.

        Example:
            >>> indptr, items = Seen(np.array([2, 1, 2]), np.array([5, 6, 7])).of(np.array([2, 0]))
            >>> indptr.tolist(), items.tolist()
            ([0, 2, 2], [5, 7])
        """
        first = np.searchsorted(self._users, users, side="left")
        lengths = np.searchsorted(self._users, users, side="right") - first
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        offsets = np.repeat(first - indptr[:-1], lengths)
        return indptr, self._items[np.arange(indptr[-1]) + offsets]


def _distinct(directory: Path, column: str, type_: pa.DataType) -> pa.Array:
    """The values of a column, in the order of their first rows."""
    found = pa.array([], type_)
    for batch in _batches(directory, [column]):
        values = pc.unique(batch[column]).cast(type_)
        found = pc.unique(pa.concat_arrays([found, values]))
    return found


def _batches(directory: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    for file in sorted(directory.glob("*.parquet")):
        yield from pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE, columns=names)
