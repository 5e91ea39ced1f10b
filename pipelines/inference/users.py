"""The users of the log as a model would see them just after its end.

Every user's last row stands for the user: a second later than all others, without query, context
and labels. What was before it is found as Transform finds it, so that the model meets nothing that
it was not trained on.

log -> each user's last row -> rows of users
log + rows of users -> ids and numbers, what was before -> inputs of the query tower
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import Progress
from pipelines.inference.encoded import INPUT
from pipelines.inference.handler import INPUTS, Asked
from pipelines.preprocess.catalogue import latest
from pipelines.preprocess.encoding import column
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.groupings import groupings
from pipelines.preprocess.hashing import hash_strings, mix
from pipelines.preprocess.layout import ROW, SAMPLED
from pipelines.preprocess.log_reading import Batch, read_batch
from pipelines.preprocess.past import FOUND, FindPast
from pipelines.preprocess.record_batches import concat, decoded, whole
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.shards import HISTORY, Job
from pipelines.preprocess.spilling import Group, GroupRows
from pipelines.preprocess.transformation import ROWS, EncodeBatch
from pipelines.preprocess.with_past import Join
from pipelines.preprocess.writing import read_json, write_parquet
from tfmtl.config import Config
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import read_moments

_FIRST = 1 << 62
"""Number of the first row that stands for a user; no row of a log has one as high."""
_PER_BUCKET = 131_072


@dataclass(frozen=True)
class Users:
    """Where the users of a run come from.

    Attributes:
        config: the configuration.
        examples: ExampleGen's artifact.
        statistics: StatisticsGen's artifact.
        transformed: Transform's artifact.
    """

    config: Config
    examples: Path
    statistics: Path
    transformed: Path

    def job(self, work: Path) -> Job:
        """The pass over the log, in which only what the query tower reads is made."""
        rows = read_json(self.statistics / "summary.json")["rows"]
        splits = tuple(rows[split] for split in columns.SPLITS)
        config = _needed(self.config)
        return Job(config, self.examples, self.statistics, self.transformed, work, splits)


def _needed(config: Config) -> Config:
    features, names = config.features, set(config.query_features)
    needed = features.model_copy(
        update={
            "windows": [window for window in features.windows if window.name in names],
            "history": [h for h in features.history if names.intersection(h.input_names)],
        }
    )
    return config.model_copy(update={"features": needed})


def write_users(users: Users, work: Path, progress: Progress) -> None:
    """Writes the rows that stand for users to `work`/users."""
    total = sum(users.job(work).rows)
    build = partial(_build_users, users=users, work=work)
    run(build, work, progress, total, "users")


def _build_users(pipeline: beam.Pipeline, users: Users, work: Path) -> None:
    buckets = -(-sum(users.job(work).rows) // _PER_BUCKET)
    user = _order(users.config)[0]
    key = partial(_bucket_of_users, user=user, buckets=buckets)
    _ = (
        pipeline
        | "Batches" >> beam.Create(Examples(users.config, users.examples).batches)
        | "Spread" >> beam.Reshuffle()
        | "Last of batch" >> beam.ParDo(_LastOfBatch(users, work)).with_output_types(pa.RecordBatch)
        | "By user" >> GroupRows(key, work / "spilled-users")
        | "Write" >> beam.MapTuple(partial(_write_last, users=users, work=work))
    )


class _LastOfBatch(beam.DoFn):
    """Reads a batch and keeps the last row of every user."""

    def __init__(self, users: Users, work: Path) -> None:
        self._users = users
        self._work = work

    def setup(self) -> None:
        self._names = Examples(self._users.config, self._users.examples).schema.names
        self._counter = RowCounter(counters(self._work))

    def process(self, batch: Batch) -> Iterator[pa.RecordBatch]:
        rows = read_batch(batch, self._names, [])
        self._counter.add(rows.num_rows)
        yield decoded(latest([rows], _order(self._users.config)))


def _order(config: Config) -> list[str]:
    log = config.source.log
    assert log.user is not None
    assert log.time is not None
    return [log.user, log.time, ROW]


def _bucket_of_users(rows: pa.RecordBatch, user: str, buckets: int) -> np.ndarray:
    return (hash_strings(rows.column(user)) % np.uint64(buckets)).astype(np.int64)


def _write_last(bucket: int, batches: list[pa.RecordBatch], users: Users, work: Path) -> None:
    """Writes the rows of a bucket's users, in the order of their keys."""
    order = _order(users.config)
    rows = latest(batches, order).sort_by(order[0])
    end = read_json(users.examples / "summary.json")["last_time"]
    numbers = _FIRST + (np.int64(bucket) << 32) + np.arange(rows.num_rows)
    changed = {ROW: pa.array(numbers), order[1]: pa.repeat(pa.scalar(end + 1), rows.num_rows)}
    kept = _kept(users.config)
    arrays = [
        changed.get(name, rows.column(name) if name in kept else _missing(rows.column(name)))
        for name in rows.schema.names
    ]
    table = pa.Table.from_arrays(arrays, schema=rows.schema)
    write_parquet(table, work / "users" / f"part-{bucket:05d}.parquet")


