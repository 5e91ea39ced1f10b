"""A caller's values as the arrays a signature takes, checked before anything is sent.

A request holds one batch. A value of one row, or a value that lacks the batch dimension, is
repeated to the batch: one user beside a hundred candidates is written once. Values are cast to
the declared type; a number that an integer type cannot hold exactly is refused. None is missing:
"" among strings, NaN among floats, and a list that is missing is empty. Lists of different lengths
are padded with what is missing; vectors, whose size is declared, are not.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.errors import ServingError
from serving.metadata import Signature, TensorSpec


def prepare(
    inputs: Mapping[str, Any], signature: Signature, broadcast: bool = True
) -> dict[str, np.ndarray]:
    """Casts, broadcasts and checks the inputs of one request.

    Args:
        inputs: Array-likes by input name.
        signature: What the server takes.
        broadcast: Whether to repeat rows to the batch. Without it, values keep their lengths.

    Returns:
        One array per input, of the declared type.

    Raises:
        ServingError: INVALID_ARGUMENT, naming the input that is missing, unknown, of the wrong
            type, of the wrong shape or of another length than the batch.
    """
    _check_names(inputs, signature)
    arrays = {
        name: _shaped(name, _cast(name, _filled(name, value, spec), spec), spec)
        for name, value in inputs.items()
        for spec in [signature.inputs[name]]
    }
    return _broadcast(arrays, signature) if broadcast else arrays


def _filled(name: str, value: Any, spec: TensorSpec) -> Any:
    """The value with None replaced, and a batch's lists made as long as the longest."""
    if spec.dtype != "string" and not spec.dtype.startswith("float"):
        return value
    missing: Any = "" if spec.dtype == "string" else math.nan
    if spec.shape is None or len(spec.shape) < 2:
        if isinstance(value, list | tuple):
            return [missing if item is None else item for item in value]
        return missing if value is None else value
    size = spec.shape[1]  # of vectors; other lists may have any
    absent = [missing] * (size or 0)
    if value is None:
        return absent
    if not isinstance(value, list | tuple):
        return value
    if size and all(row is None for row in value):
        return [absent] * len(value)
    if not any(isinstance(row, list | tuple) for row in value):
        return [missing if item is None else item for item in value]
    rows = [[missing if item is None else item for item in row or absent] for row in value]
    wrong = next((row for row in rows if size and len(row) != size), None)
    if wrong is not None:
        raise _invalid(f"input `{name}` should have {size} values a row. Received: {len(wrong)}")
    longest = max(map(len, rows))
    return [row + [missing] * (longest - len(row)) for row in rows]


def _invalid(message: str) -> ServingError:
    return ServingError("INVALID_ARGUMENT", message)


def _check_names(inputs: Mapping[str, Any], signature: Signature) -> None:
    takes = f"signature `{signature.name}` takes: {', '.join(signature.inputs)}"
    unknown = sorted(set(inputs) - set(signature.inputs))
    if unknown:
        raise _invalid(f"unknown input `{'`, `'.join(unknown)}`; {takes}")
    missing = sorted(set(signature.inputs) - set(inputs) - signature.optional)
    if missing:
        raise _invalid(f"missing input `{'`, `'.join(missing)}`; {takes}")


def _cast(name: str, value: Any, spec: TensorSpec) -> np.ndarray:
    if spec.dtype == "string":
        return _strings(name, value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise _invalid(f"input `{name}` should be rectangular: {error}") from error
    if array.size == 0:
        return array.astype(spec.numpy_dtype)
    if array.dtype.kind not in "biufV" and array.dtype.kind != spec.numpy_dtype.kind:
        raise _invalid(f"input `{name}` should be {spec.dtype}. Received: {_sample(array)}")
    with np.errstate(invalid="ignore", over="ignore"):
        cast = array.astype(spec.numpy_dtype)
    if cast.dtype.kind in "biu" and not np.array_equal(cast, array):
        wrong = array.ravel()[np.flatnonzero(cast.ravel() != array.ravel())[0]]
        raise _invalid(f"input `{name}` should be {spec.dtype}, which {wrong} is not")
    return cast


def _strings(name: str, value: Any) -> np.ndarray:
    # `asarray` would cut the trailing zero bytes of `bytes`, hence dtype=object.
    try:
        array = np.asarray(value, dtype=object)
    except ValueError as error:
        raise _invalid(f"input `{name}` should be rectangular: {error}") from error
    encoded = np.empty(array.shape, object)
    for index, item in enumerate(array.ravel()):
        if isinstance(item, str):
            encoded.flat[index] = _utf8(name, item)
        elif isinstance(item, bytes):
            encoded.flat[index] = item
        else:
            raise _invalid(f"input `{name}` should be string. Received: {item!r}")
    return encoded


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, as JSON can write it
        raise _invalid(f"input `{name}` should be text. Received: {text!r}") from error


def _sample(array: np.ndarray) -> str:
    return repr(array.ravel()[0].item() if array.dtype.kind in "SU" else array.ravel()[0])


def _shaped(name: str, array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Adds the batch dimension where it was left out, and checks every other dimension."""
    if spec.shape is None:
        return array
    if array.ndim == len(spec.shape) - 1 and spec.shape[0] in (None, 1):
        array = array[np.newaxis]
    fits = array.ndim == len(spec.shape) and all(
        declared in (None, size) for declared, size in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise _invalid(
            f"input `{name}` should have shape {_show(spec.shape)}. Received: {_show(array.shape)}"
        )
    return array


def _show(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _broadcast(arrays: dict[str, np.ndarray], signature: Signature) -> dict[str, np.ndarray]:
    """Repeats the inputs of one row whose first dimension is open to the batch's length."""
    batched = {}
    for name, array in arrays.items():
        shape = signature.inputs[name].shape
        if shape is None or (shape and shape[0] is None):
            batched[name] = array
    lengths = {name: len(array) for name, array in batched.items() if array.ndim}
    longer = {name: length for name, length in lengths.items() if length != 1}
    if len(set(longer.values())) > 1:
        described = ", ".join(f"`{name}` {length}" for name, length in longer.items())
        raise _invalid(f"inputs should have one length, or 1. Received: {described}")
    if not longer:
        return arrays
    batch = next(iter(longer.values()))
    repeated = {
        name: np.repeat(array, batch, axis=0)
        for name, array in batched.items()
        if lengths.get(name) == 1
    }
    return {**arrays, **repeated}
