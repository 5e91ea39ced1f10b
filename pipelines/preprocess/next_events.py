"""A log of events of which every one is a row, with labels that say what it is and when it came.

events -> by user: what it is, how long after the event before -> log/part-*.parquet
"""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import Progress
from pipelines.preprocess.events import Job, bucket_of, buckets_for
from pipelines.preprocess.hashing import hash_strings
from pipelines.preprocess.layout import ASKED
from pipelines.preprocess.log_reading import batches
from pipelines.preprocess.pivoting import are_of
from pipelines.preprocess.record_batches import concat
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.spilling import GroupRows
from pipelines.preprocess.splits import Boundaries
from pipelines.preprocess.writing import write_parquet
from tfmtl.config import Config

_TIME_BITS = 32
"""Times are seconds from 1970 to 2099."""


def follow(
    config: Config, boundaries: Boundaries, work: Path, output: Path, progress: Progress
) -> None:
    """Turns the canonical events in `work`/log into as many rows with labels.

    Args:
        config: the configuration, whose source is events with `next`.
        boundaries: where the splits part.
        work: scratch directory.
        output: directory to write the rows to.
        progress: told how many events are done.
    """
    events = sum(pq.read_metadata(path).num_rows for path in (work / "log").iterdir())
    job = Job(config, boundaries, work, output, buckets_for(events))
    run(partial(_follow, job=job), work, progress, events, "events to rows")


def _follow(pipeline: beam.Pipeline, job: Job) -> None:
    _ = (
        pipeline
        | "Batches" >> beam.Create(batches(job.work / "log"))
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.Map(job.read).with_output_types(pa.RecordBatch)
        | "By user" >> GroupRows(partial(bucket_of, job=job), job.work / "users")
        | "Follow" >> beam.ParDo(FollowBucket(job)).with_output_types(int)
    )


class FollowBucket(beam.DoFn):
    """Writes the rows of a bucket of users, yields how many there are."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        self._counter = RowCounter(counters(self._job.work))

    def process(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[int]:
        bucket, parts = keyed
        events, job = concat(parts), self._job
        path = job.output / f"part-{bucket:05d}.parquet"
        write_parquet(pa.Table.from_batches([with_labels(events, job.config)]), path)
        self._counter.add(events.num_rows)
        yield events.num_rows


def with_labels(events: pa.RecordBatch, config: Config) -> pa.RecordBatch:
    """Puts labels beside events.

    Args:
        events: all canonical events of some users.
        config: the configuration.

    Returns:
        The events with the labels that the configuration asks for, and `ASKED`.
    """
    source, spec = config.source.events, config.next_event
    assert source is not None
    assert spec is not None
    times = events.column(source.time).to_numpy()
    before = times_before(hash_strings(events.column(source.user)), times)
    first = before < 0
    for label in config.label_columns:
        if label == spec.gap:
            gaps = np.log1p((times - before).astype(np.float64)).astype(np.float32)
            made = pa.array(gaps, mask=first)
        else:
            made = pa.array(are_of(events, source.labels[label], source.event).astype(np.float32))
        events = events.append_column(label, made)
    return events.append_column(ASKED, pa.array(before, mask=first))


def times_before(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The time of the same user's latest event strictly before each event.

    Args:
        users: a number for each event's user, `[n]`.
        times: unix time of each event, `[n]`.

    Returns:
        int64 `[n]`, -1 where there is none.

    Example:
        >>> times_before(np.array([1, 2, 1, 1]), np.array([10, 20, 30, 30]))
        array([-1, -1, 10, 10])
    """
    codes = np.unique(users, return_inverse=True)[1].astype(np.int64)
    moments = (codes << _TIME_BITS) + times
    ordered = np.sort(moments)
    places = np.searchsorted(ordered, moments) - 1
    latest = ordered[places]
    known = (places >= 0) & (latest >> _TIME_BITS == codes)
    return np.where(known, latest - (codes << _TIME_BITS), -1)
