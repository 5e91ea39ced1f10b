"""The last step of Transform: samples the rows of a shard, puts them in order and writes them.

Its input is grouped by a number that stands for a split and a shard; rows still carry the columns
of the way there, whose names begin with `work/`.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.catalogue import NUMBERS, catalogued
from pipelines.preprocess.encoding import column
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.hashing import mix
from pipelines.preprocess.layout import ROW
from pipelines.preprocess.record_batches import concat, whole
from pipelines.preprocess.sampling import Candidates, Plan
from pipelines.preprocess.sampling_table import tally_sampling
from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.writing import ROW_GROUP, write_json, write_parquet
from tfmtl.config import Config, MultiClassTask, MultiLabelTask
from tfmtl.preprocessing import columns

WORK = "work/"
"""Prefix of the columns that are needed on the way only."""
SPLIT = f"{WORK}split"
HISTORY = f"{WORK}history/"
"""Prefix of the histories, as rows of the catalogue."""

ShardTally = tuple[str, tuple[int, dict[str, float]]]
"""A split, the number of one of its shards, and what was counted of it."""

_ROWS_PER_BUCKET = 131_072
_ROWS_PER_SHARD = 8 * ROW_GROUP


@dataclass(frozen=True)
class Job:
    """What the transforms of the pass need, small enough to be sent to every worker.

    Attributes:
        config: the configuration.
        examples: directory of the examples.
        statistics: directory of vocabularies and moments.
        output: directory to write to; it holds the catalogue already.
        work: scratch directory.
        rows: rows of each split.
        plan: which training rows are left out and repeated; all come once where not given.
    """

    config: Config
    examples: Path
    statistics: Path
    output: Path
    work: Path
    rows: tuple[int, ...]
    plan: Plan | None = None

    @property
    def buckets(self) -> int:
        """Groups of users."""
        return -(-sum(self.rows) // _ROWS_PER_BUCKET)

    def shards(self, split: int) -> int:
        """Files of a split."""
        sampled = split == TRAIN and self.plan is not None
        rows = math.ceil(self.plan.rows) if sampled and self.plan else self.rows[split]
        return max(1, -(-rows // _ROWS_PER_SHARD))


def shard_of(rows: pa.RecordBatch, job: Job) -> np.ndarray:
    """The file each row goes to: a number that stands for a split and a shard, int64 `[n]`."""
    splits = rows.column(SPLIT).to_numpy().astype(np.int64)
    chance = _order(rows, job) / 2.0**64
    shards = np.array([job.shards(split) for split in range(len(columns.SPLITS))])[splits]
    places = np.minimum((chance * shards).astype(np.int64), shards - 1)
    return places * len(columns.SPLITS) + splits


def _order(rows: pa.RecordBatch, job: Job, copies: np.ndarray | None = None) -> np.ndarray:
    """A random number of each row, by which training rows are shuffled; one more of each copy."""
    order = mix(rows.column(ROW).to_numpy(), job.config.seed)
    if copies is None:
        return order
    return np.where(copies > 0, mix(order ^ copies.astype(np.uint64)), order)


class WriteShard(beam.DoFn):
    """Writes the rows of a shard, training rows in random order, the others in the log's.

    What depends on the item alone is taken from the catalogue here, so that it need not travel.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        job = self._job
        catalogue = pq.read_table(job.output / "catalogue.parquet")
        texts = any(made.encoded for made in job.config.features.inputs.values())
        numbers = pq.read_table(job.work / NUMBERS) if texts else pa.table({})
        names = [columns.SAMPLING_PROBABILITY, *catalogued(Examples(job.config, job.examples))]
        self._of_items = {
            name: whole((numbers if name in numbers.column_names else catalogue).column(name))
            for name in names
        }
        # One more row, the last, for the places of a history that are empty.
        self._ids = {
            of: np.append(catalogue.column(of).to_numpy(), np.int32(0))
            for history in job.config.features.history
            for of in history.of
        }

    def process(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        key, batches = keyed
        shard, split = divmod(key, len(columns.SPLITS))
        rows = concat(batches)
        tally: dict[str, float] = {}
        rates, copies = np.ones(rows.num_rows, np.float32), None
        if split == TRAIN and self._job.plan is not None:
            rows, rates, copies, tally = _sampled(rows, self._job.plan, self._job.config)
        order = rows.column(ROW).to_numpy() if split != TRAIN else _order(rows, self._job, copies)
        places = np.argsort(order)
        rows, rates = rows.take(pa.array(places)), rates[places]
        kept = {
            name: rows.column(name)
            for name in rows.schema.names
            if not name.startswith(WORK) and name != ROW
        }
        kept |= {n: a.take(rows.column(columns.ITEM)) for n, a in self._of_items.items()}
        if self._job.config.sampling.negatives:
            kept[columns.KEEP_RATE] = pa.array(rates)
        tally |= _tally(rows, self._job.config)
        for history in self._job.config.features.history:
            items = rows.column(HISTORY + history.title).values.to_numpy().reshape(-1, history.last)
            tally[f"history/{history.title}"] = int(np.count_nonzero(items[:, 0] >= 0))
            for of in history.of:
                kept[history.input_name(of)] = column(self._ids[of][items])
        name = columns.SPLITS[split]
        path = self._job.output / name / f"part-{shard:05d}.parquet"
        write_parquet(pa.table(kept), path, ROW_GROUP)
        yield name, (shard, tally)


def _sampled(
    rows: pa.RecordBatch, plan: Plan, config: Config
) -> tuple[pa.RecordBatch, np.ndarray, np.ndarray, dict[str, float]]:
    """Leaves training rows out and repeats others.

    Returns:
        The rows, the keep rate of each, the number of each among the copies of one row, from 0, and
        counts of what was done.
    """
    candidates = Candidates.of_examples(rows, config)
    kept, times = plan.kept(candidates, config), plan.times(candidates, config)
    tally = tally_sampling(candidates, kept, times, config)
    places = np.repeat(np.arange(rows.num_rows), times)
    first = np.repeat(np.cumsum(times) - times, times)
    copies = np.arange(len(places)) - first
    return rows.take(pa.array(places)), plan.rates(candidates)[places], copies, tally


def _tally(rows: pa.RecordBatch, config: Config) -> dict[str, float]:
    """Rows, positives, and each label's count and sum; of a class, how many rows name it."""
    tally: dict[str, float] = {
        "rows": rows.num_rows,
        "positives": int(rows.column(columns.POSITIVE).to_numpy().sum()),
    }
    for name, task in config.ranking_tasks.items():
        labels = rows.column(columns.label(name))
        if isinstance(task, MultiClassTask):
            known = labels.drop_null().to_numpy().astype(np.int64)
            tally[f"count/{name}"] = len(known)
            for number, count in enumerate(np.bincount(known).tolist()):
                tally[f"sum/{name}/{number}"] = count
        elif isinstance(task, MultiLabelTask):
            flags = labels.flatten().to_numpy(False).reshape(len(labels), -1)
            for number in range(flags.shape[1]):
                tally[f"sum/{name}/{number}"] = float(np.nansum(flags[:, number]))
                tally[f"count/{name}/{number}"] = int(np.isfinite(flags[:, number]).sum())
        else:
            known = labels.drop_null().to_numpy()
            tally[f"sum/{name}"] = float(known.sum(dtype=np.float64))
            tally[f"count/{name}"] = len(known)
    return tally


def write_tally(split: str, parts: Iterable[tuple[int, dict[str, float]]], job: Job) -> None:
    """Adds the tallies of a split's shards up and writes them."""
    total: dict[str, float] = {}
    for _, tally in sorted(parts, key=lambda numbered: numbered[0]):
        for name, value in tally.items():
            total[name] = total.get(name, 0) + value
    write_json(total, job.work / f"{split}.json")
