"""Users in groups: what the bootstrap draws."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Ints

GROUPS = 200
"""Groups that users are put in. Their number is the bootstrap's degrees of freedom: at 200 an
interval's length is itself known to 5 %."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class UserNumbers:
    """Numbers for users: whole numbers as they are, names by a hash, which is remembered."""

    def __init__(self) -> None:
        self._known: dict[object, int] = {}

    def of(self, users: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
        """Int64 `[n]`, equal for equal users.

        Raises:
            ValueError: if there are not `count` of them.
        """
        found = np.asarray(users)
        if found.shape != (count,):
            raise ValueError(f"`users` should have shape ({count},). Received: {found.shape}")
        if found.dtype.kind in "biu":
            return found.astype(np.int64, copy=False)
        names, known = found.tolist(), self._known
        for name in set(names).difference(known):
            known[name] = _hash(str(name))
        return np.fromiter((known[name] for name in names), np.int64, count)


class Clusters:
    """The group of every user.

    Users are put in one of 200 groups by a hash. Where the first rows have no more users than that,
    each of these has a group of its own, and the bootstrap is one over users; it is one over groups
    of users otherwise, which is as right: users are independent, and so are groups of them.

    Args:
        first: users of the first rows, int64 `[n]`.
    """

    def __init__(self, first: npt.NDArray[np.int64]) -> None:
        distinct = np.unique(first)
        self._own = distinct if distinct.size <= GROUPS else distinct[:0]

    def of(self, users: npt.NDArray[np.int64]) -> Ints:
        """Numbers of groups `[n]`, 0 to 199."""
        groups = (scattered(users) % np.uint64(GROUPS)).astype(np.intp)
        if self._own.size:
            places = np.searchsorted(self._own, users).clip(max=self._own.size - 1)
            groups = np.where(self._own[places] == users, places, groups)
        return groups


def scattered(numbers: npt.NDArray) -> npt.NDArray[np.uint64]:
    """A hash of whole numbers, uint64 `[n]`: the finalizer of SplitMix64.

    Reference: Steele et al., Fast Splittable Pseudorandom Number Generators, 2014
    (https://doi.org/10.1145/2660193.2660195).
    """
    mixed = numbers.astype(np.uint64) + _STEP
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[1]
    return mixed ^ (mixed >> np.uint64(31))


def _hash(name: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True
    )
