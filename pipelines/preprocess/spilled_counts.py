"""Adds counts up through files, so that memory holds a part of a column's values and not them all.

A batch of the log writes what it counted into one file. The pieces of a column are then added up,
all at once where they are small. Larger ones are first divided by a hash of the value into as many
buckets as keep each below 32 MB: a value is in one bucket, with its counts of all splits.

counts/NAME.parquet has one row group a bucket.
"""

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.counting import SCHEMA, compact
from pipelines.preprocess.hashing import hash_strings
from pipelines.preprocess.record_batches import divide

Piece = tuple[str, int, int]
"""A file, first byte and size of the counts of one batch and column."""

BUCKET_BYTES = 32 << 20
"""Bytes of the pieces of a bucket, before they are added up."""
_MOST_BUCKETS = 512
_ORDER = [("split", "ascending"), ("count", "descending"), ("value", "ascending")]


def spill_counts(counts: Mapping[str, pa.RecordBatch], path: Path) -> Iterator[tuple[str, Piece]]:
    """Writes the counts of one batch, by the name of the column.

    Args:
        counts: rows (split, value, count) by name.
        path: file to write, of this batch alone; a retried bundle writes it again.

    Yields:
        Name and piece.
    """
    pieces = []
    with _replacing(path) as temporary, pa.OSFile(temporary, "wb") as file:
        for name, rows in counts.items():
            start = file.tell()
            with pa.ipc.new_stream(file, SCHEMA) as stream:
                stream.write_batch(rows)
            pieces.append((name, (str(path), start, file.tell() - start)))
    yield from pieces


def merge_counts(pieces: Iterable[Piece], path: Path, bucket_bytes: int = BUCKET_BYTES) -> None:
    """Adds the counts of one column up and writes them.

    Args:
        pieces: the counts of all batches, in any order.
        path: Parquet file to write: a row group a bucket, in each the most frequent values of a
            split first, ties by value.
        bucket_bytes: bytes of the pieces that are added up at once.
    """
    pieces = sorted(pieces)
    buckets = min(-(-sum(size for *_, size in pieces) // bucket_bytes), _MOST_BUCKETS)
    with _replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for batches in _divided(pieces, buckets, path.parent):
            rows = compact(list(batches)).sort_by(_ORDER)
            writer.write_batch(rows, row_group_size=max(rows.num_rows, 1))


def read_counts(path: Path) -> Iterator[pa.Table]:
    """The counts of one column, bucket by bucket: rows (split, value, count)."""
    with pq.ParquetFile(path) as file:
        for bucket in range(file.num_row_groups):
            yield file.read_row_group(bucket, use_threads=False)


def _divided(
    pieces: list[Piece], buckets: int, directory: Path
) -> Iterator[Iterable[pa.RecordBatch]]:
    """The batches of each bucket, which lie in files of their own where there are several."""
    if buckets <= 1:
        yield map(_read, pieces)
        return
    with TemporaryDirectory(dir=directory) as scratch:
        paths = [str(Path(scratch) / f"{bucket}.arrows") for bucket in range(buckets)]
        with ExitStack() as stack:
            streams = [
                stack.enter_context(pa.ipc.new_stream(stack.enter_context(file), SCHEMA))
                for file in (pa.OSFile(path, "wb") for path in paths)
            ]
            for rows in map(_read, pieces):
                keys = hash_strings(rows.column("value")) % np.uint64(buckets)
                for bucket, part in divide(rows, keys.astype(np.int64)):
                    streams[bucket].write_batch(part)
        for path in paths:
            with pa.OSFile(path) as file, pa.ipc.open_stream(file) as stream:
                yield stream


def _read(piece: Piece) -> pa.RecordBatch:
    path, start, size = piece
    with pa.OSFile(path) as file:
        file.seek(start)
        return pa.ipc.open_stream(file.read_buffer(size)).read_next_batch()


@contextmanager
def _replacing(path: Path) -> Iterator[str]:
    """A name to write to, which becomes that of `path` in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = str(path.with_name(f".{path.name}.{uuid.uuid4().hex}"))
    yield temporary
    os.replace(temporary, path)