def _kept(config: Config) -> set[str]:
    """Columns that say who the user is, or that every row must have."""
    log, made = config.source.log, config.features.inputs.values()
    kept = {raw.column for one in made for raw in one.reads if raw.side == "user"}
    kept |= {name for name in (log.user, log.item, config.split.column, SAMPLED) if name}
    return kept | ({config.scenario.column} if config.scenario else set())


def _missing(values: pa.Array) -> pa.Array:
    """What is missing, as many times, as canonical rows have it."""
    if pa.types.is_string(values.type):
        return pa.repeat(pa.scalar(""), len(values))
    if pa.types.is_list(values.type):
        return pa.repeat(pa.scalar([], values.type), len(values))
    return pa.nulls(len(values), values.type)


def ask_of_users(pipeline: beam.Pipeline, users: Users, work: Path) -> beam.PCollection:
    """Adds to a pipeline: the inputs of the query tower of all users, a collection of `Asked`.

    Args:
        pipeline: the pipeline.
        users: where they come from.
        work: scratch directory, in which `write_users` has left their rows.
    """
    job = users.job(work)
    rows = sorted((work / "users").glob("*.parquet"))
    own = [Batch(str(p), g) for p in rows for g in range(pq.read_metadata(p).num_row_groups)]
    count = sum(pq.read_metadata(path).num_rows for path in rows)
    wanted = groupings(job.config)
    # Without a past to find, the log's own rows say nothing of users.
    batches = [*(Examples(job.config, job.examples).batches if wanted else []), *own]
    encoded = (
        pipeline
        | "Batches" >> beam.Create(batches)
        | "Spread" >> beam.Reshuffle()
        | "Encode"
        >> beam.ParDo(EncodeBatch(job))
        .with_output_types(pa.RecordBatch, **{g.key: pa.RecordBatch for g in wanted})
        .with_outputs(*(grouping.key for grouping in wanted), main=ROWS)
    )
    found = [encoded[ROWS]]
    for grouping in wanted:
        past = encoded[grouping.key] | f"By {grouping.key}" >> FindPast(grouping, job)
        found.append(past[FOUND])
    parts = tuple(
        part | f"Users {place}" >> beam.FlatMap(_of_users).with_output_types(pa.RecordBatch)
        for place, part in enumerate(found)
    )
    key = partial(_part_of, parts=-(-count // _PER_BUCKET))
    together = parts | "By part" >> GroupRows(key, work / "spilled-inputs")
    if wanted:
        moments = {n: (m.mean, m.deviation) for n, m in read_moments(job.output).items()}
        together = together | "Join" >> beam.ParDo(Join(job), moments).with_output_types(Group)
    return together | "Ask of users" >> beam.ParDo(_AskOfPart(users)).with_output_types(Asked)


def _of_users(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    own = rows.column(ROW).to_numpy() >= _FIRST
    if own.any():
        yield rows.filter(pa.array(own))


def _part_of(rows: pa.RecordBatch, parts: int) -> np.ndarray:
    return (mix(rows.column(ROW).to_numpy()) % np.uint64(parts)).astype(np.int64)


class _AskOfPart(beam.DoFn):
    """Makes the inputs of the query tower of some users, in the order of the rows' numbers."""

    def __init__(self, users: Users) -> None:
        self._users = users

    def setup(self) -> None:
        catalogue = pq.read_table(self._users.transformed / "catalogue.parquet")
        # One more row, the last, for the places of a history that are empty.
        self._ids = {
            of: np.append(whole(catalogue.column(of)).to_numpy(), np.int32(0))
            for history in self._users.config.features.history
            for of in history.of
        }

    def process(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Asked]:
        part, batches = keyed
        config = self._users.config
        rows = concat(batches)
        rows = rows.take(pa.array(np.argsort(rows.column(ROW).to_numpy())))
        arrays = {str(config.source.log.user): rows.column(columns.USER)}
        histories = {
            name: (history, of)
            for history in config.features.history
            for name, of in history.item_inputs.items()
        }
        for name in config.query_features:
            if name in histories:
                history, of = histories[name]
                lists = rows.column(HISTORY + history.title)
                items = lists.values.to_numpy().reshape(-1, history.last)
                arrays[INPUT + name] = column(self._ids[of][items])
            else:
                arrays[INPUT + name] = rows.column(name)
        batch = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
        yield INPUTS, f"part-{part:05d}", batch
