"""The values of slice columns, numbered."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Ints

MOST_VALUES = 50
"""Values of a column that are slices; below 128."""


class Values:
    """Numbers for the values of one slice column.

    Args:
        first: values of the first rows as text. The 50 most frequent of them are slices; if they
            are fewer, further values become slices as they come.
    """

    def __init__(self, first: Counter[str]) -> None:
        ordered = sorted(first, key=lambda value: (-first[value], value))
        self.names = ordered[:MOST_VALUES]
        self._numbers: dict[str, int] = {name: i for i, name in enumerate(self.names)}

    def of(self, distinct: list[str], codes: Ints) -> Ints:
        """The number of each row's value `[n]`; -1 if it is no slice.

        Args:
            distinct: texts.
            codes: each row's place in `distinct`, `[n]`.
        """
        for value in distinct:
            if value not in self._numbers and len(self.names) < MOST_VALUES:
                self._numbers[value] = len(self.names)
                self.names.append(value)
        numbers = [self._numbers.get(value, -1) for value in distinct]
        return np.asarray(numbers, np.intp)[codes]


def coded(values: npt.ArrayLike, count: int, column: str) -> tuple[list[str], Ints]:
    """Distinct values as text, and each row's place among them `[n]`.

    Raises:
        ValueError: if there are not `count` of them.
    """
    found = np.asarray(values)
    if found.shape != (count,):
        raise ValueError(
            f"slice column '{column}' should have shape ({count},). Received: {found.shape}"
        )
    rows = found.tolist()
    places = {value: place for place, value in enumerate(dict.fromkeys(rows))}
    codes = np.fromiter((places[value] for value in rows), np.intp, count)
    texts = [value.decode() if isinstance(value, bytes) else str(value) for value in places]
    return texts, codes
