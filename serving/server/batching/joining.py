"""Many requests' arrays as those of one run, and its answers taken apart again."""

from collections.abc import Mapping, Sequence

import grpc
import numpy as np

from serving.server.batching.parameters import BatchingParameters
from serving.server.status import StatusError, invalid_argument

_MOST_DIMENSIONS = 6

Feeds = Mapping[str, np.ndarray]


def rows_of(feeds: Feeds) -> int:
    """The rows of a request, its inputs' first dimension.

    Raises:
        StatusError: INVALID_ARGUMENT when they have none, or not the same.
    """
    if not feeds:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    if any(not array.ndim for array in feeds.values()):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    rows = {len(array) for array in feeds.values()}
    if len(rows) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return rows.pop()


def joined(requests: Sequence[Feeds], parameters: BatchingParameters) -> dict[str, np.ndarray]:
    """The requests' arrays one below the other, filled up to an allowed size.

    Args:
        requests: Arrays by tensor name, the same names in all; of every one the rows agree.
        parameters: Of batching.

    Raises:
        StatusError: FAILED_PRECONDITION when inputs have other shapes and are not to be padded.
    """
    total = sum(rows_of(feeds) for feeds in requests)
    missing = parameters.filled(total) - total
    together = {}
    for name in requests[0]:
        arrays = [feeds[name] for feeds in requests]
        if len({array.shape[1:] for array in arrays}) > 1:
            arrays = _evened(name, arrays, parameters.pad_variable_length_inputs)
        if missing:
            # A row that was sent is always fit for the model.
            arrays.append(np.repeat(arrays[-1][:1], missing, axis=0))
        together[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return together


def parted(
    values: Sequence[np.ndarray], rows: Sequence[int], filled: int
) -> list[list[np.ndarray]]:
    """Each request's part of the answers.

    Args:
        values: What the run gave, `[filled, ...]` each.
        rows: The requests' rows.
        filled: The rows that were run.

    Raises:
        StatusError: FAILED_PRECONDITION when an answer has another number of rows.
    """
    for value in values:
        if not value.ndim:
            raise _unfit("Batched output tensor has 0 dimensions")
        if len(value) != filled:
            raise _unfit(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                "dimension sizes of the input tensors"
            )
    parts, start = [], 0
    for count in rows:
        parts.append([value[start : start + count] for value in values])
        start += count
    return parts


def _evened(name: str, arrays: list[np.ndarray], pad: bool) -> list[np.ndarray]:
    if not pad or len({array.ndim for array in arrays}) > 1:
        raise _unfit(
            f"Tensors with name '{name}' from different tasks have different shapes and padding "
            "is turned off.Set pad_variable_length_inputs to true, or ensure that all tensors "
            "with the same namehave equal dimensions starting with the first dim."
        )
    if arrays[0].ndim > _MOST_DIMENSIONS:
        raise invalid_argument("Only tensors with rank from 1 to 6 can be padded.")
    longest = tuple(max(sizes) for sizes in zip(*(a.shape[1:] for a in arrays), strict=True))
    return [_padded(array, longest) for array in arrays]


def _padded(array: np.ndarray, longest: tuple[int, ...]) -> np.ndarray:
    if array.shape[1:] == longest:
        return array
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    padded = np.full((len(array), *longest), array.flat[0], array.dtype)
    padded[tuple(slice(size) for size in array.shape)] = array
    return padded


def _unfit(message: str) -> StatusError:
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, message)
