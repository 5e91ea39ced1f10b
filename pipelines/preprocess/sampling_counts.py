"""Light passes over the log before the one that writes examples: what sampling has to know.

log -> kinds of training rows                                     -> sampling.json    -> the plan
    -> positives of the retrieval task, as often as they will come -> resampled.parquet

They read labels, scenarios and keys only, and run only where the configuration asks for sampling.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import Progress
from pipelines.preprocess.class_counts import known_classes
from pipelines.preprocess.counting import MergeCounts, count_values
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.sampling import Candidates, Plan
from pipelines.preprocess.sampling_plan import Counts, make_plan
from pipelines.preprocess.sides import Coded
from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.vocabularies import training_counts
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import Config

_COUNTS = "sampling.json"
_POSITIVES = "resampled.parquet"


@dataclass(frozen=True)
class Job:
    """What the passes need.

    Attributes:
        config: the configuration.
        examples: directory of the examples.
        statistics: directory of the vocabularies.
        work: scratch directory.
    """

    config: Config
    examples: Path
    statistics: Path
    work: Path

    def over_batches(self, do: "OfBatch", pipeline: beam.Pipeline) -> beam.PCollection:
        """Reads the log."""
        found = Examples(self.config, self.examples).batches
        return (
            pipeline
            | "Batches" >> beam.Create(found)
            | "Spread" >> beam.Reshuffle()
            | "Look at rows" >> beam.ParDo(do)
        )


def plan_sampling(job: Job, progress: Progress, total: int) -> Plan:
    """Counts the training rows and works out how often each is to come.

    Args:
        job: what to read.
        progress: told how many rows are done.
        total: rows of the log.
    """
    run(partial(_build_counts, job=job), job.work, progress, total, "rows to sample")
    counts = Counts()
    for scenario, happened, known, rows in read_json(job.work / _COUNTS)["rows"]:
        counts.rows[scenario, happened, known] = rows
    for task, scenario, rows in read_json(job.work / _COUNTS)["positives"]:
        counts.positives[task, scenario] = rows
    return make_plan(job.config, counts)


def resampled_positives(job: Job, plan: Plan, progress: Progress, total: int) -> pa.Table:
    """Counts the items among the retrieval task's positives as often as they will come.

    Returns:
        (item key, count), which takes the place of StatisticsGen's count.
    """
    run(partial(_build_positives, job=job, plan=plan), job.work, progress, total, "positives")
    counts = training_counts(pq.read_table(job.work / _POSITIVES))
    return counts.rename_columns([job.config.source.log.item, "count"])


def _build_counts(pipeline: beam.Pipeline, job: Job) -> None:
    _ = (
        job.over_batches(CountKinds(job), pipeline)
        | "Merge" >> beam.CombineGlobally(_merge).with_output_types(Counts)
        | "Write" >> beam.Map(partial(_write_counts, path=job.work / _COUNTS))
    )


def _build_positives(pipeline: beam.Pipeline, job: Job, plan: Plan) -> None:
    _ = (
        job.over_batches(CountPositives(job, plan), pipeline)
        | "Merge" >> beam.CombineGlobally(MergeCounts()).with_output_types(pa.RecordBatch)
        | "Write" >> beam.Map(partial(_write_positives, path=job.work / _POSITIVES))
    )


class OfBatch(beam.DoFn):
    """Reads what sampling looks at of a batch's training rows."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        job = self._job
        self._examples = Examples(job.config, job.examples)
        self._columns = _columns(self._examples)
        self._classes = {
            task: known_classes(job.statistics, task) for task in job.config.class_tasks
        }
        self._counter = RowCounter(counters(job.work))

    def read(self, batch: Batch) -> tuple[pa.RecordBatch, Candidates]:
        """The training rows of a batch."""
        rows = self._examples.read(batch, self._columns).rows
        self._counter.add(rows.num_rows)
        rows = rows.filter(pa.array(self._examples.boundaries.assign(rows) == TRAIN))
        return rows, Candidates.of_log(rows, self._job.config, self._classes)


class CountKinds(OfBatch):
    """Counts the kinds of a batch's training rows."""

    def process(self, batch: Batch) -> Iterator[Counts]:
        yield Counts.of(self.read(batch)[1], self._job.config)


class CountPositives(OfBatch):
    """Counts the items of a batch's retrieval positives, each as often as the row will come."""

    def __init__(self, job: Job, plan: Plan) -> None:
        super().__init__(job)
        self._plan = plan

    def process(self, batch: Batch) -> Iterator[pa.RecordBatch]:
        config = self._job.config
        assert config.retrieval_task
        rows, candidates = self.read(batch)
        times = self._plan.times(candidates, config)
        times = np.where(candidates.labels[config.retrieval_task[0]] == 1, times, 0)
        items = Coded.of(rows.column(config.source.log.item))
        every = Coded(np.repeat(items.codes, times), items.values)
        yield count_values(every, np.zeros(len(every.codes), np.int64))


def _columns(examples: Examples) -> list[str]:
    """The log's columns without those that are features only."""
    config, log = examples.config, examples.config.source.log
    boundaries = examples.boundaries
    needed = {log.item, log.time, boundaries.time, boundaries.column}
    needed |= {*config.label_columns, *config.class_columns}
    if config.scenario:
        needed.add(config.scenario.column)
    left_out = {feature.raw for feature in config.features} | {log.user}
    return [name for name in examples.schema.names if name in needed or name not in left_out]


def _merge(parts: Iterable[Counts]) -> Counts:
    merged = Counts()
    for part in parts:
        merged.add(part)
    return merged


def _write_counts(counts: Counts, path: Path) -> None:
    data: dict[str, Any] = {
        "rows": [[*kind, rows] for kind, rows in sorted(counts.rows.items())],
        "positives": [[*place, rows] for place, rows in sorted(counts.positives.items())],
    }
    write_json(data, path)


def _write_positives(counts: pa.RecordBatch, path: Path) -> None:
    write_parquet(pa.Table.from_batches([counts]), path)
