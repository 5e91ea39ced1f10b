"""Rows as they come: the first million are kept whole and decide how the others are summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfmtl.evaluation.streaming.batches import Batch, alike, joined
from tfmtl.evaluation.streaming.bootstrap import Draws
from tfmtl.evaluation.streaming.estimates import TaskEstimates
from tfmtl.evaluation.streaming.kinds import Kind
from tfmtl.evaluation.streaming.sums import Sums

EXACT_ROWS = 2**20
"""Rows that are kept whole, for exact figures; beyond them rows become sums."""

# Fewer rows are kept whole where they are wide.
_EXACT_BYTES = 2**28

# Rows that are added to the sums at once.
_CHUNK = 2**18


class Stream:
    """Rows of some tasks with common users, weights and slices.

    Args:
        kinds: the tasks.
        columns: names of the slice columns.
    """

    def __init__(self, kinds: Mapping[str, Kind], columns: Sequence[str]) -> None:
        self._kinds, self._columns = dict(kinds), tuple(columns)
        self._waiting: list[Batch] = []
        self._sums: Sums | None = None
        self._like: Batch | None = None

    def update(self, batch: Batch) -> None:
        """Adds rows.

        Raises:
            ValueError: if the batch has other tasks, or users where those before had none.
        """
        if self._like is None:
            self._like = batch.part(0, 0)
        alike(self._like, batch)
        self._waiting.append(batch)
        rows = sum(map(len, self._waiting))
        if self._sums is not None:
            if rows >= _CHUNK:
                self._add_waiting()
        elif rows >= EXACT_ROWS or sum(b.size() for b in self._waiting) >= _EXACT_BYTES:
            self._sums = Sums(self._kinds, self._columns, joined(self._waiting))
            self._add_waiting()

    def merge(self, other: Stream) -> None:
        """Adds the rows of another stream, which must not be used any more.

        Raises:
            ValueError: if both are already sums, of other bins or slices.
        """
        if other._sums is not None:
            if self._sums is None:
                self._sums = other._sums
            else:
                self._sums.merge(other._sums)
        for batch in other._waiting:
            self.update(batch)

    def emptied(self) -> Stream:
        """A stream without rows, which can be merged with this one."""
        made = Stream(self._kinds, self._columns)
        made._sums = self._sums.emptied() if self._sums else None
        return made

    def estimates(self, draws: Draws) -> dict[str, TaskEstimates]:
        """Every task's figures of the rows that came. Further rows may follow."""
        if self._sums is not None:
            if self._waiting:
                self._add_waiting()
            return self._sums.estimates(draws, None)
        if not self._waiting:
            return {}
        self._waiting = [joined(self._waiting)]
        sums = Sums(self._kinds, self._columns, self._waiting[0])
        sums.add(self._waiting[0])
        return sums.estimates(draws, self._waiting[0])

    def _add_waiting(self) -> None:
        assert self._sums is not None
        waiting, self._waiting = self._waiting, []
        whole = joined(waiting)
        del waiting
        for start in range(0, len(whole), _CHUNK):
            self._sums.add(whole.part(start, start + _CHUNK))
