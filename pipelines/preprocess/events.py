"""The second pass over a log of events: popularity of the items, then rows with labels.

events -> items by period                        -> popularity.parquet
events -> by user: one row a group + negatives   -> log/part-*.parquet
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.components.base import Progress, Summary
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.counting import MergeCounts, count_values
from pipelines.preprocess.hashing import Hashes, KeyIndex, hash_strings, mix
from pipelines.preprocess.joining import TextIndex
from pipelines.preprocess.log_reading import Batch, batches, log_schema, read_batch
from pipelines.preprocess.negatives import NegativeSampler
from pipelines.preprocess.pivoting import pivot_events, with_negatives
from pipelines.preprocess.record_batches import concat, whole
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.sides import SideTable
from pipelines.preprocess.spilling import GroupRows
from pipelines.preprocess.splits import Boundaries
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import Config, Events
from tfmtl.preprocessing import columns

_ROWS_PER_BUCKET = 65_536
_PERIODS = len(columns.SPLITS)


@dataclass(frozen=True)
class Job:
    """What the transforms need.

    Attributes:
        config: the configuration, whose source is events.
        boundaries: where the splits part.
        work: scratch directory, with the canonical events in `log`.
        output: directory of the rows, beside items.parquet.
        buckets: groups of users.
    """

    config: Config
    boundaries: Boundaries
    work: Path
    output: Path
    buckets: int

    @property
    def events(self) -> Events:
        """The source."""
        assert isinstance(self.config.source.log, Events)
        return self.config.source.log

    def read(self, batch: Batch) -> pa.RecordBatch:
        """A batch of canonical events."""
        names = log_schema(self.work / "log").names
        return read_batch(batch, names, [])


def pivot(
    config: Config, boundaries: Boundaries, work: Path, output: Path, progress: Progress
) -> Summary:
    """Turns the canonical events in `work`/log into rows with labels.

    Args:
        config: the configuration, whose source is events.
        boundaries: where the splits part.
        work: scratch directory.
        output: directory to write the rows to.
        progress: told how many events are done.

    Returns:
        Rows that come from events, events that are in the row of an earlier one, rows that were
        sampled, and negatives for which no item was found.
    """
    events = sum(pq.read_metadata(path).num_rows for path in (work / "log").iterdir())
    job = Job(config, boundaries, work, output, buckets_for(events))
    run(partial(_count_items, job=job), work, progress, events, "popularity")
    run(partial(_pivot, job=job), work, progress, events, "events to rows")
    made = read_json(work / "pivoted.json")
    return {"rows": made["rows"], "merged": events - made["rows"], **made}


def _count_items(pipeline: beam.Pipeline, job: Job) -> None:
    _ = (
        pipeline
        | "Batches" >> beam.Create(batches(job.work / "log"))
        | "Spread" >> beam.Reshuffle()
        | "Count items" >> beam.ParDo(CountItems(job))
        | "Merge counts" >> beam.CombineGlobally(MergeCounts()).with_output_types(pa.RecordBatch)
        | "Write popularity" >> beam.Map(partial(_write_popularity, job=job))
    )


def _pivot(pipeline: beam.Pipeline, job: Job) -> None:
    _ = (
        pipeline
        | "Batches" >> beam.Create(batches(job.work / "log"))
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.Map(job.read).with_output_types(pa.RecordBatch)
        | "By user" >> GroupRows(partial(bucket_of, job=job), job.work / "users")
        | "Pivot"
        >> beam.ParDo(PivotBucket(job)).with_output_types(tuple[str, tuple[int, int, int]])
        | "Group tallies" >> beam.GroupByKey()
        | "Write tallies" >> beam.MapTuple(partial(_write_tallies, job=job))
    )


class CountItems(beam.DoFn):
    """Counts the items of a batch by period."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        self._counter = RowCounter(counters(self._job.work))

    def process(self, batch: Batch) -> Iterator[pa.RecordBatch]:
        events = self._job.read(batch)
        periods = self._job.boundaries.periods(events)
        self._counter.add(events.num_rows)
        yield count_values(Coded.of(events.column(self._job.events.item)), periods)


