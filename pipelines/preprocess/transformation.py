"""The pass that turns the log into what the model reads.

log + side tables -> ids and numbers                           -> by shard: shuffled -> SPLIT/part-*
                  `-> by user, item, ...: what was before      -'
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.catalogue import KEY, NUMBERS, catalogued
from pipelines.preprocess.encoding import Encoder, column
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.groupings import groupings
from pipelines.preprocess.hashing import KeyIndex
from pipelines.preprocess.labels import as_known, label_values, positives, task_labels
from pipelines.preprocess.layout import ROW
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.past import FOUND, MOMENTS, FindPast, grouped_columns
from pipelines.preprocess.record_batches import whole
from pipelines.preprocess.running import RowCounter, counters
from pipelines.preprocess.shards import (
    SPLIT,
    Job,
    ShardTally,
    WriteShard,
    shard_of,
    write_tally,
)
from pipelines.preprocess.sides import Coded
from pipelines.preprocess.spilling import GroupRows
from pipelines.preprocess.with_past import AddPast
from pipelines.texts.numbered import NumberedTexts
from tfmtl.config import Config
from tfmtl.preprocessing import columns

ROWS = "encoded/rows"
"""Tag of the encoded rows."""


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds the pass to a pipeline; the tallies of the splits are written to `work`/SPLIT.json."""
    wanted = groupings(job.config)
    encoded = (
        pipeline
        | "Batches" >> beam.Create(Examples(job.config, job.examples).batches)
        | "Spread" >> beam.Reshuffle()
        | "Encode"
        >> beam.ParDo(EncodeBatch(job))
        .with_output_types(pa.RecordBatch, **{g.key: pa.RecordBatch for g in wanted})
        .with_outputs(*(grouping.key for grouping in wanted), main=ROWS)
    )
    parts, moments = [encoded[ROWS]], []
    for grouping in wanted:
        past = encoded[grouping.key] | f"By {grouping.key}" >> FindPast(grouping, job)
        parts.append(past[FOUND])
        moments.append(past[MOMENTS])
    shards = tuple(parts) | "By shard" >> GroupRows(partial(shard_of, job=job), job.work / "shards")
    if wanted:
        shards = shards | "Add past" >> AddPast(job, moments)
    _ = (
        shards
        | "Write" >> beam.ParDo(WriteShard(job)).with_output_types(ShardTally)
        | "Group by split" >> beam.GroupByKey()
        | "Write tallies" >> beam.MapTuple(partial(write_tally, job=job))
    )


class EncodeBatch(beam.DoFn):
    """Reads a batch and makes inputs, labels and meta columns.

    What depends on the item alone, and what was before, is added further on: to that, the columns
    of each grouping go by the grouping's tag.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def setup(self) -> None:
        job = self._job
        self._examples = Examples(job.config, job.examples)
        numbered = (job.work / NUMBERS).exists()
        texts = (
            NumberedTexts(job.config, job.statistics, job.output, job.work) if numbered else None
        )
        self._encoder = Encoder(self._examples, job.statistics, texts)
        inputs = job.config.row_inputs
        histories = job.config.features.history
        self._context = list(dict.fromkeys(name for h in histories for name in h.context))
        # For users and queries that are asked about, only their own texts are encoded.
        aside = {
            name
            for name, made in inputs.items()
            if made.encoded and not numbered and name not in job.config.query_features
        }
        self._names = [n for n in inputs if n not in aside | set(catalogued(self._examples))]
        catalogue = pq.read_table(job.output / "catalogue.parquet", columns=[KEY])
        self._items = KeyIndex(whole(catalogue.column(KEY)))
        self._groupings = groupings(job.config)
        self._counter = RowCounter(counters(job.work))

    def process(self, batch: Batch) -> Iterator[Any]:
        config, view = self._job.config, self._examples.logged(batch)
        rows = as_known(view.rows, config, self._examples.boundaries)
        arrays: dict[str, pa.Array] = {}
        for name in self._names:
            arrays[name] = column(self._encoder.of_view(name, view))
        if config.scenario:
            scenario = Coded.of(rows.column(config.scenario.column))
            arrays[columns.SCENARIO] = column(self._encoder.scenario(scenario))
        for name, task in config.ranking_tasks.items():
            labels = task_labels(rows, task, config, self._encoder.classes.get(name, ()))
            arrays[columns.label(name)] = column(labels, missing=np.isnan(labels))
        arrays |= self._meta(rows)
        for name in slice_columns(config):
            coded = view.text(self._examples.table_of("slice", name), name)
            arrays[columns.slice_(name)] = coded.values.take(pa.array(coded.codes))
        arrays[ROW] = rows.column(ROW)
        arrays[SPLIT] = pa.array(self._examples.boundaries.assign(rows))
        self._counter.add(rows.num_rows)
        yield pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
        items = arrays[columns.ITEM].to_numpy()
        context = {name: column(self._encoder.of_view(name, view)) for name in self._context}
        for grouping in self._groupings:
            own = grouped_columns(view, items, arrays[SPLIT], grouping, self._examples, context)
            yield beam.pvalue.TaggedOutput(grouping.key, own)

    def _meta(self, rows: pa.RecordBatch) -> dict[str, pa.Array]:
        config, log = self._job.config, self._job.config.source.log
        weight = np.ones(rows.num_rows, np.float32)
        if log.weight:
            weight = np.nan_to_num(label_values(rows, log.weight), nan=1.0)
        coded = Coded.of(rows.column(log.item))
        items = self._items.find(coded.values)[coded.codes]
        drawn = columns.NEGATIVE_PROBABILITY
        sampled = {drawn: rows.column(drawn)} if drawn in rows.schema.names else {}
        return sampled | {
            columns.WEIGHT: pa.array(weight),
            columns.POSITIVE: pa.array(positives(rows, config).astype(np.int8)),
            columns.USER: rows.column(log.user).cast(pa.string()) if log.user else _all(rows, ""),
            columns.ITEM: pa.array(items.astype(np.int32)),
            columns.TIME: rows.column(log.time) if log.time else _all(rows, 0),
        }


def _all(rows: pa.RecordBatch, value: str | int) -> pa.Array:
    """One value for all rows."""
    return pa.repeat(pa.scalar(value), rows.num_rows)


def slice_columns(config: Config) -> list[str]:
    """Raw columns by which evaluation slices: those asked for, and the scenario."""
    scenario = [config.scenario.column] if config.scenario else []
    return list(dict.fromkeys([*config.evaluation.slices, *scenario]))
