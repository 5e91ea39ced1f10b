"""The next event and what was before it, by loops over all pairs of events: slow, and plain."""

from __future__ import annotations

import math
from dataclasses import dataclass

KINDS = ("pv", "cart", "buy")


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    number: int
    user: str
    item: str
    kind: str
    place: str
    warmth: float
    time: int


def before(events: list[Event], row: Event) -> list[Event]:
    """The user's events strictly before a row, the latest first; of those of one second the later
    of the log first."""
    earlier = [e for e in events if e.user == row.user and e.time < row.time]
    return sorted(earlier, key=lambda event: (-event.time, -event.number))


def gap(events: list[Event], row: Event) -> float | None:
    """log(1 + seconds) since the user's latest event before."""
    earlier = before(events, row)
    return math.log(1 + row.time - earlier[0].time) if earlier else None


def gap_ids(events: list[Event], row: Event, known: bool) -> list[int]:
    """Ranges of seconds since each event before: up to the row if its time is known, else up to
    the latest of them."""
    earlier = before(events, row)
    if not earlier:
        return []
    asked = row.time if known else earlier[0].time
    # The first id is that of [0, 1), and each further one of twice the time before.
    return [next(n for n in range(40) if asked - e.time < 2**n) + 1 for e in earlier]
