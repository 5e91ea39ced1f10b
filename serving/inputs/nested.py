"""Lists of lists of different lengths as rectangles, padded with what is missing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

_LISTS = (list, tuple, np.ndarray)


def depth(value: Any) -> int:
    """How many lists a value is nested in: 0 for a scalar, 1 for a list of scalars.

    A list that holds a list anywhere is a list of lists; what is None in it is an empty one.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        return int(value.ndim)
    if not isinstance(value, _LISTS):
        return 0
    return 1 + max((depth(item) for item in value if isinstance(item, _LISTS)), default=0)


def extent(value: Any, levels: int) -> tuple[int, ...]:
    """The length of the longest list at each level.

    Args:
        value: Lists nested that deep; None stands for an empty list.
        levels: How deep, at least 1.
    """
    if value is None:
        return (0,) * levels
    if levels == 1:
        return (len(value),)
    inner = [extent(row, levels - 1) for row in value]
    longest = (max(sizes) for sizes in zip(*inner, strict=True)) if inner else [0] * (levels - 1)
    return (len(value), *longest)


def flattened(value: Any, sizes: Sequence[int], missing: Any) -> list[Any]:
    """The values of nested lists in order, every list filled up to its level's length.

    Args:
        value: The lists.
        sizes: The length of every level's lists, the outermost first.
        missing: What fills them up.
    """
    rows = [] if value is None else list(value)
    if len(sizes) == 1:
        return rows + [missing] * (sizes[0] - len(rows))
    rows += [None] * (sizes[0] - len(rows))
    return [item for row in rows for item in flattened(row, sizes[1:], missing)]
