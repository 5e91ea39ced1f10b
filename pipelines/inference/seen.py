"""What users are known to have had: positives of the retrieval task, and items of histories."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from pipelines.inference.best_items import Pairs
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.hashing import KeyIndex
from tfmtl.preprocessing import columns


class Seen:
    """The items that users had a positive with.

    Args:
        transformed: Transform's artifact.
    """

    def __init__(self, transformed: Path) -> None:
        tables = []
        for split in columns.SPLITS:
            rows = ds.dataset(transformed / split, format="parquet")
            chosen = (ds.field(columns.POSITIVE) > 0) & (ds.field(columns.ITEM) >= 0)
            tables.append(rows.to_table(columns=[columns.USER, columns.ITEM], filter=chosen))
        pairs = pa.concat_tables(tables).combine_chunks()
        users = Coded.of(pa.concat_arrays(pairs[columns.USER].chunks or [pa.array([], "string")]))
        owners, items = users.codes.astype(np.int64), pairs[columns.ITEM].to_numpy()
        self._users = KeyIndex(users.values)
        order = np.argsort(owners, kind="stable")
        self._items = items[order]
        counts = np.bincount(owners, minlength=len(users.values))
        # One more, the last: a user who had nothing.
        self._ends = np.append(np.cumsum(counts), len(items)).astype(np.int64)
        self._starts = np.append(self._ends[:-1] - counts, len(items)).astype(np.int64)

    def of(self, users: pa.Array) -> Pairs:
        """The items of users by key, once for each positive."""
        coded = Coded.of(users)
        places = self._users.find(coded.values)[coded.codes]
        return gathered(self._starts[places], self._ends[places], self._items)


def gathered(starts: np.ndarray, ends: np.ndarray, items: np.ndarray) -> Pairs:
    """The items from a place to another, of each row, as rows of a CSR matrix."""
    sizes = ends - starts
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    offsets = np.repeat(starts - indptr[:-1], sizes)
    return Pairs(indptr, items[np.arange(indptr[-1]) + offsets])


def joined(one: Pairs, other: Pairs) -> Pairs:
    """The items of both, row by row."""
    owners = np.concatenate(
        [np.repeat(np.arange(len(p.indptr) - 1), np.diff(p.indptr)) for p in (one, other)]
    )
    items = np.concatenate([one.items, other.items])
    order = np.argsort(owners, kind="stable")
    return Pairs(one.indptr + other.indptr, items[order])
