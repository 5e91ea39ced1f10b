"""Logs of events of which every event is predicted from those before it."""

from typing import Self

from pydantic import model_validator

from tfmtl.config.base import Spec
from tfmtl.config.feature_base import Name


class NextEvent(Spec):
    """Every event is a row of its own, and its labels say what it is: its kind, its item, and how
    long after the user's event before it came.

    Of the row itself the model reads what is known beforehand: the user, and the columns `known`.
    Its item is what a retrieval task should find; no ranking task reads it. What the user did
    before is in histories.

    A user's first event has no gap, and after the last one there is no row: nobody knows yet when
    the next will be.

    Example:
        `{gap: next_gap, known: [device]}`
    """

    gap: Name = "next_gap"
    """Label column that is made: log(1 + seconds) since the user's latest event before, missing
    for the first one. Events of one second have the same past."""
    known: list[str] = []
    """Columns that are known before the event happens, such as the device. If the time is among
    them, the model is asked at the moment of the event, else right after the one before it: gaps
    in histories and windows reach back from then."""

    @model_validator(mode="after")
    def _known_differ(self) -> Self:
        twice = next((name for name in self.known if self.known.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"known names '{twice}' twice; leave one of them out")
        return self
