"""Predict with tensors that cannot be read: types, shapes and contents that contradict."""

from collections.abc import Callable
from typing import Any

import numpy as np

from serving.conformance.case import MODEL, REFERENCE, grouped
from serving.conformance.requests import Bend, fitting, predict
from serving.conformance.target import Target
from serving.dtypes import DT_STRING
from serving.tensors import encode

_UNREADABLE = "^tensor parsing error: .+$"


def _first(change: Callable[[Any], None]) -> Bend:
    """Changes the first input's tensor."""

    def bend(request: Any, target: Target) -> None:
        change(request.inputs[min(request.inputs)])

    return bend


def _other_type(proto: Any) -> None:
    """A string where a number belongs, a number where a string does."""
    array = np.full([dim.size for dim in proto.tensor_shape.dim], 1.0, np.float32)
    wanted: Any = array if proto.dtype == DT_STRING else np.full(array.shape, b"x", object)
    proto.Clear()
    encode(wanted, proto)


def _no_type(proto: Any) -> None:
    proto.dtype = 0


def _unknown_type(proto: Any) -> None:
    proto.dtype = 4242


def _negative_size(proto: Any) -> None:
    proto.tensor_shape.dim.add(size=-5)


def _unknown_rank(proto: Any) -> None:
    proto.tensor_shape.unknown_rank = True


def _overflowing(proto: Any) -> None:
    del proto.tensor_shape.dim[:]
    for _ in range(2):
        proto.tensor_shape.dim.add(size=2**40)


def _many_dimensions(proto: Any) -> None:
    for _ in range(300):
        proto.tensor_shape.dim.add(size=1)


def _deep(proto: Any) -> None:
    """One dimension more than declared, which the graph may or may not mind."""
    proto.tensor_shape.dim.add(size=1)


def _flat(proto: Any) -> None:
    proto.tensor_shape.SetInParent()
    del proto.tensor_shape.dim[:]


def _cut(request: Any, target: Target) -> None:
    request.inputs["x"].ClearField("float_val")
    request.inputs["x"].tensor_content = b"abc"


def _x(value: Any, item: Any = ("bread",)) -> dict[str, Any]:
    return {"item": list(item), "x": np.asarray(value, np.float32)}


_any = grouped("tensors", "cc/saved_model/util.cc, framework/tensor.cc", MODEL)
_reference = grouped("tensors", "framework/tensor.cc, the kernels of the model", REFERENCE)

CASES = (
    _any(
        "another type",
        fitting(_first(_other_type)),
        "INVALID_ARGUMENT",
        r"to be \w+ but \w+ is provided",
    ),
    _any("no type", fitting(_first(_no_type)), "INVALID_ARGUMENT", _UNREADABLE),
    _any("a type that is not", fitting(_first(_unknown_type)), "INVALID_ARGUMENT", _UNREADABLE),
    _any("a negative size", fitting(_first(_negative_size)), "INVALID_ARGUMENT", _UNREADABLE),
    _any("an unknown rank", fitting(_first(_unknown_rank)), "INVALID_ARGUMENT", _UNREADABLE),
    _any("a size that overflows", fitting(_first(_overflowing)), "INVALID_ARGUMENT", _UNREADABLE),
    _any("300 dimensions", fitting(_first(_many_dimensions)), "INVALID_ARGUMENT", _UNREADABLE),
    _any("a rank too high", fitting(_first(_deep)), "OK|INVALID_ARGUMENT"),
    _any("a scalar", fitting(_first(_flat)), "OK|INVALID_ARGUMENT"),
    _reference("content too short", predict(_x([[1, 2]]), _cut), "INVALID_ARGUMENT", _UNREADABLE),
    _reference(
        "a vector for a matrix",
        predict(_x([1, 2])),
        "INVALID_ARGUMENT",
        "(?i)matri|rank|shape|ndims",
    ),
    _reference(
        "five columns for two",
        predict(_x([[1, 2, 3, 4, 5]])),
        "INVALID_ARGUMENT",
        "(?i)matri|shape|dimension",
    ),
    _reference(
        "a double for a float",
        predict({"item": ["bread"], "x": np.ones((1, 2))}),
        "INVALID_ARGUMENT",
        "to be float but double is provided",
    ),
)
