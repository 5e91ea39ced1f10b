"""Reads the blocks of raw files, whatever their format, and looks into a file's first rows."""

from collections.abc import Iterator

import pyarrow as pa

from pipelines.components.base import PipelineError
from pipelines.preprocess.blocks import BLOCK_BYTES, Block, block_pieces
from pipelines.preprocess.csv_reading import read_csv
from pipelines.preprocess.json_reading import read_jsonl
from pipelines.preprocess.opening import check_unchanged, one_line
from pipelines.preprocess.parquet_reading import first_parquet_rows, read_parquet
from pipelines.preprocess.raw_files import RawFile
from pipelines.preprocess.raw_rows import RawRows, Reject, no_rows
from pipelines.preprocess.rejects import TOO_LONG
from pipelines.preprocess.tfrecord_reading import read_tfrecord

_FIRST_BYTES = 1 << 16
"""Bytes of a file of lines in which its first rows are looked for."""
_FIRST_RECORDS = 500


def read(block: Block, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[Block, RawRows]]:
    """Reads a block; of a file that cannot be split, a block after the other.

    Args:
        block: what to read.
        block_bytes: bytes of the blocks a compressed file is read in.

    Raises:
        PipelineError: the file is damaged, truncated, or changed since it was listed.
        OSError, pa.ArrowInvalid: it is damaged.
    """
    for part, rows in _read(block, block_bytes):
        check_unchanged(block.file.path, block.file.size, block.file.modified)
        yield part, rows


def first_rows(file: RawFile) -> RawRows | None:
    """Some rows at a file's beginning; None where it has none.

    Raises:
        PipelineError: the file is damaged.
    """
    whole = Block(file, 0, file.header, None, file.header_lines + 1)
    try:
        if file.format == "parquet":
            return first_parquet_rows(whole)
        if file.format == "tfrecord":
            return next((rows for _, rows in read_tfrecord(whole, _FIRST_RECORDS)), None)
        return next((rows for _, rows in _read(whole, _FIRST_BYTES)), None)
    except (pa.ArrowException, OSError) as error:
        raise damaged(file.path, error) from None


def damaged(path: str, error: Exception) -> PipelineError:
    """What stops a run where a file cannot be read."""
    return PipelineError(f"{path}: damaged? {one_line(error)}")


def _read(block: Block, block_bytes: int) -> Iterator[tuple[Block, RawRows]]:
    if block.file.format == "parquet":
        yield block, read_parquet(block)
    elif block.file.format == "tfrecord":
        yield from read_tfrecord(block)
    else:
        read_lines = read_csv if block.file.format == "csv" else read_jsonl
        for part, data in block_pieces(block, block_bytes):
            if part.too_long:
                shown = data.decode(block.file.encoding, errors="replace").rstrip("\r\n")
                yield part, no_rows(part, [Reject(part.first_row, TOO_LONG, shown)])
            else:
                yield part, read_lines(part, data)
