"""Reads one block of JSON lines: an object a line, of which some keys are columns.

A whole block goes through Arrow's parser, with the types its file's first rows have. Where that
fails, for a line is no object or a column changes its type, the lines around are read one by one.
"""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

from pipelines.preprocess.blocks import Block
from pipelines.preprocess.layout import Column
from pipelines.preprocess.mixed_values import joined, most_common_type, unified
from pipelines.preprocess.raw_rows import RawRows, Reject, Wrong, rejected
from pipelines.preprocess.rejects import NOT_JSON, TOO_LONG
from pipelines.preprocess.text_records import Records

_PART_LINES = 1024
"""Lines that are read one by one where one of them is wrong."""


def read_jsonl(block: Block, data: bytes) -> RawRows:
    """Reads a block; lines that are too long, not in the encoding or no objects become dead
    letters. A key that an object lacks is a missing value."""
    records = Records(data, block)
    not_objects = ~records.too_long & ~_like_objects(data, records)
    kept, badly_encoded = records.in_utf8(records.too_long | not_objects)
    faults = dict.fromkeys(badly_encoded, f"not {block.file.encoding.upper()}")
    faults |= dict.fromkeys(np.flatnonzero(not_objects).tolist(), NOT_JSON)
    faults |= dict.fromkeys(np.flatnonzero(records.too_long).tolist(), TOO_LONG)
    at = np.delete(np.arange(len(records.starts)), list(faults))
    rejects = [
        Reject(int(records.lines[i]), reason, records.text(i)) for i, reason in faults.items()
    ]
    columns = _parse(kept, block, len(at))
    if columns is None:
        columns, wrong = _parse_parts(kept, block)
        rejects += [
            Reject(int(records.lines[at[i]]), reason, records.text(int(at[i])), column)
            for i, (reason, column) in wrong.items()
        ]
        at = np.delete(at, list(wrong))
    lines = records.lines[at]
    return RawRows(
        columns, lines, lines, rejected(block, rejects), lambda index: records.text(int(at[index]))
    )


def first_types(data: bytes, encoding: str) -> dict[str, pa.DataType]:
    """Keys of the objects among some lines, and the types of their values."""
    found: dict[str, list[Any]] = {}
    for line in data.decode(encoding, errors="replace").split("\n"):
        row = _object(line)
        if row is not None:
            for name, value in row.items():
                found.setdefault(name, []).append(value)
    return {name: most_common_type(values) for name, values in found.items()}


def _like_objects(data: bytes, records: Records) -> np.ndarray:
    """Which records begin and end as an object does; Arrow's parser must see no others."""
    content = np.frombuffer(data, np.uint8)
    like = (content[records.starts] == ord("{")) & (content[records.stops - 1] == ord("}"))
    for i in np.flatnonzero(~like).tolist():
        line = data[records.starts[i] : records.stops[i]].strip()
        like[i] = line.startswith(b"{") and line.endswith(b"}")
    return like


def _parse(data: bytes, block: Block, rows: int) -> pa.RecordBatch | None:
    """The columns of all lines; None where they are not all right."""
    schema = pa.schema([(c.name, _expected(block, c)) for c in block.file.wanted])
    if not rows:
        return pa.RecordBatch.from_pylist([], schema=schema)
    try:
        table = pa.json.read_json(
            pa.BufferReader(data),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa.json.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if table.num_rows != rows:  # two objects on a line
        return None
    return table.select(schema.names).combine_chunks().to_batches()[0]


def _expected(block: Block, column: Column) -> pa.DataType:
    kind = block.file.type_of(column.name)
    if pa.types.is_list(kind):
        inner = kind.value_type
        return pa.list_(pa.string() if pa.types.is_list(inner) else _expected_of(inner, column))
    return _expected_of(kind, column)


def _expected_of(kind: pa.DataType, column: Column) -> pa.DataType:
    numeric = column.kind in ("number", "label", "weight", "numbers")
    if numeric and (pa.types.is_integer(kind) or pa.types.is_null(kind)):
        return pa.float64()
    return pa.string() if pa.types.is_null(kind) else kind


def _parse_parts(data: bytes, block: Block) -> tuple[pa.RecordBatch, Wrong]:
    """The columns of the lines that are right, and what is wrong with the others."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    parts: list[pa.RecordBatch] = []
    wrong: Wrong = {}
    for start in range(0, len(lines), _PART_LINES):
        some = lines[start : start + _PART_LINES]
        part = _parse(b"\n".join(some), block, len(some))
        if part is None:
            part, found = _parse_each(some, block)
            wrong |= {start + line: fault for line, fault in found.items()}
        parts.append(part)
    names = [column.name for column in block.file.wanted]
    arrays = [joined([part.column(name) for part in parts]) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names), wrong


def _parse_each(lines: list[bytes], block: Block) -> tuple[pa.RecordBatch, Wrong]:
    rows = [_object(line) for line in lines]
    wrong: Wrong = {i: (NOT_JSON, None) for i, row in enumerate(rows) if row is None}
    places = [i for i, row in enumerate(rows) if row is not None]
    objects = [row for row in rows if row is not None]
    names = [column.name for column in block.file.wanted]
    arrays = []
    for name in names:
        array, faults = unified([row.get(name) for row in objects])
        arrays.append(array)
        for place, reason in faults.items():
            wrong.setdefault(places[place], (reason, name))
    batch = pa.RecordBatch.from_arrays(arrays, names)
    return batch.filter(pa.array([place not in wrong for place in places], pa.bool_())), wrong


def _object(line: str | bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
