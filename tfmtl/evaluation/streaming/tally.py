"""Sums by slice, group and place, which grow with the slices and not with the rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Flags, Floats, Ints


class Places(NamedTuple):
    """Where rows belong.

    Attributes:
        groups: number of each row's group of users `[n]`.
        values: for each slice column the number of each row's value `[n]`, -1 where it is none of
            the slices. The first column is all rows: zeros.
    """

    groups: Ints
    values: tuple[Ints, ...]

    def of(self, rows: Flags | Ints) -> Places:
        """Those of some rows."""
        return Places(self.groups[rows], tuple(values[rows] for values in self.values))


class Tally:
    """Sums of amounts.

    Args:
        groups: how many groups sums are kept apart for; 1 for sums over all.
        size: how many places an amount can be added to; None for one, without an axis.
        dtype: of the sums.
    """

    def __init__(
        self, groups: int, size: int | None = None, dtype: npt.DTypeLike = np.float64
    ) -> None:
        self._groups, self._size, self._dtype = groups, size, np.dtype(dtype)
        self._sums: dict[int, npt.NDArray] = {}

    def add(self, places: Places, amounts: Floats, codes: Ints | None = None) -> None:
        """Adds each row's amount to the sums of its slices.

        Args:
            places: the rows' slices and groups.
            amounts: floats `[n]`.
            codes: the place that each amount is added to, `[n]`, below `size`.
        """
        width = self._size or 1
        for column, values in enumerate(places.values):
            cells = values * (self._groups * width)
            if self._groups > 1:
                cells += places.groups * width
            if codes is not None:
                cells += codes
            added, known = amounts, values >= 0
            if not known.all():
                cells, added = cells[known], amounts[known]
            sums = self._grown(column, int(values.max(initial=-1)) + 1)
            if sums.size <= 4 * added.size:
                sums += np.bincount(cells, added, sums.size).astype(self._dtype)
            else:
                np.add.at(sums, cells, added.astype(self._dtype, copy=False))

    def of(self, column: int, value: int) -> npt.NDArray:
        """The sums of one slice: `[groups, size]`, `[groups]` without a size."""
        axes = (self._groups,) if self._size is None else (self._groups, self._size)
        sums = self._sums.get(column)
        cells = int(np.prod(axes))
        if sums is None or sums.size < (value + 1) * cells:
            return np.zeros(axes, self._dtype)
        return sums[value * cells : (value + 1) * cells].reshape(axes)

    def merge(self, other: Tally) -> None:
        """Adds another's sums, whose values have the same numbers."""
        for column, sums in other._sums.items():
            own = self._grown(column, sums.size // (self._groups * (self._size or 1)))
            own[: sums.size] += sums

    def _grown(self, column: int, values: int) -> npt.NDArray:
        """The column's sums, flat, with room for so many values."""
        sums = self._sums.get(column, np.zeros(0, self._dtype))
        missing = values * self._groups * (self._size or 1) - sums.size
        if missing > 0:
            sums = np.concatenate([sums, np.zeros(missing, self._dtype)])
        self._sums[column] = sums
        return sums


Tallies = dict[str, Tally]


def totals(tallies: Tallies, column: int, value: int) -> dict[str, Floats]:
    """The sums of a slice over all groups: each `[size]`, a number without a size."""
    return {name: t.of(column, value).sum(axis=0) for name, t in tallies.items()}


def resampled(
    tallies: Tallies, column: int, value: int, draws: Floats, present: Ints
) -> dict[str, Floats]:
    """The sums of a slice in each replicate: `[r, size]`, `[r]` without a size.

    Args:
        draws: how often each of the groups that are present came, `[r, k]`.
        present: their numbers `[k]`.
    """
    return {name: draws @ t.of(column, value)[present] for name, t in tallies.items()}