def _write_popularity(counts: pa.RecordBatch, job: Job) -> None:
    """Writes the events of each item and period: (value, split, count)."""
    table = pa.Table.from_batches([counts])
    write_parquet(table.sort_by([("value", "ascending")]), job.work / "popularity.parquet")


def buckets_for(events: int) -> int:
    """Groups of users for so many events."""
    return -(-events // _ROWS_PER_BUCKET)


def bucket_of(events: pa.RecordBatch, job: Job) -> np.ndarray:
    """The group of each event's user, int64 `[n]`."""
    hashes = hash_strings(events.column(job.events.user))
    return (hashes % np.uint64(job.buckets)).astype(np.int64)


class PivotBucket(beam.DoFn):
    """Writes the rows of a bucket of users, yields how many there are."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        job, popularity = self._job, pq.read_table(self._job.work / "popularity.parquet")
        values = whole(popularity.column("value"))
        self._items = values.unique()
        self._index = KeyIndex(self._items)
        counts = np.zeros((_PERIODS, len(self._items)), np.float64)
        periods, places = popularity.column("split").to_numpy(), self._index.find(values)
        counts[periods, places] = popularity.column("count").to_numpy()
        rule = job.events.negatives
        weights = (counts > 0) if rule.by == "uniform" else counts**rule.power
        categories = categories_of(self._items, job) if rule.in_category else None
        self._sampler = NegativeSampler(weights, categories)
        self._item_hashes = hash_strings(self._items)
        self._counter = RowCounter(counters(job.work))

    def process(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        bucket, parts = keyed
        job, source = self._job, self._job.events
        events = concat(parts)
        times = events.column(source.time).to_numpy()
        user_hashes = hash_strings(events.column(source.user))
        users = np.unique(user_hashes, return_inverse=True)[1].astype(np.int64)
        periods = job.boundaries.periods(events).astype(np.int64)
        groups = users * _PERIODS + periods
        items = self._index.find(events.column(source.item))
        labels = {name: source.labels[name] for name in job.config.label_columns}
        rows, firsts = pivot_events(events, [groups, items], times, source.event, labels)
        groups, items, periods = groups[firsts], items[firsts], periods[firsts]
        drawn, probabilities = self._sampler.draw(
            groups,
            periods,
            items,
            np.stack([groups, items], axis=1),
            source.negatives.per_positive,
            row_hashes(user_hashes[firsts], self._item_hashes[items], periods, job.config.seed),
        )
        result = with_negatives(
            rows, drawn, probabilities, (source.item, self._items), list(labels)
        )
        path = job.output / f"part-{bucket:05d}.parquet"
        write_parquet(pa.Table.from_batches([result]), path)
        self._counter.add(events.num_rows)
        found = int(np.count_nonzero(drawn >= 0))
        yield "tally", (rows.num_rows, found, drawn.size)


def row_hashes(users: Hashes, items: Hashes, periods: np.ndarray, seed: int) -> Hashes:
    """A hash of each row of a user, an item and a period, `[n]`: where a row's chances come from,
    wherever it is worked on."""
    return mix(users ^ mix(items ^ mix(periods, seed), seed), seed)


def categories_of(items: pa.Array, job: Job) -> np.ndarray:
    """Category of each item, as a number from 0: that of its latest version; items without one have
    one together, int64 `[n]`."""
    source, category = job.config.source.items, job.events.negatives.in_category
    assert source
    assert category
    table = pq.read_table(job.output.parent / "items.parquet")
    side = SideTable(table, source.keys, source.keys, source.valid_from, source.valid_from)
    latest = table.take(pa.array(side.latest))
    found = TextIndex(whole(latest.column(source.key))).find(items)
    values = whole(latest.column(category)).take(pa.array(found, mask=found < 0))
    return Coded.of(pc.fill_null(values, "")).codes.astype(np.int64)


def _write_tallies(_: str, parts: Iterable[tuple[int, int, int]], job: Job) -> None:
    rows, drawn, wanted = np.sum(list(parts), axis=0).tolist()
    summary = {"rows": rows, "sampled": drawn, "not_found": wanted - drawn}
    write_json(summary, job.work / "pivoted.json")
