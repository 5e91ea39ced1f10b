"""Histories, counts and rates: of each grouping a few columns of every row, and what is found.

rows -> columns of a grouping -> by its key -> what was before each row
                                            `-> moments of counts and rates in training rows
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.encoding import array_of, column
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.groupings import USER, Grouping, KeyHashes, Keys, keys_of
from pipelines.preprocess.hashing import mix
from pipelines.preprocess.histories import Timeline
from pipelines.preprocess.labels import positive_since, sampled, told_at
from pipelines.preprocess.layout import ASKED, ROW
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.priors import read_priors
from pipelines.preprocess.record_batches import concat
from pipelines.preprocess.shards import HISTORY, SPLIT, WORK, Job
from pipelines.preprocess.sides import View
from pipelines.preprocess.spilling import GroupRows
from pipelines.preprocess.splits import TRAIN
from tfmtl.config import Config, History, Window
from tfmtl.config.windows import LEAST_RATE, ROWS
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED

WINDOW = f"{WORK}window/"
"""Prefix of counts and rates as they are before they are scaled, NaN where a key is missing."""
FOUND = "found"
"""Tag of what is found."""
MOMENTS = "moments"
"""Tag of the moments: (window, (bucket, moments of its scaled values in training rows))."""

_HAPPENED = f"{WORK}happened/"
_TOLD = f"{WORK}told/"
_CONTEXT = f"{WORK}context/"


def _key_column(keys: Keys) -> str:
    return f"{WORK}key/{'+'.join(keys)}"


def grouped_columns(
    view: View,
    items: np.ndarray,
    splits: pa.Array,
    grouping: Grouping,
    examples: Examples,
    context: Mapping[str, pa.Array],
) -> pa.RecordBatch:
    """What a grouping needs of each row.

    Args:
        view: rows as they were logged.
        items: row of the catalogue of each row's item.
        splits: split of each row.
        grouping: the grouping.
        examples: the examples.
        context: inputs of the rows' context that histories hold, by feature.
    """
    config, rows = examples.config, view.rows
    time = config.source.log.time
    assert time is not None, "only rows with times have a past"
    now = rows.column(time)
    if asked_before(config):  # just after the event before, which is then the past
        now = pc.add(pc.fill_null(rows.column(ASKED), -1), 1)
    arrays = {ROW: rows.column(ROW), SPLIT: splits, columns.TIME: now}
    if grouping.histories:
        arrays[columns.ITEM] = pa.array(items.astype(np.int32))
        arrays |= {_CONTEXT + feature: values for feature, values in context.items()}
    hashes = KeyHashes(view, examples)
    for keys in {(grouping.key,): None, **dict.fromkeys(grouping.keys)}:
        arrays[_key_column(keys)] = pa.array(hashes.of(keys))
    for label in grouping.happened:
        if label == ROWS:
            since = np.where(sampled(rows), -1, rows.column(time).to_numpy())
        else:
            since = positive_since(rows, label, time)
        arrays[_HAPPENED + label] = pa.array(since)
    for label in grouping.told:
        arrays[_TOLD + label] = pa.array(told_at(rows, label, config))
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def asked_before(config: Config) -> bool:
    """Whether the model is asked before the row's time, which is then not known."""
    spec = config.next_event
    return spec is not None and config.source.log.time not in spec.known


class FindPast(beam.PTransform):
    """Finds what was before each row.

    Args:
        grouping: what to bring together, and what to find.
        job: the pass.

    Returns:
        Batches of the found columns beside `ROW` and `SPLIT`, and, tagged, moments.
    """

    def __init__(self, grouping: Grouping, job: Job) -> None:
        super().__init__()
        self._grouping = grouping
        self._job = job

    def expand(self, rows: beam.PCollection) -> Any:
        key = partial(_bucket_of, key=_key_column((self._grouping.key,)), buckets=self._job.buckets)
        directory = self._job.work / f"past-{self._grouping.key}"
        find = beam.ParDo(FindInBucket(self._grouping, self._job))
        return (
            rows
            | "Together" >> GroupRows(key, directory)
            | "Find"
            >> find.with_output_types(
                pa.RecordBatch, **{MOMENTS: tuple[str, tuple[int, NumberStatistics]]}
            ).with_outputs(MOMENTS, main=FOUND)
        )


