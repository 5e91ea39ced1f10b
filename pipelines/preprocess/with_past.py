"""Puts what was found before each row beside the row, counts and rates scaled."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.preprocess.encoding import array_of, column
from pipelines.preprocess.layout import ROW
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.past import WINDOW
from pipelines.preprocess.record_batches import concat
from pipelines.preprocess.shards import SPLIT, Job
from pipelines.preprocess.spilling import Group
from pipelines.preprocess.writing import read_json, write_json
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import Moments

Numbered = tuple[str, tuple[int, NumberStatistics]]
"""A window, and the moments of one bucket of its values."""


class AddPast(beam.PTransform):
    """Joins the encoded rows of shards with what was found before them.

    Counts and rates are scaled by their moments over all training rows, which are written to
    `work`/past.json; so no shard is joined before all are counted.

    Args:
        job: the pass.
        moments: collections of `Numbered`.
    """

    def __init__(self, job: Job, moments: Sequence[beam.PCollection]) -> None:
        super().__init__()
        self._job = job
        self._moments = moments

    def expand(self, shards: beam.PCollection) -> beam.PCollection:
        merged = (
            self._moments
            | "Flatten moments" >> beam.Flatten().with_output_types(Numbered)
            | "Group moments" >> beam.GroupByKey()
            | "Merge moments" >> beam.MapTuple(_merge)
            | "All moments" >> beam.combiners.ToDict()
            | "Write moments" >> beam.Map(partial(_write, work=self._job.work))
        )
        return shards | "Join" >> beam.ParDo(
            Join(self._job), beam.pvalue.AsSingleton(merged)
        ).with_output_types(Group)


def _merge(
    window: str, parts: Iterable[tuple[int, NumberStatistics]]
) -> tuple[str, tuple[float, float]]:
    ordered = [part for _, part in sorted(parts, key=lambda numbered: numbered[0])]
    merged = NumberStatistics.merge(ordered)
    return window, (merged.mean, merged.deviation)


def _write(moments: dict[str, tuple[float, float]], work: Path) -> dict[str, tuple[float, float]]:
    write_json({name: moments[name] for name in sorted(moments)}, work / "past.json")
    return moments


def read_window_moments(work: Path) -> dict[str, Moments]:
    """The moments of counts and rates that a finished pass wrote."""
    return {name: Moments(*values) for name, values in read_json(work / "past.json").items()}


class Join(beam.DoFn):
    """Joins the batches of a shard by the rows' numbers."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, keyed: Group, moments: Mapping[str, tuple[float, float]]) -> Iterator[Group]:
        key, batches = keyed
        by_schema: dict[tuple[str, ...], list[pa.RecordBatch]] = {}
        for batch in batches:
            by_schema.setdefault(tuple(batch.schema.names), []).append(batch)
        (encoded,) = (names for names in by_schema if columns.WEIGHT in names)
        rows = concat(by_schema.pop(encoded))
        arrays = dict(zip(rows.schema.names, rows.columns, strict=True))
        # Place of each row among the rows in the order of their numbers.
        ranks = np.empty(rows.num_rows, np.int64)
        ranks[np.argsort(rows.column(ROW).to_numpy())] = np.arange(rows.num_rows)
        for names in sorted(by_schema):
            found = concat(by_schema[names])
            places = np.argsort(found.column(ROW).to_numpy())[ranks]
            for name in names:
                if name.startswith(WINDOW):
                    window, values = name.removeprefix(WINDOW), found.column(name).to_numpy()
                    arrays[window] = self._scaled(window, values[places], moments)
                elif name not in (ROW, SPLIT):
                    arrays[name] = _of_events(found.column(name), places)
        yield key, [pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))]

    def _scaled(
        self, window: str, values: np.ndarray, moments: Mapping[str, tuple[float, float]]
    ) -> pa.Array:
        from tfmtl.preprocessing.past import window_layer

        spec = next(w for w in self._job.config.features.windows if w.name == window)
        return column(window_layer(spec, Moments(*moments[window]))(values).numpy())


def _of_events(lists: pa.FixedSizeListArray, places: np.ndarray) -> pa.Array:
    """Lists of ids or numbers of some rows, in the type in which the model reads them; ids travel
    in less."""
    values = array_of(lists)[places]
    dtype = np.float32 if values.dtype.kind == "f" else np.int32
    return column(values.astype(dtype, copy=False))
