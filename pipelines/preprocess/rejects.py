"""Rows that cannot be used: why, and where they came from."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

WRONG_FIELDS = "wrong number of fields"
UNCLOSED = "unclosed quote"
TOO_LONG = "line too long"
NOT_JSON = "not a JSON object"
NOT_EXAMPLE = "not a tf.Example"
NOT_A_VALUE = "an object or a list within a list"
NOT_UTF8 = "not UTF-8"
NUL = "NUL byte"
OUTSIDE = "time out of range"
FUTURE = "time in the future"

SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("column", pa.string()),
        ("raw", pa.large_string()),
    ]
)
"""A dead letter: line and column are null where unknown; the line of a Parquet row is its number,
the first being 1."""


def dead_letters(
    table: str,
    file: str,
    lines: np.ndarray,
    reasons: Sequence[str],
    columns: Sequence[str | None],
    raw: Sequence[str],
) -> pa.RecordBatch:
    """Puts rejected rows of one file into a batch of dead letters.

    Args:
        table: table of the file.
        file: path of the file.
        lines: line of each row, 0 where unknown.
        reasons: why each row was rejected.
        columns: column at fault, where it is one.
        raw: each row as it was read.
    """
    count = len(reasons)
    arrays = [
        pa.repeat(pa.scalar(table), count),
        pa.repeat(pa.scalar(file), count),
        pa.array(lines.astype(np.int64), mask=lines <= 0),
        pa.array(reasons, pa.string()),
        pa.array(columns, pa.string()),
        pa.array(raw, pa.large_string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def by_reason(letters: pa.RecordBatch) -> Counter[str]:
    """Number of dead letters by reason."""
    return Counter(letters.column("reason").to_pylist())
