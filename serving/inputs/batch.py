"""The inputs of one request as one batch.

A value of one row, or a value that lacks the batch dimension, is repeated to the batch: one user
beside a hundred candidates is written once. A batch of more than one row carries every input, with
the defaults repeated, as a server that joins requests into batches needs equal numbers of rows.
"""

from typing import Any, NamedTuple

import numpy as np

from serving.inputs.arrow import columns
from serving.inputs.values import Given, as_array, invalid
from serving.metadata import Signature
from serving.signatures import CANDIDATES


class Batch(NamedTuple):
    """What a request carries.

    Attributes:
        arrays: By input, of the declared types.
        single: Whether everything was given for one row, without the batch dimension.
        candidates: How many candidates each row has, where the signature takes any.
    """

    arrays: dict[str, np.ndarray]
    single: bool
    candidates: list[int] | None = None


def make_batch(inputs: Any, signature: Signature, broadcast: bool = True) -> Batch:
    """Casts, broadcasts and checks the inputs of one request.

    Args:
        inputs: Array-likes by input name, or an Arrow table. None for an input that has a default
            leaves it out.
        signature: What the server takes.
        broadcast: Whether to repeat rows to the batch. Without it, values keep their lengths.

    Raises:
        ServingError: INVALID_ARGUMENT, naming the input that is missing, unknown, of the wrong
            type, of the wrong shape or of another length than the batch.
    """
    named = {
        name: value
        for name, value in columns(inputs).items()
        if value is not None or name not in signature.defaults
    }
    _check_names(named, signature)
    with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is looked for after
        given = {
            name: as_array(name, value, signature.inputs[name]) for name, value in named.items()
        }
    single = bool(given) and all(_is_single(value) for value in given.values())
    _fill_candidates(given, signature)
    arrays = {name: value.array for name, value in given.items()}
    if broadcast:
        arrays = _broadcast(arrays, signature)
    return Batch(arrays, single, _candidates(arrays, signature))


def prepare(inputs: Any, signature: Signature, broadcast: bool = True) -> dict[str, np.ndarray]:
    """The arrays of `make_batch`."""
    return make_batch(inputs, signature, broadcast).arrays


def _is_single(given: Given) -> bool:
    return given.lacked_batch or not given.array.ndim


def _check_names(inputs: Any, signature: Signature) -> None:
    takes = f"signature `{signature.name}` takes: {', '.join(signature.inputs)}"
    unknown = inputs.keys() - signature.inputs.keys()
    if unknown:
        raise invalid(f"unknown input `{'`, `'.join(sorted(map(str, unknown)))}`; {takes}")
    missing = sorted(signature.inputs.keys() - inputs.keys() - signature.defaults.keys())
    if missing:
        raise invalid(f"missing input `{'`, `'.join(missing)}`; {takes}")


def _fill_candidates(given: dict[str, Given], signature: Signature) -> None:
    """Says how many candidates are real where their lists had different lengths."""
    key = signature.candidate_key
    lengths = given[key].lengths if key else None
    if lengths and len(set(lengths)) > 1 and CANDIDATES not in given:
        given[CANDIDATES] = Given(np.asarray(lengths, np.int32), lacked_batch=False)


def _candidates(arrays: dict[str, np.ndarray], signature: Signature) -> list[int] | None:
    """How many candidates of each row are real."""
    key = signature.candidate_key
    if key is None:
        return None
    rows, most = arrays[key].shape[:2]
    real = arrays[CANDIDATES] if CANDIDATES in arrays else np.array([-1])
    return [most if count < 0 else min(int(count), most) for count in np.broadcast_to(real, rows)]


def _broadcast(arrays: dict[str, np.ndarray], signature: Signature) -> dict[str, np.ndarray]:
    """Repeats inputs and defaults of one row, whose first dimension is open, to the batch."""
    lengths = {
        name: len(array)
        for name, array in arrays.items()
        if array.ndim and _is_open(name, signature)
    }
    longer = {name: length for name, length in lengths.items() if length != 1}
    if not longer:
        return arrays
    if len(set(longer.values())) > 1:
        described = ", ".join(f"`{name}` {length}" for name, length in longer.items())
        raise invalid(f"inputs should have one length, or 1. Received: {described}")
    batch = next(iter(longer.values()))
    of_one_row = {name: arrays[name] for name, length in lengths.items() if length == 1}
    for name, default in signature.defaults.items():
        one_row = default.ndim > 0 and len(default) == 1
        if name not in arrays and one_row and _is_open(name, signature):
            of_one_row[name] = default
    repeated = {name: np.repeat(array, batch, axis=0) for name, array in of_one_row.items()}
    return {**arrays, **repeated}


def _is_open(name: str, signature: Signature) -> bool:
    shape = signature.inputs[name].shape
    return shape is None or (len(shape) > 0 and shape[0] is None)
