"""Groups rows by a key through files, so that memory holds one group and not the whole log.

Beam's own GroupByKey keeps all values in memory in the local runner; here it only sees where on
disk a group's pieces lie.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.preprocess.record_batches import divide

Group = tuple[int, list[pa.RecordBatch]]
Piece = tuple[int, tuple[str, int, int]]
"""A group's key, and the file, first byte and size of a piece of it."""


class GroupRows(beam.PTransform):
    """Groups the rows of record batches, of one collection or of several together.

    Args:
        key: gives the key of each row, int64 `[n]`.
        directory: where to write, shared by all workers.

    Returns:
        (key, batches) for every key, the batches in any order; those of several collections are
        told apart by their schemas.
    """

    def __init__(self, key: Callable[[pa.RecordBatch], np.ndarray], directory: Path) -> None:
        super().__init__()
        self._key = key
        self._directory = directory

    def expand(self, rows: Any) -> beam.PCollection:
        several: tuple[beam.PCollection, ...] = rows if isinstance(rows, tuple) else (rows,)
        pieces = [
            part
            | f"Spill {number}"
            >> beam.FlatMap(_spill, self._key, self._directory / str(number)).with_output_types(
                Piece
            )
            for number, part in enumerate(several)
        ]
        return (
            pieces
            | "Flatten" >> beam.Flatten().with_output_types(Piece)
            | "Group" >> beam.GroupByKey()
            | "Read" >> beam.MapTuple(_read).with_output_types(Group)
        )


def _spill(
    rows: pa.RecordBatch, key: Callable[[pa.RecordBatch], np.ndarray], directory: Path
) -> Iterator[Piece]:
    directory.mkdir(parents=True, exist_ok=True)
    # A retried bundle may hold the rows in another order: it must not write over a file that is
    # being read.
    path = directory / f"{uuid.uuid4().hex}.arrows"
    pieces = []
    with pa.OSFile(str(path), "wb") as file:
        for group, piece in divide(rows, key(rows)):
            start = file.tell()
            with pa.ipc.new_stream(file, piece.schema) as stream:
                stream.write_batch(piece)
            pieces.append((group, (str(path), start, file.tell() - start)))
    yield from pieces


def _read(key: int, pieces: Iterable[tuple[str, int, int]]) -> Group:
    batches = []
    for path, start, size in pieces:
        with pa.OSFile(path) as file:
            file.seek(start)
            batches.append(pa.ipc.open_stream(file.read_buffer(size)).read_next_batch())
    return key, batches
