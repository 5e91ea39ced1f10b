"""Latencies in buckets that grow by a hundredth, in little memory however many there are.

A quantile is that of the sorted latencies, the smallest that no less than its share of them does
not exceed, at most 1 % too high.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

_GROWTH = math.log(1.01)
_SHORTEST = 1e-6


class Latencies:
    """Counts of latencies.

    Example:
        >>> latencies = Latencies()
        >>> latencies.add(0.002)
        >>> latencies.count, latencies.longest
        (1, 0.002)
    """

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Counts one."""
        self._buckets[math.floor(math.log(max(seconds, _SHORTEST) / _SHORTEST) / _GROWTH)] += 1
        self.longest = max(self.longest, seconds)

    @property
    def count(self) -> int:
        """How many there are."""
        return self._buckets.total()

    def quantile(self, share: float) -> float:
        """The latency that a share of all does not exceed, in seconds; NaN without any."""
        rank = max(1, math.ceil(share * self.count))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(self.longest, _SHORTEST * math.exp((bucket + 1) * _GROWTH))
        return math.nan

    def merge(self, other: Self) -> None:
        """Counts those of another too."""
        self._buckets.update(other._buckets)
        self.longest = max(self.longest, other.longest)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"buckets": dict(self._buckets), "longest": self.longest}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """Reads what `to_json` wrote."""
        latencies = cls()
        latencies._buckets.update({int(k): count for k, count in written["buckets"].items()})
        latencies.longest = written["longest"]
        return latencies
