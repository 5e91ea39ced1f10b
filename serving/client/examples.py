"""Rows as `tf.Example` messages, for signatures that read serialized examples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from serving import protocol
from serving.inputs.arrow import is_arrow
from serving.inputs.values import as_array, invalid
from serving.metadata import Signature

_FIELDS = {"O": "bytes_list", "S": "bytes_list", "U": "bytes_list", "f": "float_list"}


def to_examples(rows: Any, columns: Signature | None) -> list[Any]:
    """Messages of rows.

    Args:
        rows: A mapping of columns to values, or a list of such; serialized examples; or an Arrow
            table.
        columns: The signature whose inputs are the model's raw columns, which gives the types;
            None to take those of the values.

    Raises:
        ServingError: INVALID_ARGUMENT, naming the row and the column that cannot be written.
    """
    if is_arrow(rows):
        rows = rows.to_pylist()
    if isinstance(rows, Mapping | bytes):
        rows = [rows]
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise invalid(
            "examples should be a mapping of columns to values, or a list of such. "
            f"Received: {type(rows).__name__}"
        )
    return [_example(number, row, columns) for number, row in enumerate(rows)]


def _example(number: int, row: Any, columns: Signature | None) -> Any:
    if isinstance(row, bytes):
        try:
            return protocol.Example.FromString(row)
        except DecodeError as error:
            raise invalid(f"example {number} should be a serialized tf.Example") from error
    if not isinstance(row, Mapping):
        raise invalid(
            f"example {number} should be a mapping of columns to values or a serialized "
            f"tf.Example. Received: {type(row).__name__}"
        )
    example = protocol.Example()
    for name, value in row.items():
        if value is None:
            continue  # a feature that is not there is missing
        if columns is not None and name not in columns.inputs:
            raise invalid(
                f"example {number} has an unknown column `{name}`; "
                f"the model reads: {', '.join(columns.inputs)}"
            )
        array = _values(name, value, columns)
        feature = example.features.feature[name]
        getattr(feature, _FIELDS.get(array.dtype.kind, "int64_list")).value.extend(array.tolist())
    return example


def _values(name: str, value: Any, columns: Signature | None) -> np.ndarray:
    if columns is not None:
        return as_array(name, value, columns.inputs[name]).array.ravel()
    items = np.asarray(value, dtype=object).ravel().tolist()
    if all(isinstance(item, str | bytes) for item in items):
        array = np.empty(len(items), object)
        array[:] = [item.encode() if isinstance(item, str) else item for item in items]
        return array
    array = np.asarray(items)
    if array.dtype.kind not in "biuf":
        raise invalid(f"column `{name}` should be text or numbers. Received: {value!r}")
    return array
