"""Which rows train, which validate, which test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.hashing import hash_strings, mix
from pipelines.preprocess.layout import ROW
from tfmtl.config import Config

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Numbers of the splits, in the order of `tfmtl.preprocessing.columns.SPLITS`."""


@dataclass(frozen=True)
class Boundaries:
    """Where the splits part.

    By time, rows before `validation_from` train and rows from `test_from` on test. By user and at
    random, a hash of the user's key or of the row's number decides. By column, its value.

    Attributes:
        by: `time`, `user`, `random` or `column`.
        time: name of the time column; None where rows have none.
        validation_from: unix time of the first validation row; None but by time.
        test_from: unix time of the first test row; None but by time.
        validation: share of the validation users or rows.
        test: share of the test users or rows.
        seed: seed of the hash.
        column: name of the user or split column, where it decides.
        values: by column, the split that each value means.
    """

    by: str
    time: str | None
    validation_from: int | None = None
    test_from: int | None = None
    validation: float = 0.0
    test: float = 0.0
    seed: int = 0
    column: str | None = None
    values: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, last: int | None) -> "Boundaries":
        """Resolves a configuration's split for a log whose latest row is of time `last`, None
        where rows have no time."""
        split, time = config.split, config.source.log.time
        if split.by == "column":
            return cls("column", time, column=split.column, values=split.values)
        if split.by != "time":
            user = config.source.log.user if split.by == "user" else None
            return cls(split.by, time, None, None, *split.shares, config.seed, user)
        assert last is not None, "a split by time is of rows with times"
        test_from = last + 1 - split.test_seconds
        return cls("time", time, test_from - split.validation_seconds, test_from)

    @classmethod
    def read(cls, summary: Mapping[str, Any]) -> "Boundaries":
        """Reads the boundaries from ExampleGen's summary."""
        return cls(**summary["split"])

    def assign(self, rows: pa.RecordBatch) -> np.ndarray:
        """The split of each row: int8 `[n]`, `TRAIN`, `VALIDATION` or `TEST`."""
        if self.by == "time":
            return self._of_times(rows.column(self.time).to_numpy())
        if self.by == "random":
            return self._by_chance(rows.column(ROW).to_numpy())
        texts = Coded.of(rows.column(self.column))
        if self.by == "user":
            return self._by_chance(hash_strings(texts.values))[texts.codes]
        # Other values were rejected when the log was read.
        meant = [self.values.get(value, TRAIN) for value in texts.values.to_pylist()]
        return np.array(meant, np.int8)[texts.codes]

    def _by_chance(self, numbers: np.ndarray) -> np.ndarray:
        chance = mix(numbers, self.seed + 1) / 2.0**64
        validation = chance < self.test + self.validation
        return np.where(chance < self.test, TEST, validation * VALIDATION).astype(np.int8)

    def periods(self, events: pa.RecordBatch) -> np.ndarray:
        """The split of each event, from which rows are still to be made: int8 `[n]`; at random,
        all are in one."""
        if self.by == "random":
            return np.zeros(events.num_rows, np.int8)
        return self.assign(events)

    def _of_times(self, times: np.ndarray) -> np.ndarray:
        assert self.validation_from is not None
        assert self.test_from is not None
        later = (times >= self.validation_from).astype(np.int8)
        return later + (times >= self.test_from).astype(np.int8)
