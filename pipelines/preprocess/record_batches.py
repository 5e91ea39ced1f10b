"""Small operations on record batches that several transforms need."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa


def concat(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Puts batches of one schema, at least one row together, one after the other."""
    return pa.Table.from_batches(list(batches)).combine_chunks().to_batches()[0]


def divide(rows: pa.RecordBatch, keys: np.ndarray) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Divides rows by a number each; yields each number and its rows, in their order."""
    if not len(keys):
        return
    # Numbers of 16 bits are sorted by radix, three times as fast.
    small = keys.min() >= 0 and keys.max() < 1 << 16
    order = np.argsort(keys.astype(np.uint16) if small else keys, kind="stable")
    ordered, sorted_keys = rows.take(pa.array(order)), keys[order]
    starts = np.flatnonzero(np.diff(sorted_keys, prepend=sorted_keys[:1] - 1))
    for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
        yield int(sorted_keys[start]), ordered.slice(start, stop - start)


def decoded(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with dictionaries turned into plain texts."""
    arrays = [a.dictionary_decode() if pa.types.is_dictionary(a.type) else a for a in rows.columns]
    return pa.RecordBatch.from_arrays(arrays, names=rows.schema.names)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A table's column as one array."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
