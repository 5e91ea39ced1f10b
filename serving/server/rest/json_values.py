"""JSON values as the values of a tensor: which fit a data type, and what is said of the others."""

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any

import grpc
from tensorflow.core.framework import types_pb2

from serving.dtypes import field_of
from serving.server.rest.json_text import is_double, is_integer, shown, type_name
from serving.server.status import StatusError, invalid_argument

FLOAT_MAX = 3.4028234663852886e38


class Column:
    """The values of one input, gathered from one or more nested lists of the same shape.

    Args:
        dtype: The `DataType` of the input.

    Attributes:
        shape: The shape of each of the lists, `None` before the first.
    """

    def __init__(self, dtype: int):
        self.shape: tuple[int, ...] | None = None
        self._dtype = dtype
        self._convert = _CONVERSIONS.get(dtype)
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        """Takes the values of a scalar or nested list.

        Raises:
            StatusError: INVALID_ARGUMENT when they are of another type, or the list is ragged or
                of another shape than those before.
        """
        shape = _shape(value)
        before = len(self._values)
        self._gather(value, 0, shape)
        if self.shape is None:
            self.shape = shape
            return
        size, received = math.prod(self.shape), len(self._values) - before
        if received != size:
            raise invalid_argument(f"Expecting tensor size: {size} but got: {received}")
        if shape != self.shape:
            raise invalid_argument(
                f"Expecting shape {_listed(self.shape)} but got: {_listed(shape)}"
            )

    def write(self, tensor: Any, shape: tuple[int, ...]) -> None:
        """Fills an empty `TensorProto` with all values, in a shape."""
        tensor.dtype = self._dtype
        tensor.tensor_shape.SetInParent()
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
        if self._values:
            getattr(tensor, field_of(self._dtype)).extend(self._values)

    def _gather(self, value: Any, level: int, shape: tuple[int, ...]) -> None:
        if not isinstance(value, list):
            if level != len(shape):
                raise invalid_argument(
                    f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the "
                    f"JSON DOM. Expected at level: {len(shape)}"
                )
            self._values.append(self._converted(value))
            return
        if level >= len(shape):
            raise invalid_argument(
                f"Encountered list at unexpected level: {level} expected < {len(shape)}"
            )
        if len(value) != shape[level]:
            raise invalid_argument(
                f"Encountered list at unexpected size: {len(value)} at level: {level} "
                f"expected size: {shape[level]}"
            )
        for item in value:
            self._gather(item, level + 1, shape)

    def _converted(self, value: Any) -> Any:
        if isinstance(value, dict) and self._dtype == types_pb2.DT_STRING:
            return unbase64(value)
        if self._convert is None:
            raise StatusError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"Conversion of JSON Value: {shown(value)} to type: {_type_text(self._dtype)}",
            )
        converted = self._convert(value)
        if converted is None:
            raise invalid_argument(
                f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: "
                f"{_type_text(self._dtype)}"
            )
        return converted


def is_base64(value: Any) -> bool:
    """Whether a value is `{"b64": "..."}`, which stands for bytes."""
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def unbase64(value: dict[str, Any]) -> bytes:
    """The bytes that `{"b64": "..."}` stands for.

    Raises:
        StatusError: INVALID_ARGUMENT when it does not.
    """
    if not is_base64(value):
        raise invalid_argument(
            f"JSON Value: {shown(value)} not formatted correctly for base64 data"
        )
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def as_bytes(text: str) -> bytes:
    """A string of `json_text.parse` as it was sent."""
    return text.encode("utf-8", "surrogateescape")


def lossy(value: Any, kind: str) -> StatusError:
    """What is said of a number that a type cannot hold."""
    return invalid_argument(
        f"Cannot convert JSON value: {shown(value)} to {kind} without loss of precision."
    )


def _single(value: Any) -> float | None:
    return _number(value, "float", 2**24 - 1, FLOAT_MAX)


def _double(value: Any) -> float | None:
    return _number(value, "double", 2**53 - 1, math.inf)


def _number(value: Any, kind: str, most_whole: int, most: float) -> float | None:
    if type(value) is not float and type(value) is not int:
        return None
    if type(value) is int and not is_double(value):
        lossless = abs(value) <= most_whole
    else:
        lossless = abs(value) <= most or not math.isfinite(value)
    if not lossless:
        raise lossy(value, kind)
    return float(value)


def _whole(least: int, most: int) -> Callable[[Any], int | None]:
    return lambda value: value if is_integer(value, least, most) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> bytes | None:
    return as_bytes(value) if isinstance(value, str) else None


# By data type: what makes a JSON value one of the tensor's, `None` when it is of another type.
_INT32 = _whole(-(2**31), 2**31 - 1)
_CONVERSIONS: dict[int, Callable[[Any], Any]] = {
    types_pb2.DT_FLOAT: _single,
    types_pb2.DT_DOUBLE: _double,
    types_pb2.DT_INT32: _INT32,
    types_pb2.DT_INT16: _INT32,
    types_pb2.DT_INT8: _INT32,
    types_pb2.DT_UINT8: _INT32,
    types_pb2.DT_STRING: _text,
    types_pb2.DT_INT64: _whole(-(2**63), 2**63 - 1),
    types_pb2.DT_BOOL: _boolean,
    types_pb2.DT_UINT32: _whole(0, 2**32 - 1),
    types_pb2.DT_UINT64: _whole(0, 2**64 - 1),
}


def _shape(value: Any) -> tuple[int, ...]:
    """The shape a nested list says it has: the lengths of its first elements."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _listed(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _type_text(dtype: int) -> str:
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
