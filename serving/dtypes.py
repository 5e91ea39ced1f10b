"""TensorFlow's data types as numpy knows them, without TensorFlow."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class TensorError(ValueError):
    """An array that has no `TensorProto`, or a `TensorProto` that has no array."""


class _Kind(NamedTuple):
    """How one TensorFlow type is held: numpy's name for it, and the field of its values."""

    dtype: str
    field: str


DT_STRING = 7

_KINDS = {
    1: _Kind("float32", "float_val"),
    2: _Kind("float64", "double_val"),
    3: _Kind("int32", "int_val"),
    4: _Kind("uint8", "int_val"),
    5: _Kind("int16", "int_val"),
    6: _Kind("int8", "int_val"),
    DT_STRING: _Kind("object", "string_val"),
    8: _Kind("complex64", "scomplex_val"),
    9: _Kind("int64", "int64_val"),
    10: _Kind("bool", "bool_val"),
    14: _Kind("bfloat16", "half_val"),
    17: _Kind("uint16", "int_val"),
    18: _Kind("complex128", "dcomplex_val"),
    19: _Kind("float16", "half_val"),
    22: _Kind("uint32", "uint32_val"),
    23: _Kind("uint64", "uint64_val"),
}
_NUMBERS = {kind.dtype: number for number, kind in _KINDS.items()}


@lru_cache
def numpy_dtype(number: int) -> np.dtype:
    """The numpy type of a TensorFlow `DataType` number; strings are `object`.

    Raises:
        TensorError: When the type has no numpy form here (resources, variants, quantised types).
    """
    if number not in _KINDS:
        raise TensorError(f"data type {number} has no numpy equivalent")
    name = _KINDS[number].dtype
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


@lru_cache  # numpy takes microseconds to name a type
def tensorflow_dtype(dtype: np.dtype) -> int:
    """The TensorFlow `DataType` number of a numpy type.

    Raises:
        TensorError: When TensorFlow has no such type.
    """
    name = "object" if dtype.kind in "OSU" else dtype.name
    if name not in _NUMBERS:
        raise TensorError(f"numpy type {dtype} has no TensorFlow equivalent")
    return _NUMBERS[name]


def field_of(number: int) -> str:
    """The typed field of a `TensorProto` that holds the values of a `DataType` number."""
    return _KINDS[number].field
