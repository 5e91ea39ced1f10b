"""Which training rows are left out and which are repeated, decided by the rows' own numbers.

    candidates = Candidates.of_examples(rows, config)
    times = plan.times(candidates)          # 0: left out, 1: once, 2 and more: repeated

Histories and windows are made before, of all rows; validation and test rows are never touched.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.preprocess.hashing import mix
from pipelines.preprocess.labels import positives, task_labels
from pipelines.preprocess.layout import ROW
from tfmtl.config import BinaryTask, Config, RankingTask
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED
from tfmtl.training.funnel_labels import complete_funnel

ALL = "all"
"""Stands for the scenario where there are none."""


def scenario_names(config: Config) -> list[str]:
    """The scenarios, in the order of their numbers."""
    return config.scenario.values if config.scenario else [ALL]


def event_tasks(config: Config) -> list[str]:
    """The tasks whose label of 1 makes a row a positive: binary tasks and the retrieval task."""
    binary = [name for name, task in config.tasks.items() if isinstance(task, BinaryTask)]
    return [*binary, *([config.retrieval_task[0]] if config.retrieval_task else [])]


@dataclass(frozen=True)
class Candidates:
    """What sampling looks at of some training rows.

    Attributes:
        numbers: the rows' own numbers, `[n]`.
        scenarios: number of each row's scenario, in the order of the configuration, `[n]`.
        labels: labels by task, as training reads them: NaN where missing, funnels completed; of
            multi-label tasks `[n, labels]`, all others `[n]`.
    """

    numbers: np.ndarray
    scenarios: np.ndarray
    labels: Mapping[str, np.ndarray]

    @classmethod
    def of_examples(cls, rows: pa.RecordBatch, config: Config) -> "Candidates":
        """Takes them from transformed rows that still carry their numbers."""
        labels = {name: _values(rows.column(columns.label(name))) for name in config.ranking_tasks}
        if config.retrieval_task:
            labels[config.retrieval_task[0]] = _values(rows.column(columns.POSITIVE))
        ids = None
        if config.scenario:
            ids = rows.column(columns.SCENARIO).to_numpy()
        return cls._of(rows.column(ROW).to_numpy(), ids, labels, config)

    @classmethod
    def of_log(
        cls, rows: pa.RecordBatch, config: Config, classes: Mapping[str, Sequence[str]]
    ) -> "Candidates":
        """Takes them from canonical rows of the log.

        Args:
            rows: the rows.
            config: the configuration.
            classes: names of the classes by task.
        """

        def labels_of(name: str, task: RankingTask) -> np.ndarray:
            return task_labels(rows, task, config, classes.get(name, ()))

        labels = {name: labels_of(name, task) for name, task in config.ranking_tasks.items()}
        if config.retrieval_task:
            labels[config.retrieval_task[0]] = positives(rows, config).astype(np.float32)
        ids = None
        if config.scenario:
            coded = rows.column(config.scenario.column).cast(pa.string()).dictionary_encode()
            places = [config.scenario.values.index(v) for v in coded.dictionary.to_pylist()]
            ids = np.array(places, np.int32)[coded.indices.to_numpy()] + RESERVED
        return cls._of(rows.column(ROW).to_numpy(), ids, labels, config)

    @classmethod
    def _of(
        cls,
        numbers: np.ndarray,
        ids: np.ndarray | None,
        labels: Mapping[str, np.ndarray],
        config: Config,
    ) -> "Candidates":
        if ids is None:
            return cls(
                numbers, np.zeros(len(numbers), np.int64), complete_funnel(labels, config, {})
            )
        completed = complete_funnel(labels, config, {columns.SCENARIO: ids})
        return cls(numbers, ids.astype(np.int64) - RESERVED, completed)

    def happened(self, config: Config) -> np.ndarray:
        """Which rows are positives of any task: bool `[n]`; the others are the negatives."""
        found = np.zeros(len(self.numbers), bool)
        for name in event_tasks(config):
            found |= self.labels[name] == 1
        return found

    def known(self, task: str) -> np.ndarray:
        """Which rows have a label of a task, of several labels any: bool `[n]`."""
        known = ~np.isnan(self.labels[task])
        return known if known.ndim == 1 else known.any(axis=1)


@dataclass(frozen=True)
class Plan:
    """How often each training row is to come.

    Attributes:
        keep: share of the negatives that is kept, by scenario; none where none are left out.
        repeat: how often a row of each group comes on the mean; none where nothing is evened out.
            Groups are the scenarios, or, where `tasks` are given, these, and one more of the rows
            that have a label of none of them.
        tasks: the tasks that are evened out, the one with the fewest labels first.
        rows: training rows that are to be expected.
    """

    keep: tuple[float, ...] = ()
    repeat: tuple[float, ...] = ()
    tasks: tuple[str, ...] = ()
    rows: float = 0

    def kept(self, rows: Candidates, config: Config) -> np.ndarray:
        """Which rows stay of those in which something or nothing happened: bool `[n]`."""
        if not self.keep:
            return np.ones(len(rows.numbers), bool)
        chance = _chance(rows.numbers, config.seed, "negatives")
        return rows.happened(config) | (chance < self.rates(rows))

    def rates(self, rows: Candidates) -> np.ndarray:
        """Keep rate of each row: float32 `[n]`, the same for positives as for negatives."""
        if not self.keep:
            return np.ones(len(rows.numbers), np.float32)
        return np.array(self.keep, np.float32)[rows.scenarios]

    def times(self, rows: Candidates, config: Config) -> np.ndarray:
        """How often each row comes: int64 `[n]`, 0 where it is left out."""
        kept = self.kept(rows, config).astype(np.int64)
        if not self.repeat:
            return kept
        factor = np.array(self.repeat)[groups(rows, self.tasks)]
        whole = np.floor(factor)
        more = _chance(rows.numbers, config.seed, "resampling") < factor - whole
        return kept * (whole.astype(np.int64) + more)


def groups(rows: Candidates, tasks: Sequence[str]) -> np.ndarray:
    """Group of each row: int64 `[n]`.

    Args:
        rows: the rows.
        tasks: the first of them whose label a row has is its group, their number where it has none;
            where no tasks are given, the scenario is it.
    """
    if not tasks:
        return rows.scenarios
    found = np.full(len(rows.numbers), len(tasks))
    for number in reversed(range(len(tasks))):
        found[rows.known(tasks[number])] = number
    return found


def _chance(numbers: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """A random number in [0, 1) of each row, another one for every purpose."""
    hashed = mix(mix(numbers, seed), zlib.crc32(purpose.encode()))
    # 53 bits, all that a float holds: more would be rounded, and could be rounded up to 1.
    return (hashed >> np.uint64(11)) / 2.0**53


def _values(column: pa.Array) -> np.ndarray:
    if pa.types.is_fixed_size_list(column.type):
        values = column.flatten().to_numpy(zero_copy_only=False)
        return values.astype(np.float32).reshape(-1, column.type.list_size)
    return column.to_numpy(zero_copy_only=False).astype(np.float32)
