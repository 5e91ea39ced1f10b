"""Reads one row group of a Parquet file, every column as text, numbers, times or lists."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from pipelines.components.base import PipelineError
from pipelines.preprocess.blocks import Block
from pipelines.preprocess.layout import Column
from pipelines.preprocess.raw_rows import RawRows, rejected
from pipelines.preprocess.values import is_binary, is_list, is_text

_FIRST_ROWS = 1000


def read_parquet(block: Block) -> RawRows:
    """Reads a row group.

    Raises:
        PipelineError: a column's type is neither text nor a number, a time or a list of such.
        OSError, pa.ArrowInvalid: the file is damaged.
    """
    names = [column.name for column in block.file.wanted]
    with FileSystems.open(block.file.path) as file:
        table = pq.ParquetFile(file).read_row_group(block.start, columns=names, use_threads=False)
    return _raw_rows(block, table)


def first_parquet_rows(block: Block) -> RawRows:
    """Reads the first rows of a file."""
    names = [column.name for column in block.file.wanted]
    with FileSystems.open(block.file.path) as file:
        batches = pq.ParquetFile(file).iter_batches(_FIRST_ROWS, columns=names, use_threads=False)
        first = next(batches, None)
    schema = pa.schema([(name, pa.string()) for name in names])
    return _raw_rows(block, schema.empty_table() if first is None else pa.table(first))


def _raw_rows(block: Block, table: pa.Table) -> RawRows:
    arrays = [
        _simple(block.file.path, column, table.column(column.name).combine_chunks())
        for column in block.file.wanted
    ]
    rows = block.first_row + np.arange(table.num_rows)
    batch = pa.RecordBatch.from_arrays(arrays, [column.name for column in block.file.wanted])

    def text(index: int) -> str:
        row = batch.slice(index, 1).to_pylist()[0]
        return json.dumps(row, ensure_ascii=False, default=_shown)

    return RawRows(batch, rows, rows, rejected(block, []), text)


def _shown(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _simple(path: str, column: Column, values: pa.Array) -> pa.Array:
    """The values as one of the types that are cast further on; texts as bytes, for no reader of
    Parquet looks whether they are UTF-8."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if is_list(kind) and pa.types.is_null(kind.value_type):  # lists without a single value
        return values.cast(pa.list_(pa.string()))
    if is_list(kind) and column.kind in ("texts", "numbers") and _is_scalar(kind.value_type):
        return values
    if pa.types.is_null(kind):  # a column without a single value
        return pa.nulls(len(values), pa.string())
    if is_text(kind):
        return values.cast(pa.binary())
    if is_binary(kind) or _is_scalar(kind):
        return values
    raise PipelineError(
        f"{path}: column '{column.name}' is of type {kind}; expected text, a number or a time"
    )


def _is_scalar(kind: pa.DataType) -> bool:
    return (
        is_text(kind)
        or is_binary(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_temporal(kind)
    )
