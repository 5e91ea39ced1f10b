"""Labels of impressions from a log of events: each event belongs to one impression at most.

events      -> by key                          -> matching/BUCKET.parquet
impressions -> by key: labels and their times  -> log/part-*.parquet

An event belongs to the latest impression of the same key, at its own time or earlier, but not more
than `within` before it; of several of one time, to the last in the order of the log.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.components.base import Progress, Summary
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.hashing import hash_strings, mix
from pipelines.preprocess.joining import key_codes
from pipelines.preprocess.layout import ROW, label_time
from pipelines.preprocess.log_reading import Batch, batches, log_schema, read_batch
from pipelines.preprocess.pivoting import are_of
from pipelines.preprocess.record_batches import concat
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.spilling import GroupRows
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import Config, Events

_TABLES = ("log", "events")
_ROWS_PER_BUCKET = 65_536
_TIME_BITS = 32
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Job:
    """What the transforms need.

    Attributes:
        config: the configuration, whose source is impressions and events.
        work: scratch directory, with the canonical rows in `log` and `events`.
        output: directory of the rows.
        buckets: groups of keys.
    """

    config: Config
    work: Path
    output: Path
    buckets: int

    @property
    def events(self) -> Events:
        """The source of events."""
        assert self.config.source.joined_events
        return self.config.source.joined_events

    @property
    def on(self) -> list[str]:
        """Columns of the key."""
        assert self.events.on
        return self.events.on

    @property
    def labels(self) -> dict[str, list[str]]:
        """Labels that are asked for -> the events that make them 1."""
        made = self.events.labels
        return {name: made[name] for name in self.config.label_columns if name in made}

    def matching(self, bucket: int) -> Path:
        """File of a bucket's events."""
        return self.work / "matching" / f"{bucket}.parquet"


def attribute_events(config: Config, work: Path, output: Path, progress: Progress) -> Summary:
    """Gives the canonical impressions in `work`/log the labels that `work`/events makes.

    Args:
        config: the configuration.
        work: scratch directory.
        output: directory to write the rows to.
        progress: told how many rows are done.

    Returns:
        Events that belong to an impression, and events that belong to none.
    """
    counts = [sum(pq.read_metadata(p).num_rows for p in (work / t).iterdir()) for t in _TABLES]
    job = Job(config, work, output, -(-max(counts) // _ROWS_PER_BUCKET))
    run(partial(_collect, job=job), work, progress, counts[1], "events by key")
    run(partial(_attribute, job=job), work, progress, counts[0], "events to impressions")
    attributed = read_json(work / "attributed.json")
    return {"attributed": attributed, "unattributed": counts[1] - attributed}


def _collect(pipeline: beam.Pipeline, job: Job) -> None:
    _ = _by_key(pipeline, job, "events") | "Collect" >> beam.MapTuple(
        partial(_write_events, job=job)
    )


def _attribute(pipeline: beam.Pipeline, job: Job) -> None:
    _ = (
        _by_key(pipeline, job, "log")
        | "Attribute" >> beam.MapTuple(partial(_write_rows, job=job))
        | "Count" >> beam.CombineGlobally(sum).with_output_types(int)
        | "Write tally" >> beam.Map(write_json, path=job.work / "attributed.json")
    )


def _by_key(pipeline: beam.Pipeline, job: Job, table: str) -> beam.PCollection:
    """The rows of a table in buckets of keys."""
    return (
        pipeline
        | "Batches" >> beam.Create(batches(job.work / table))
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(ReadBatch(job, table)).with_output_types(pa.RecordBatch)
        | "By key" >> GroupRows(partial(_bucket_of, job=job), job.work / "by_key" / table)
    )


class ReadBatch(beam.DoFn):
    """Reads a batch of canonical rows."""

    def __init__(self, job: Job, table: str) -> None:
        self._job = job
        self._table = table

    def setup(self) -> None:
        self._names = log_schema(self._job.work / self._table).names
        self._counter = RowCounter(counters(self._job.work))

    def process(self, batch: Batch) -> Iterator[pa.RecordBatch]:
        rows = read_batch(batch, self._names, [])
        self._counter.add(rows.num_rows)
        yield rows


def _bucket_of(rows: pa.RecordBatch, job: Job) -> np.ndarray:
    hashes = np.zeros(rows.num_rows, np.uint64)
    for name in job.on:
        coded = Coded.of(rows.column(name))
        hashes = mix(hashes ^ hash_strings(coded.values)[coded.codes])
    return (hashes % np.uint64(job.buckets)).astype(np.int64)


def _write_events(bucket: int, parts: Iterable[pa.RecordBatch], job: Job) -> None:
    write_parquet(pa.Table.from_batches([concat(parts)]), job.matching(bucket))


def _write_rows(bucket: int, parts: Iterable[pa.RecordBatch], job: Job) -> int:
    """Writes a bucket's impressions with their labels; returns how many events belong to them."""
    rows = concat(parts)
    rows = rows.take(pc.sort_indices(rows.column(ROW)))
    path = job.matching(bucket)
    events = concat(pq.read_table(path).to_batches()) if path.exists() else None
    places = np.zeros(0, np.int64)
    if events is not None:
        places = _impressions_of(events, rows, job)
    for label, kinds in job.labels.items():
        since = np.full(rows.num_rows, _NEVER)
        if events is not None:
            makes = are_of(events, kinds, job.events.event) & (places >= 0)
            times = events.column(job.events.time).to_numpy()
            np.minimum.at(since, places[makes], times[makes])
        never = since == _NEVER
        rows = rows.append_column(label, pa.array((~never).astype(np.float32)))
        rows = rows.append_column(label_time(label), pa.array(since, mask=never))
    write_parquet(pa.Table.from_batches([rows]), job.output / f"part-{bucket:05d}.parquet")
    return int(np.count_nonzero(places >= 0))


def _impressions_of(events: pa.RecordBatch, rows: pa.RecordBatch, job: Job) -> np.ndarray:
    """The row to which each event belongs: int64 `[events]`, -1 where it belongs to none."""
    keys = [pa.concat_arrays([rows.column(n), events.column(n)]) for n in job.on]
    codes = key_codes(keys)
    log_time = job.config.source.log.time
    assert log_time is not None
    return latest_before(
        codes[: rows.num_rows],
        rows.column(log_time).to_numpy(),
        codes[rows.num_rows :],
        events.column(job.events.time).to_numpy(),
        job.events.window,
    )


def latest_before(
    keys: np.ndarray,
    times: np.ndarray,
    event_keys: np.ndarray,
    event_times: np.ndarray,
    within: int,
) -> np.ndarray:
    """Finds the impression to which each event belongs.

    Args:
        keys: a number for each impression's key, `[n]`.
        times: unix time of each impression, `[n]`.
        event_keys: number of each event's key, `[m]`.
        event_times: unix time of each event, `[m]`.
        within: most seconds from an impression to its event.

    Returns:
        int64 `[m]`: the latest impression of the same key that is not after the event; of several
        of one time the last; -1 where there is none within the time.
    """
    if not len(keys):
        return np.full(len(event_keys), -1, np.int64)
    moments = (keys << _TIME_BITS) + times
    order = np.argsort(moments, kind="stable")
    wanted = (event_keys << _TIME_BITS) + event_times
    places = np.searchsorted(moments[order], wanted, side="right") - 1
    found = order[places]
    belongs = (places >= 0) & (keys[found] == event_keys) & (event_times - times[found] <= within)
    return np.where(belongs, found, -1)