def _bucket_of(rows: pa.RecordBatch, key: str, buckets: int) -> np.ndarray:
    """The bucket of each row: int64 `[n]`; rows without the key, which have nothing to do with one
    another, are in any."""
    hashes = rows.column(key).to_numpy()
    scattered = np.where(hashes == 0, mix(rows.column(ROW).to_numpy()), hashes)
    return (scattered % np.uint64(buckets)).astype(np.int64)


class FindInBucket(beam.DoFn):
    """Finds what was before each row of a bucket."""

    def __init__(self, grouping: Grouping, job: Job) -> None:
        self._grouping = grouping
        self._job = job

    def setup(self) -> None:
        from tfmtl.layers.gaps import GapBuckets

        self._gap_buckets = GapBuckets()
        self._priors = read_priors(self._job.statistics)

    def process(self, keyed: tuple[int, Iterable[pa.RecordBatch]]) -> Iterator[Any]:
        bucket, batches = keyed
        rows = concat(batches)
        found = {ROW: rows.column(ROW), SPLIT: rows.column(SPLIT)}
        for keys in self._grouping.keys:
            timeline, there = _timeline(rows, keys)
            if keys == USER:
                for history in self._grouping.histories:
                    found |= self._history(rows, timeline, history)
            for window in self._grouping.windows:
                if keys_of(window) == keys:
                    values = window_values(rows, timeline, there, window, self._priors)
                    found[WINDOW + window.name] = pa.array(values)
                    moments = _moments(values[rows.column(SPLIT).to_numpy() == TRAIN], window)
                    yield beam.pvalue.TaggedOutput(MOMENTS, (window.name, (bucket, moments)))
        yield pa.RecordBatch.from_arrays(list(found.values()), names=list(found))

    def _history(
        self, rows: pa.RecordBatch, timeline: Timeline, history: History
    ) -> Mapping[str, pa.Array]:
        happened = [rows.column(_HAPPENED + label).to_numpy() for label in history.where]
        past = timeline.last(happened, history.last)
        if asked_before(self._job.config):
            past = replace(past, times=past.times - 1)
        items = past.of_rows(rows.column(columns.ITEM).to_numpy())
        found = {HISTORY + history.title: column(items)}
        if history.gap_input:
            ids = self._gap_buckets(past.gaps).numpy()
            found[history.gap_input] = column(ids.astype(np.int8))
        if history.behaviour_input:
            ids = np.arange(RESERVED, RESERVED + len(history.where), dtype=np.int16)
            found[history.behaviour_input] = column(past.of_kinds(ids))
        for name, feature in history.context_inputs.items():
            values = past.of_rows(array_of(rows.column(_CONTEXT + feature)), missing=0)
            found[name] = column(values.reshape(rows.num_rows, -1))
        return found


def _timeline(rows: pa.RecordBatch, keys: Keys) -> tuple[Timeline, np.ndarray]:
    """The rows by some keys, and which of them have these."""
    hashes = rows.column(_key_column(keys)).to_numpy()
    numbers = rows.column(ROW).to_numpy()
    return Timeline(hashes, rows.column(columns.TIME).to_numpy(), numbers), hashes != 0


def window_values(
    rows: pa.RecordBatch,
    timeline: Timeline,
    there: np.ndarray,
    window: Window,
    priors: Mapping[str, float],
) -> np.ndarray:
    """Counts or rates of a window before each row: float32 `[n]`, NaN where a key is missing.

    Args:
        rows: rows of a bucket.
        timeline: the same rows by the window's keys.
        there: which rows have these keys.
        window: what to count.
        priors: means of labels over the training rows.
    """
    happened = rows.column(_HAPPENED + window.of).to_numpy()
    if window.kind == "count":
        values = timeline.count(happened, window.seconds).astype(np.float64)
    else:
        told = rows.column(_TOLD + window.of).to_numpy()
        positives, known = timeline.share(told, happened, window.seconds)
        smoothing = window.rows_of_prior
        values = (positives + smoothing * priors[window.of]) / (known + smoothing)
    return np.where(there, values, np.nan).astype(np.float32)


def _moments(values: np.ndarray, window: Window) -> NumberStatistics:
    values = values.astype(np.float64)
    if window.kind == "count":
        return NumberStatistics.of(np.log1p(values))
    rates = np.clip(values, LEAST_RATE, 1 - LEAST_RATE)
    return NumberStatistics.of(np.log(rates) - np.log1p(-rates))
