"""Reads a TFRecord file of tf.Example with TensorFlow's own reader, some thousand at a time.

Framing and checksums are TensorFlow's; features are parsed a batch at once, with the types the
file's first records have. A batch in which that fails is read record by record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError

from pipelines.components.base import PipelineError
from pipelines.preprocess.blocks import Block
from pipelines.preprocess.mixed_values import joined, unified
from pipelines.preprocess.raw_rows import RawRows, Reject, Wrong, rejected
from pipelines.preprocess.rejects import NOT_EXAMPLE

if TYPE_CHECKING:
    import tensorflow as tf

_RECORDS = 8192
"""Records that are parsed at once."""
_PART_RECORDS = 512
"""Records that are read one by one where one of them is wrong."""
_FIRST_RECORDS = 500
_BUFFER_BYTES = 4 << 20


def read_tfrecord(block: Block, records: int = _RECORDS) -> Iterator[tuple[Block, RawRows]]:
    """Reads a whole file, a block of records after the other; records that are no tf.Example
    become dead letters.

    Raises:
        PipelineError: the file is damaged or truncated.
    """
    first_row = block.first_row
    for number, batch in enumerate(_batches(block.file.path, records)):
        part = replace(block, number=number, first_row=first_row)
        yield part, _read(part, batch)
        first_row += len(batch)


def first_tfrecord_types(path: str) -> dict[str, pa.DataType]:
    """Features of the first records, and the types of their values."""
    import tensorflow as tf

    found: dict[str, pa.DataType] = {}
    for record in next(_batches(path, _FIRST_RECORDS), ()):
        try:
            features = tf.train.Example.FromString(record.numpy()).features.feature
        except DecodeError:
            continue
        for name, feature in features.items():
            kind = _KINDS.get(feature.WhichOneof("kind"))
            if kind is not None:
                found.setdefault(name, kind)
    return found


_KINDS = {"bytes_list": pa.binary(), "int64_list": pa.int64(), "float_list": pa.float32()}


def _batches(path: str, records: int) -> Iterator[tf.Tensor]:
    import tensorflow as tf

    packed = "GZIP" if path.endswith(".gz") else ""
    dataset = tf.data.TFRecordDataset(path, packed, _BUFFER_BYTES)
    try:
        yield from dataset.batch(records)
    except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
        found = re.search(r"(corrupted|truncated) record at (\d+)", error.message)
        where = f"{found[1]} record at byte {int(found[2]):,}" if found else "not whole"
        raise PipelineError(
            f"{path}: damaged or truncated ({where}); copy it anew or write what is left of it to "
            f"another file"
        ) from None


def _read(block: Block, batch: tf.Tensor) -> RawRows:
    import tensorflow as tf

    rows = block.first_row + np.arange(len(batch))
    wrong: Wrong = {}
    try:
        columns = _parse(block, batch)
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
        columns, wrong = _parse_parts(block, batch)
    rejects = [
        Reject(int(rows[i]), reason, _text(batch[i]), column)
        for i, (reason, column) in wrong.items()
    ]
    at = np.delete(np.arange(len(batch)), list(wrong))
    return RawRows(
        columns,
        rows[at],
        rows[at],
        rejected(block, rejects),
        lambda index: _text(batch[int(at[index])]),
    )


def _parse(block: Block, batch: tf.Tensor) -> pa.RecordBatch:
    import tensorflow as tf

    types = {pa.binary(): tf.string, pa.int64(): tf.int64, pa.float32(): tf.float32}
    wanted = [(c.name, block.file.type_of(c.name)) for c in block.file.wanted]
    features = {
        name: tf.io.RaggedFeature(types.get(kind, tf.string), row_splits_dtype=tf.int64)
        for name, kind in wanted
    }
    parsed = tf.io.parse_example(batch, features)
    return pa.RecordBatch.from_arrays(
        [_lists(parsed[name]) for name, _ in wanted], [name for name, _ in wanted]
    )


def _lists(values: tf.RaggedTensor) -> pa.ListArray:
    import tensorflow as tf

    flat = values.flat_values
    if flat.dtype != tf.string:
        array = pa.array(flat.numpy())
    else:
        sizes = tf.strings.length(flat).numpy()
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        joined = tf.strings.reduce_join(flat).numpy()
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(joined)]
        array = pa.Array.from_buffers(pa.binary(), len(sizes), buffers)
    return pa.ListArray.from_arrays(pa.array(values.row_splits.numpy().astype(np.int32)), array)


def _parse_parts(block: Block, batch: tf.Tensor) -> tuple[pa.RecordBatch, Wrong]:
    """The columns of the records that are right, and what is wrong with the others."""
    import tensorflow as tf

    parts: list[pa.RecordBatch] = []
    wrong: Wrong = {}
    for start in range(0, len(batch), _PART_RECORDS):
        some = batch[start : start + _PART_RECORDS]
        try:
            parts.append(_parse(block, some))
        except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
            part, found = _parse_each(block, some)
            wrong |= {start + record: fault for record, fault in found.items()}
            parts.append(part)
    names = [column.name for column in block.file.wanted]
    arrays = [joined([part.column(name) for part in parts]) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names), wrong


def _parse_each(block: Block, batch: tf.Tensor) -> tuple[pa.RecordBatch, Wrong]:
    import tensorflow as tf

    names = [column.name for column in block.file.wanted]
    values: dict[str, list[Any]] = {name: [] for name in names}
    wrong: Wrong = {}
    for i, record in enumerate(batch.numpy()):
        try:
            features = tf.train.Example.FromString(record).features.feature
        except DecodeError:
            wrong[i] = NOT_EXAMPLE, None
            continue
        for name in names:
            feature = features.get(name)
            kind = feature.WhichOneof("kind") if feature else None
            values[name].append(list(getattr(feature, kind).value) if kind else None)
    arrays = [unified(column)[0] for column in values.values()]
    return pa.RecordBatch.from_arrays(arrays, names), wrong


def _text(record: tf.Tensor) -> str:
    import tensorflow as tf

    try:
        example = tf.train.Example.FromString(record.numpy())
    except DecodeError:
        return str(record.numpy()[:1000].decode("utf-8", errors="replace"))
    return " ".join(MessageToJson(example.features, indent=None).split())
