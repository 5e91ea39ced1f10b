"""One input's value as an array of the type and the number of dimensions a signature declares.

Values are cast to the declared type; a number that an integer type cannot hold exactly is refused,
and so is text for a number or a number for text. None is missing: "" among strings, NaN among
floats, -1 among int64 ids, and a list that is missing is empty. Lists of different lengths are
padded with what is missing; vectors, whose size is declared, are not.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from serving.errors import ServingError
from serving.inputs.arrow import is_arrow, plain
from serving.inputs.nested import depth, extent, flattened
from serving.metadata import TensorSpec, shown


class Given(NamedTuple):
    """An input as it was given.

    Attributes:
        array: Of the declared type and number of dimensions.
        lacked_batch: Whether it was of one row without the batch dimension.
        lengths: Of lists by row, before they were padded; None where it was no list of lists.
    """

    array: np.ndarray
    lacked_batch: bool
    lengths: list[int] | None = None


def invalid(message: str) -> ServingError:
    """A refusal of what the caller gave."""
    return ServingError("INVALID_ARGUMENT", message)


def as_array(name: str, value: Any, spec: TensorSpec) -> Given:
    """Casts and checks one input.

    Args:
        name: The input's, for messages.
        value: A scalar, nested lists, an array of numpy or of Arrow.
        spec: What the signature declares.

    Raises:
        ServingError: INVALID_ARGUMENT, naming the input, what was expected and what came.
    """
    if is_arrow(value):
        value = plain(value)
    lengths = None
    many = spec.shape is not None and len(spec.shape) > 1
    if many and _is_nested(value):
        array, lengths = _rectangle(name, value, spec)
    else:
        if value is None:
            value = _missing(name, spec)
        array = _cast(name, value, spec)
    array, lacked_batch = _shaped(name, array, spec)
    return Given(array, lacked_batch, lengths)


def _is_nested(value: Any) -> bool:
    boxed = isinstance(value, np.ndarray) and value.dtype == object
    return value is None or isinstance(value, list | tuple) or boxed


def _missing(name: str, spec: TensorSpec) -> Any:
    if spec.dtype == "string":
        return b""
    if spec.dtype.startswith(("float", "bfloat")):
        return math.nan
    if spec.dtype == "int64":
        return -1
    raise invalid(f"input `{name}` should be {spec.dtype}. Received: None")


def _rectangle(name: str, value: Any, spec: TensorSpec) -> tuple[np.ndarray, list[int] | None]:
    """Nested lists as an array, and the lengths of each row's lists."""
    shape = spec.shape or ()
    declared = shape[1:]
    levels = len(shape) - 1 if value is None else depth(value)
    if len(declared) == 1 and declared[0] and _all_none(value):
        levels = 2
    if not len(declared) <= levels <= len(shape):
        received = shown(extent(value, levels))
        raise invalid(f"input `{name}` should have shape {shown(shape)}. Received: {received}")
    found = extent(value, levels)
    inner = found[-len(declared) :]
    sizes = tuple(
        size if size and not longest else longest
        for size, longest in zip(declared, inner, strict=True)
    )
    if len(declared) == 1 and declared[0]:
        _check_vectors(name, [value] if levels == 1 else value, declared[0])
    full = (*found[: -len(declared)], *sizes)
    items = flattened(value, full, _missing(name, spec) if _pads(value, full) else None)
    lengths = None
    if levels == len(shape):
        lengths = [0 if row is None else len(row) for row in value]
    return _cast(name, items, spec).reshape(full), lengths


def _all_none(value: Any) -> bool:
    return value is not None and len(value) > 0 and all(row is None for row in value)


def _pads(value: Any, sizes: tuple[int, ...]) -> bool:
    """Whether lists are shorter than their level's longest, which needs a value to pad with."""
    if value is None or len(value) != sizes[0]:
        return sizes[0] > 0
    return len(sizes) > 1 and any(_pads(row, sizes[1:]) for row in value)


def _check_vectors(name: str, rows: Any, size: int) -> None:
    for row in rows:
        if row is not None and len(row) not in (0, size):
            raise invalid(f"input `{name}` should have {size} values a row. Received: {len(row)}")


def _cast(name: str, value: Any, spec: TensorSpec) -> np.ndarray:
    if spec.dtype == "string":
        return _strings(name, value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise invalid(f"input `{name}` should be rectangular: {error}") from error
    if array.dtype == spec.numpy_dtype:
        return array
    if array.dtype == object:
        array = _numbers(name, array, spec)
    if array.size == 0:
        return array.astype(spec.numpy_dtype)
    if array.dtype.kind not in "biufV" and array.dtype.kind != spec.numpy_dtype.kind:
        raise invalid(f"input `{name}` should be {spec.dtype}. Received: {_sample(array)}")
    cast = array.astype(spec.numpy_dtype)
    if cast.dtype.kind in "biu" and not np.array_equal(cast, array):
        wrong = array.ravel()[np.flatnonzero(cast.ravel() != array.ravel())[0]]
        raise invalid(f"input `{name}` should be {spec.dtype}, which {wrong} is not")
    return cast


def _numbers(name: str, array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """Numbers among which some are None."""
    items = array.ravel().tolist()
    if not any(item is None for item in items):
        raise invalid(f"input `{name}` should be {spec.dtype}. Received: {items[0]!r}")
    missing = _missing(name, spec)
    return np.asarray([missing if item is None else item for item in items]).reshape(array.shape)


def _strings(name: str, value: Any) -> np.ndarray:
    items: Any
    shape: tuple[int, ...]
    # `asarray` would cut the trailing zero bytes of `bytes`, hence the object arrays.
    if isinstance(value, list | tuple):
        items, shape = value, (len(value),)
    elif isinstance(value, np.ndarray):
        items, shape = value.ravel().tolist(), value.shape
        if value.dtype == object and set(map(type, items)) == {bytes}:
            return value
    elif hasattr(value, "__array__") and not isinstance(value, str | bytes):
        return _strings(name, np.asarray(value, dtype=object))
    else:
        items, shape = [value], ()
    array = np.empty(len(items), object)
    try:
        array[:] = _encoded(name, items)
    except UnicodeEncodeError as error:  # half of a surrogate pair, as JSON can write it
        raise invalid(f"input `{name}` should be text. Received: {error.object!r}") from error
    return array.reshape(shape)


def _encoded(name: str, items: Any) -> Any:
    try:
        return list(map(str.encode, items))  # the common case at the speed of C
    except TypeError:
        encoded = []
    for item in items:
        if item is None:
            encoded.append(b"")
        elif isinstance(item, str):
            encoded.append(item.encode())
        elif isinstance(item, bytes):
            encoded.append(item)
        else:
            raise invalid(f"input `{name}` should be string. Received: {item!r}")
    return encoded


def _sample(array: np.ndarray) -> str:
    return repr(array.ravel()[0].item() if array.dtype.kind in "SU" else array.ravel()[0])


def _shaped(name: str, array: np.ndarray, spec: TensorSpec) -> tuple[np.ndarray, bool]:
    """Adds the batch dimension where it was left out, and checks every other dimension."""
    if spec.shape is None:
        return array, False
    lacked = array.ndim == len(spec.shape) - 1 and spec.shape[0] in (None, 1)
    if lacked:
        array = array[np.newaxis]
    fits = array.ndim == len(spec.shape) and all(
        declared in (None, size) for declared, size in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        expected, received = shown(spec.shape), shown(array.shape)
        raise invalid(f"input `{name}` should have shape {expected}. Received: {received}")
    return array, lacked
