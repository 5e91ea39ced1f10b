"""Reads one block of a CSV: its fields as text, and the lines that are no rows."""

import numpy as np
import pyarrow as pa
import pyarrow.csv

from pipelines.preprocess.blocks import Block
from pipelines.preprocess.raw_rows import RawRows, Reject, rejected
from pipelines.preprocess.rejects import TOO_LONG, UNCLOSED, WRONG_FIELDS
from pipelines.preprocess.text_records import Records


def read_csv(block: Block, data: bytes) -> RawRows:
    """Reads a block of a CSV; lines that are too long, not in the encoding, have a quote that is
    never closed or too few or many fields become dead letters."""
    records = Records(data, block)
    excluded = records.unclosed | records.too_long
    kept, badly_encoded = records.in_utf8(excluded)
    faults = dict.fromkeys(badly_encoded, f"not {block.file.encoding.upper()}")
    faults |= dict.fromkeys(np.flatnonzero(records.unclosed).tolist(), UNCLOSED)
    faults |= dict.fromkeys(np.flatnonzero(records.too_long).tolist(), TOO_LONG)
    rows, invalid = _parse(kept, block)

    at = np.delete(np.arange(len(records.starts)), list(faults))
    lines = records.lines[at]
    known = len(lines) == rows.num_rows + len(invalid)
    numbers = np.delete(np.arange(rows.num_rows + len(invalid)), [r.number - 1 for r in invalid])
    rejects = [
        Reject(int(records.lines[i]), reason, records.text(i)) for i, reason in faults.items()
    ]
    for row in invalid:
        # A row may hold several lines; each of them is lost.
        line = int(lines[row.number - 1]) if known else 0
        for i, lost in enumerate(row.text.splitlines()):
            rejects.append(Reject(line + i if known else 0, WRONG_FIELDS, lost))

    def text(index: int) -> str:
        if known:
            return records.text(int(at[numbers[index]]))
        return block.file.delimiter.join(column[index].as_py() for column in rows.columns)

    return RawRows(
        rows,
        lines[numbers] if known else np.zeros(rows.num_rows, np.int64),
        lines[numbers] if known else block.first_row + numbers,
        rejected(block, rejects),
        text,
    )


def _parse(data: bytes, block: Block) -> tuple[pa.RecordBatch, list[pa.csv.InvalidRow]]:
    names = [column.name for column in block.file.wanted]
    text = pa.schema([(name, pa.string()) for name in names])
    invalid: list[pa.csv.InvalidRow] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        invalid.append(row)
        return "skip"

    if not data.strip():
        return pa.RecordBatch.from_pylist([], schema=text), []
    table = pa.csv.read_csv(
        pa.BufferReader(data),
        read_options=pa.csv.ReadOptions(
            use_threads=False, column_names=block.file.names, block_size=len(data) + 1
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=block.file.delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pa.csv.ConvertOptions(
            include_columns=names, column_types=text, strings_can_be_null=False, check_utf8=False
        ),
    )
    if table.num_rows:
        return table.combine_chunks().to_batches()[0], invalid
    return pa.RecordBatch.from_pylist([], schema=text), invalid
