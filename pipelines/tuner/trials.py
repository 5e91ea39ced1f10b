"""What became of every trial, as files that a killed search goes on from.

WORK/trials/0007/           the run of trial 7: its artifacts, its metadata
WORK/trials/0007.json       its record, written when it is over
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.storage.directories import replace_file

State = Literal["complete", "failed"]


@dataclass(frozen=True)
class Trial:
    """A trial that is over.

    Attributes:
        number: its number, from 0.
        values: the values that were tried, by dotted key.
        state: whether a model came of it.
        objective: what counts; None of a failed one.
        figures: the figures of the validation rows that it is made of, by title.
        seconds: time it took.
        error: why it failed.
    """

    number: int
    values: Mapping[str, Any]
    state: State
    objective: float | None
    figures: Mapping[str, float]
    seconds: float
    error: str | None = None


class Trials:
    """The trials of one search, in a directory.

    Args:
        home: the directory; made when the first trial is recorded.
    """

    def __init__(self, home: Path) -> None:
        self._home = home / "trials"

    def directory(self, number: int) -> Path:
        """Where a trial runs."""
        return self._home / f"{number:04d}"

    def record(self, trial: Trial) -> None:
        """Writes down what became of a trial."""
        self._home.mkdir(parents=True, exist_ok=True)
        replace_file(self._record(trial.number), json.dumps(asdict(trial)))

    def read(self) -> list[Trial]:
        """The trials that are over, up to the first one that is not."""
        found: list[Trial] = []
        while self._record(len(found)).is_file():
            text = self._record(len(found)).read_text(encoding="utf-8")
            found.append(Trial(**json.loads(text)))
        return found

    def _record(self, number: int) -> Path:
        return self._home / f"{number:04d}.json"


def best_of(trials: Sequence[Trial], minimise: bool) -> list[Trial]:
    """The trials a model came of, the best first; of equal ones the earlier."""
    sign = 1 if minimise else -1
    known = [(t.objective, t) for t in trials if t.objective is not None]
    return [trial for _, trial in sorted(known, key=lambda kt: (sign * kt[0], kt[1].number))]


def same_values(trials: Sequence[Trial], values: Mapping[str, Any]) -> Trial | None:
    """An earlier trial of the same values, which had the same result."""
    return next((trial for trial in trials if trial.values == values), None)
