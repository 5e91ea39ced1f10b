"""Which line breaks of a CSV stand inside quotes, by the rules of pyarrow's parser.

A quote opens a field only where the field begins and stands for itself elsewhere, as in 12" nails.
Inside, two of them stand for one, and an odd run closes.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

_QUOTE, _LINE_FEED = ord('"'), ord("\n")
_AFTER_FIELDS = np.frombuffer(b"\r\n \t", np.uint8)


@dataclass(frozen=True)
class _Runs:
    """The odd runs of quotes, which alone open and close.

    Attributes:
        places: first byte of each run.
        opening: which of them stand where a field begins.
        closing: which of them stand where a field ends.
    """

    places: np.ndarray
    opening: np.ndarray
    closing: np.ndarray

    @classmethod
    def of(cls, content: np.ndarray, delimiter: str) -> "_Runs":
        quotes = np.flatnonzero(content == _QUOTE)
        starts = np.flatnonzero(np.diff(quotes, prepend=-2) != 1)
        lengths = np.diff(starts, append=len(quotes))
        odd = lengths % 2 == 1
        places, ends = quotes[starts[odd]], quotes[starts[odd]] + lengths[odd]
        bounded = np.concatenate([[_LINE_FEED], content, [_LINE_FEED]])
        separator = delimiter.encode()[-1]
        before, after = bounded[places], bounded[ends + 1]
        return cls(
            places,
            (before == separator) | (before == _LINE_FEED) | (before == ord("\r")),
            (after == separator) | np.isin(after, _AFTER_FIELDS),
        )

    def inside(self, breaks: np.ndarray) -> np.ndarray:
        """Which line breaks lie inside quotes; the first byte lies outside."""
        return self._opened()[np.searchsorted(self.places, breaks)]

    def unclosed(self, breaks: np.ndarray) -> np.ndarray:
        """First lines of the records in which a quote opens that none closes at a field's end."""
        right = self._pairs(breaks)[1]
        return np.zeros(0, np.int64) if right.all() else self._unclosed_in_turn(breaks)[0]

    def pending(self, breaks: np.ndarray) -> int | None:
        """First line of the record with a quote behind which there is no other, which may close
        it further on."""
        opens, right = self._pairs(breaks)
        if right.all():
            return None
        if right[:-1].all() and opens[-1] == len(self.places) - 1:
            line = int(np.searchsorted(breaks, self.places[opens[-1]]))
            ends = np.flatnonzero(~self.inside(breaks[:line]))
            return int(ends[-1]) + 1 if len(ends) else 0
        return self._unclosed_in_turn(breaks)[1]

    def _pairs(self, breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which runs open when all take turns, and whether the next is on its line or closes."""
        opened = self._opened()
        opens = np.flatnonzero(opened[1:] & ~opened[:-1])
        lines = np.append(np.searchsorted(breaks, self.places), -1)
        closing = np.append(self.closing, False)
        return opens, (lines[opens + 1] == lines[opens]) | closing[opens + 1]

    def _unclosed_in_turn(self, breaks: np.ndarray) -> tuple[np.ndarray, int | None]:
        """What `unclosed` and `pending` say, one run after the other."""
        lines = np.searchsorted(breaks, self.places).tolist()
        opening, closing = self.opening.tolist(), self.closing.tolist()
        found, pending, place, ended = [], None, 0, -1
        while place < len(lines):
            line, close = lines[place], place + 1
            if line != ended:
                record = line
            if not opening[place]:
                place += 1
            elif close < len(lines) and (lines[close] == line or closing[close]):
                place, ended = place + 2, lines[close]
            else:
                found.append(record)
                if close == len(lines) and pending is None:
                    pending = record
                place, ended = bisect_right(lines, record), -1
        return np.array(found, np.int64), pending

    def _opened(self) -> np.ndarray:
        """Whether quotes are open before the first run, and behind each."""
        # A run that cannot open leaves the quotes closed; runs that can take turns from there on.
        turn = np.arange(1, len(self.places) + 1)
        closed = np.maximum.accumulate(np.where(self.opening, 0, turn))
        return np.append(False, (turn - closed) % 2 == 1)


def whole_lines(content: np.ndarray, breaks: np.ndarray, delimiter: str) -> tuple[int, bool]:
    """Finds where the last record ends that does not go on behind the content.

    Args:
        content: bytes of whole lines.
        breaks: places of the line breaks.
        delimiter: what parts the fields.

    Returns:
        Number of lines up to there, and whether any line break stands inside quotes.
    """
    runs = _Runs.of(content, delimiter)
    if not runs.inside(breaks).any():
        return len(breaks), False
    pending = runs.pending(breaks)
    return len(breaks) if pending is None else pending, True


def records(
    content: np.ndarray, breaks: np.ndarray, delimiter: str
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the line breaks that end records.

    A stray quote would make one field of the lines below: the line where its record begins is one
    by itself.

    Returns:
        Which line breaks end a record, and which lines have a quote that is never closed.
    """
    runs = _Runs.of(content, delimiter)
    inside = runs.inside(breaks)
    unclosed = np.zeros(len(breaks), bool)
    if inside.any():
        unclosed[runs.unclosed(breaks)] = True
    if unclosed.any():
        stray = unclosed[np.searchsorted(breaks, runs.places)]
        kept = _Runs(runs.places[~stray], runs.opening[~stray], runs.closing[~stray])
        inside = kept.inside(breaks)
    return ~inside, unclosed
