"""What happened before each row, for rows of one key: the last items, counts, shares.

Before is strictly earlier than the row's own time, and known by then: what happens at the same time
is not the past.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TIME_BITS = 32
"""Times are seconds from 1970 to 2099."""
_NEVER = 2**_TIME_BITS - 1
"""Later than every row."""


@dataclass(frozen=True)
class Past:
    """The last events before each row, the latest first.

    Attributes:
        places: place of each event among all events, which is their number where there is none,
            `[n, count]`.
        rows: place of each event's row among the rows, `[events]`.
        kinds: which of the kinds of events each was, `[events]`.
        since: unix time since which each was known, `[events]`.
        times: unix time of each row, `[n]`.
    """

    places: np.ndarray
    rows: np.ndarray
    kinds: np.ndarray
    since: np.ndarray
    times: np.ndarray

    def of_rows(self, values: np.ndarray, missing: int = -1) -> np.ndarray:
        """A value of each event's row, `[n, count, ...]`, given one of each row, `[n, ...]`."""
        none = np.full((1, *values.shape[1:]), missing, values.dtype)
        return np.concatenate([values[self.rows], none])[self.places]

    def of_kinds(self, values: np.ndarray, missing: int = 0) -> np.ndarray:
        """A value of each event's kind, `[n, count]`, given one of each kind."""
        return np.append(values[self.kinds], values.dtype.type(missing))[self.places]

    @property
    def gaps(self) -> np.ndarray:
        """Seconds since each event: float32 `[n, count]`, NaN where there is none."""
        # Unsigned, for times until 2099 need all of the 32 bits.
        since = np.append(self.since, 0).astype(np.uint32)[self.places]
        gaps = (self.times.astype(np.uint32)[:, None] - since).astype(np.float32)
        gaps[self.places == len(self.rows)] = np.nan
        return gaps


class Timeline:
    """Rows in the lives of their keys, which are users, items or anything that rows share.

    Args:
        keys: a number for each row's key, `[n]`.
        times: unix time of each row, `[n]`.
        rows: number of each row, which orders what happened at the same time, `[n]`.
    """

    def __init__(self, keys: np.ndarray, times: np.ndarray, rows: np.ndarray) -> None:
        codes = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        moments = (codes << _TIME_BITS) + times
        # Searching for ascending values among ascending values is several times as fast.
        order = np.argsort(moments)
        self._order = order
        self._rows = rows[order]
        self._times = times
        self._moments = moments[order]
        self._lives = (self._moments >> _TIME_BITS) << _TIME_BITS

    def last(self, happened: Sequence[np.ndarray], count: int) -> Past:
        """The last events before each row.

        Args:
            happened: for each kind of event the unix time at which it was known for each row, -1
                where it never was; it may be later than the row's own time, `[n]` each.
            count: events kept.

        Returns:
            The events before each of the given rows, in their order; of events at the same time the
            one of the later row, and of the later kind, is the later.
        """
        known = [kind[self._order] for kind in happened]
        chosen = [np.flatnonzero(kind >= 0) for kind in known]
        source = np.concatenate(chosen)
        since = np.concatenate([kind[own] for kind, own in zip(known, chosen, strict=True)])
        kinds = np.repeat(np.arange(len(chosen)), [len(own) for own in chosen])
        moments = self._lives[source] + np.minimum(since, _NEVER)
        order = np.lexsort((kinds, self._rows[source], moments))
        moments = moments[order]
        first = self._given(np.searchsorted(moments, self._lives)).astype(np.int32)
        end = self._given(np.searchsorted(moments, self._moments)).astype(np.int32)
        places = end[:, None] - np.arange(1, count + 1, dtype=np.int32)
        places[places < first[:, None]] = len(order)
        return Past(
            places,
            self._order[source[order]],
            kinds[order],
            since[order],
            self._times,
        )

    def count(self, happened: np.ndarray, window: int) -> np.ndarray:
        """How many events there were in `[time - window, time)` of each row.

        Args:
            happened: as of `last`, of one kind of event.
            window: seconds.

        Returns:
            int64 `[n]`, in the order of the given rows.
        """
        happened = happened[self._order]
        moments = self._sorted(np.flatnonzero(happened >= 0), happened)
        return self._given(self._before(moments) - self._before(moments, window))

    def share(
        self, told: np.ndarray, happened: np.ndarray, window: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positives and rows among those whose label was told in `[time - window, time)`.

        A row is a positive from when that is known on: it counts where
        `max(told, happened) < time <= told + window`.

        Args:
            told: unix time at which each row's label counts, whatever it is; -1 where it has none,
                `[n]`.
            happened: unix time at which the label was known to be 1, -1 where it never was, `[n]`.
            window: seconds.

        Returns:
            Positives and rows, int64 `[n]` each, in the order of the given rows.
        """
        rows = self.count(told, window)
        told, happened = told[self._order], happened[self._order]
        since, until = np.maximum(told, happened), told + window
        positive = np.flatnonzero((told >= 0) & (happened >= 0) & (since < until))
        come = self._before(self._sorted(positive, since))
        gone = self._before(self._sorted(positive, until))
        return self._given(come - gone), rows

    def _sorted(self, chosen: np.ndarray, happened: np.ndarray) -> np.ndarray:
        moments = self._lives[chosen] + np.minimum(happened[chosen], _NEVER)
        # Mostly in order already, of which this kind takes advantage.
        return np.sort(moments, kind="stable")

    def _before(self, moments: np.ndarray, ago: int = 0) -> np.ndarray:
        """How many moments, of all keys, lie before that of each row, or `ago` before it."""
        asked = np.maximum(self._moments - ago, self._lives) if ago else self._moments
        return np.searchsorted(moments, asked)

    def _given(self, values: np.ndarray) -> np.ndarray:
        """Values in the order of the given rows."""
        result = np.empty_like(values)
        result[self._order] = values
        return result
