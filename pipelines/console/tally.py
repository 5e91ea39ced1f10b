"""Counts of what a running component has done, and their words."""

import threading
import time
from collections import Counter

_SECONDS_FOR_A_RATE = 0.5
_FEW = 10


class Tally:
    """What a component has reported, over all its phases; may be updated from any thread.

    A component that starts counting again, or counts something else, has begun a new phase: an
    epoch, a second pass over the rows.

    Example:
        >>> tally = Tally()
        >>> tally.update(12_000, 50_000, "rows", "part 2")
        >>> tally.phase()  # doctest: +SKIP
        '12,000/50,000 rows  24%  8,000 rows/s  part 2'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._earlier: Counter[str] = Counter()
        # When the phase's first report came, and how much was done by then.
        self._phase = (self._started, 0)
        self.done = 0
        self.total: int | None = None
        self.unit = ""
        self.note = ""

    @property
    def seconds(self) -> float:
        """Time since the component began."""
        return time.monotonic() - self._started

    def update(self, done: int, total: int | None, unit: str, note: str = "") -> None:
        """A component's report, as `pipelines.components.base.Progress` has it."""
        with self._lock:
            if unit != self.unit or done < self.done:
                self._earlier[self.unit] += self.done
                self._phase = (time.monotonic(), done)
            self.done, self.total, self.unit, self.note = done, total, unit, note

    def phase(self) -> str:
        """How far the current phase has come: how much is done and which share that is, its speed,
        the time it will still take at that speed, and its note."""
        with self._lock:
            if not self.unit:
                return self.note
            of = f"/{self.total:,}" if self.total else ""
            share = f"{min(self.done / self.total, 1.0):.0%}" if self.total else ""
            began, before = self._phase
            seconds = time.monotonic() - began
            known = seconds >= _SECONDS_FOR_A_RATE
            per_second = rate(self.done - before, seconds)
            speed = f"{per_second} {self.unit}/s" if known and per_second != "0.0" else ""
            left = ""
            if known and self.total and before < self.done < self.total:
                needed = seconds * (self.total - self.done) / (self.done - before)
                left = f"{duration(needed)} left"
            parts = (f"{self.done:,}{of} {self.unit}", share, speed, left, self.note)
        return "  ".join(part for part in parts if part)

    def overall(self) -> str:
        """All phases together, in the unit of which there was most; empty for a handful."""
        with self._lock:
            counts = self._earlier + Counter({self.unit: self.done})
        if not counts:
            return ""
        unit, count = counts.most_common(1)[0]
        if count < _FEW:
            return ""
        return f"{count:,} {unit}, {rate(count, self.seconds)} {unit}/s"


def rate(count: int, seconds: float) -> str:
    """`count` per second, with a decimal where there are few."""
    speed = count / max(seconds, 1e-3)
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12.3 s`, `4 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
