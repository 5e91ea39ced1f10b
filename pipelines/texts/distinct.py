"""The different texts of a log and its side tables.

batches of the log -> different texts of each column -> WORK/texts/NUMBER.parquet
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.components.base import Progress
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.record_batches import whole
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.writing import write_parquet
from tfmtl.config import Config, TextFeature

TEXT = "text"


def distinct_texts(
    examples: Examples,
    features: Sequence[TextFeature],
    work: Path,
    progress: Progress,
    total: int | None,
) -> dict[str, pa.Array]:
    """The different texts of features.

    Args:
        examples: the examples.
        features: the features.
        work: scratch directory.
        progress: told how many rows of the log are read.
        total: rows of the log.

    Returns:
        Texts by feature, in order, "" among them.
    """
    places = {feature.name: _place(examples, feature) for feature in features}
    logged = sorted({column for table, column in places.values() if table == "log"})
    if logged:
        build = partial(_build, examples=examples, names=logged, work=work)
        run(build, work, progress, total, "texts")
    texts = {}
    for name, (table, column) in places.items():
        if table == "log":
            own = whole(pq.read_table(_path(work, logged.index(column))).column(TEXT))
            own = pa.concat_arrays([own, _keys(examples, column)])
        else:
            own = examples.sides[table].text(column).values
        unique = pc.unique(pa.concat_arrays([own.cast(pa.string()), pa.array([""])]))
        texts[name] = unique.sort()
    return texts


def _place(examples: Examples, feature: TextFeature) -> tuple[str, str]:
    (read,) = examples.config.features.inputs[feature.name].reads
    return examples.table_of(read.side, read.column), read.column


def _keys(examples: Examples, column: str) -> pa.Array:
    """Keys of the items table, where the column is the item's key; items without a row have it."""
    source = examples.config.source
    if column != source.log.item or "items" not in examples.sides or source.items is None:
        return pa.array([], pa.string())
    return examples.sides["items"].array(source.items.key).cast(pa.string())


def _path(work: Path, number: int) -> Path:
    return work / "texts" / f"{number}.parquet"


def _build(pipeline: beam.Pipeline, examples: Examples, names: list[str], work: Path) -> None:
    _ = (
        pipeline
        | "Batches" >> beam.Create(examples.batches)
        | "Spread" >> beam.Reshuffle()
        | "Texts" >> beam.ParDo(_TextsOfBatch(examples.config, examples.directory, names, work))
        | "Different" >> beam.CombinePerKey(_Different())
        | "Write" >> beam.MapTuple(partial(_write, work=work))
    )


class _TextsOfBatch(beam.DoFn):
    """Reads a batch and gives the different texts of each column, by the column's number."""

    def __init__(self, config: Config, directory: Path, names: list[str], work: Path) -> None:
        self._config, self._directory = config, directory
        self._names, self._work = names, work

    def setup(self) -> None:
        self._examples = Examples(self._config, self._directory)
        self._counter = RowCounter(counters(self._work))

    def process(self, batch: Batch) -> Iterator[tuple[int, pa.RecordBatch]]:
        rows = self._examples.read(batch, self._names).rows
        self._counter.add(rows.num_rows)
        for number, name in enumerate(self._names):
            yield number, _batch(Coded.of(rows.column(name)).values)


class _Different(beam.CombineFn):
    """The different texts; the accumulator is a list of batches, which may change."""

    def create_accumulator(self) -> list[pa.RecordBatch]:
        return []

    def add_input(
        self, accumulator: list[pa.RecordBatch], element: pa.RecordBatch
    ) -> list[pa.RecordBatch]:
        return [_union([*accumulator, element])]

    def merge_accumulators(
        self, accumulators: Iterable[list[pa.RecordBatch]]
    ) -> list[pa.RecordBatch]:
        merged = [batch for accumulator in accumulators for batch in accumulator]
        return [_union(merged)] if merged else []

    def extract_output(self, accumulator: list[pa.RecordBatch]) -> pa.RecordBatch:
        return accumulator[0]


def _union(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return _batch(pc.unique(pa.concat_arrays([batch.column(TEXT) for batch in batches])))


def _batch(texts: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([texts.cast(pa.string())], names=[TEXT])


def _write(number: int, texts: pa.RecordBatch, work: Path) -> None:
    write_parquet(pa.Table.from_batches([texts]), _path(work, number))
