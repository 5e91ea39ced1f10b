"""Rows as they were read, not yet cast."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.preprocess.blocks import Block
from pipelines.preprocess.rejects import SCHEMA, dead_letters

Wrong = dict[int, tuple[str, str | None]]
"""What is wrong with rows: {row: (reason, column)}."""


@dataclass(frozen=True)
class RawRows:
    """Rows as they were read, not yet cast.

    Attributes:
        columns: the columns that are asked for, `[n]` each.
        lines: line or row number of each row in its file, `[n]`, 0 where unknown.
        numbers: numbers that order the file's rows, `[n]`.
        rejected: dead letters of what is no row.
        text: gives a row, by its index, as it stands in the file.
    """

    columns: pa.RecordBatch
    lines: np.ndarray
    numbers: np.ndarray
    rejected: pa.RecordBatch
    text: Callable[[int], str]


@dataclass(frozen=True)
class Reject:
    """What is no row of a block: its line, 0 where unknown, why, and how it stands in the file."""

    line: int
    reason: str
    text: str
    column: str | None = None


def rejected(block: Block, rejects: Sequence[Reject]) -> pa.RecordBatch:
    """Dead letters of a block."""
    if not rejects:
        return pa.RecordBatch.from_pylist([], schema=SCHEMA)
    return dead_letters(
        block.file.table,
        block.file.path,
        np.array([reject.line for reject in rejects], np.int64),
        [reject.reason for reject in rejects],
        [reject.column for reject in rejects],
        [reject.text for reject in rejects],
    )


def no_rows(block: Block, rejects: Sequence[Reject]) -> RawRows:
    """A block of which nothing is a row."""
    schema = pa.schema([(column.name, pa.string()) for column in block.file.wanted])
    none = np.zeros(0, np.int64)
    columns = pa.RecordBatch.from_pylist([], schema=schema)
    return RawRows(columns, none, none, rejected(block, rejects), lambda index: "")
