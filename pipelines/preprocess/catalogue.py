"""The catalogue: every item once, with its raw columns and the model's inputs."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.encoding import Encoder, column
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.hashing import KeyIndex
from pipelines.preprocess.layout import ROW
from pipelines.preprocess.log_reading import Batch
from pipelines.preprocess.record_batches import concat, decoded, whole
from pipelines.preprocess.running import RowCounter, counters
from pipelines.preprocess.writing import write_parquet
from pipelines.texts.numbered import NumberedTexts
from tfmtl.config import Config, Events, Impressions, Input, Raw
from tfmtl.preprocessing import columns

KEY = "key"
"""Column of the raw item key."""
TITLE = "title"
"""Column with a name that people read."""


NUMBERS = "item_texts.parquet"
"""File of the numbers of items' texts in the scratch directory, by input, in the catalogue's
order; the catalogue itself has their vectors."""


def raw(name: str) -> str:
    """Column that keeps a raw column of the items."""
    return f"raw/{name}"


def build(pipeline: beam.Pipeline, examples: Examples, work: Path) -> None:
    """Adds to a pipeline: the latest row of every item of the log, in `work`/items.parquet."""
    _ = (
        pipeline
        | "Batches" >> beam.Create(examples.batches)
        | "Spread" >> beam.Reshuffle()
        | "Items" >> beam.ParDo(LatestOfBatch(examples.config, examples.directory, work))
        | "Latest"
        >> beam.CombineGlobally(Latest(examples.config)).with_output_types(pa.RecordBatch)
        | "Write" >> beam.Map(_write, work=work)
    )


def _write(rows: pa.RecordBatch, work: Path) -> None:
    write_parquet(pa.Table.from_batches([rows]), work / "items.parquet")


def item_inputs(config: Config) -> list[Input]:
    """The model's inputs that features of items make."""
    items = {feature.name for feature in config.features.item}
    return [made for made in config.features.inputs.values() if made.feature in items]


def catalogued(examples: Examples) -> list[str]:
    """The inputs that depend on the item alone, and not on the log's row or its time."""
    source = examples.config.source
    once = source.items is not None and source.items.valid_from is None

    def lasting(raw: Raw) -> bool:
        name = raw.column
        return name == source.log.item or (once and examples.table_of("item", name) == "items")

    return [made.name for made in item_inputs(examples.config) if all(map(lasting, made.reads))]


def log_columns(examples: Examples) -> list[str]:
    """The columns of the catalogue that only the log has."""
    item = examples.config.source.log.item
    names = _raw_names(examples.config)
    return [n for n in names if n != item and examples.table_of("item", n) == "log"]


def _raw_names(config: Config) -> list[str]:
    """The raw columns of item features, and those that requests may filter by and scores read."""
    features = [raw.column for made in item_inputs(config) for raw in made.reads]
    return list(dict.fromkeys([*features, *config.serving.columns]))


class LatestOfBatch(beam.DoFn):
    """Reads a batch and keeps the latest row of every item."""

    def __init__(self, config: Config, directory: Path, work: Path) -> None:
        self._config = config
        self._directory = directory
        self._work = work

    def setup(self) -> None:
        self._examples = Examples(self._config, self._directory)
        self._counter = RowCounter(counters(self._work))

    def process(self, batch: Batch) -> Iterator[pa.RecordBatch]:
        log = self._config.source.log
        names = dict.fromkeys([*_order(log), *log_columns(self._examples)])
        rows = self._examples.read(batch, list(names)).rows
        self._counter.add(rows.num_rows)
        yield decoded(latest([rows], _order(log)))


class Latest(beam.CombineFn):
    """The latest row of every item; the accumulator is a list of batches, which may change."""

    def __init__(self, config: Config) -> None:
        self._order = _order(config.source.log)

    def create_accumulator(self) -> list[pa.RecordBatch]:
        return []

    def add_input(
        self, accumulator: list[pa.RecordBatch], element: pa.RecordBatch
    ) -> list[pa.RecordBatch]:
        return [latest([*accumulator, element], self._order)]

    def merge_accumulators(
        self, accumulators: Iterable[list[pa.RecordBatch]]
    ) -> list[pa.RecordBatch]:
        merged = [batch for accumulator in accumulators for batch in accumulator]
        return [latest(merged, self._order)] if merged else []

    def extract_output(self, accumulator: list[pa.RecordBatch]) -> pa.RecordBatch:
        return accumulator[0].sort_by(self._order[0])


def _order(log: Impressions | Events) -> list[str]:
    """The item, and by what its rows are put in order: the time, if any, then the place."""
    return [log.item, *([log.time] if log.time is not None else []), ROW]


def latest(batches: list[pa.RecordBatch], order: list[str]) -> pa.RecordBatch:
    """The last row of every item, of items in any order."""
    rows = concat(batches)
    items = Coded.of(rows.column(order[0]))
    places = np.lexsort([rows.column(name).to_numpy() for name in reversed(order[1:])])
    last = np.full(len(items.values), -1)
    last[items.codes[places]] = places  # of several values for one place the last stays
    return rows.take(pa.array(last[last >= 0]))


def make(
    examples: Examples, encoder: Encoder, positives: pa.Table, work: Path, texts: NumberedTexts
) -> pa.Table:
    """Makes the catalogue.

    Args:
        examples: the examples.
        encoder: makes the model's inputs.
        positives: (item key, count) of the training rows' retrieval positives.
        work: where `build` left the log's items; the numbers of their texts are left there, too.
        texts: the texts that are numbered, as the encoder numbers them.

    Returns:
        One row an item: the latest of the items table in its order, then the log's other items by
        key.
    """
    config = examples.config
    logged = pq.read_table(work / "items.parquet")
    seen = whole(logged.column(config.source.log.item))
    keys = seen
    if "items" in examples.sides:
        assert config.source.items
        known = _latest_of(examples, config.source.items.key)
        keys = pa.concat_arrays([known, seen.filter(pc.invert(pc.is_in(seen, known)))])
    raws = {name: _raw_column(examples, name, keys, logged) for name in _raw_names(examples.config)}
    arrays = {KEY: keys, TITLE: _titles(examples, keys)}
    made = encoded(examples.config, encoder, raws)
    numbers = {i.name: made[i.name] for i in item_inputs(config) if i.encoded}
    write_parquet(pa.table(numbers), work / NUMBERS)
    for name, own in numbers.items():
        made[name] = column(texts.vectors(name, own.to_numpy()))
    arrays |= made
    arrays |= {raw(name): values for name, values in raws.items()}
    arrays[columns.SAMPLING_PROBABILITY] = pa.array(_probabilities(keys, positives))
    return pa.table(arrays)


def encoded(
    config: Config, encoder: Encoder, raws: Mapping[str, pa.Array], known: Collection[str] = ()
) -> dict[str, pa.Array]:
    """The inputs that features of items make of raw columns, by name, those left out that are
    known."""
    return {
        made.name: column(encoder.of_columns(made.name, [raws[read.column] for read in made.reads]))
        for made in item_inputs(config)
        if made.name not in known
    }


def _raw_column(examples: Examples, name: str, keys: pa.Array, logged: pa.Table) -> pa.Array:
    if name == examples.config.source.log.item:
        return keys
    if examples.table_of("item", name) == "items":
        values, rows = _latest_of(examples, name), np.arange(len(keys))
        rows = np.where(rows < len(values), rows, -1)
    else:
        values = whole(logged.column(name))
        rows = KeyIndex(whole(logged.column(examples.config.source.log.item))).find(keys)
    taken = values.take(pa.array(rows, mask=rows < 0))
    return pc.fill_null(taken, "") if pa.types.is_string(taken.type) else taken


def _latest_of(examples: Examples, name: str) -> pa.Array:
    """A column of the items table, of the latest version of each item."""
    side = examples.sides["items"]
    return side.array(name).take(pa.array(side.latest))


def _titles(examples: Examples, keys: pa.Array) -> pa.Array:
    source = examples.config.source.items
    if source is None or source.title is None:
        return keys
    titles = _latest_of(examples, source.title)
    titles = pa.concat_arrays([titles, pa.array([""] * (len(keys) - len(titles)), pa.string())])
    return pc.if_else(pc.equal(titles, ""), keys, titles)


def _probabilities(keys: pa.Array, positives: pa.Table) -> np.ndarray:
    """Share of each item among the positives; an item without one counts as half of one."""
    counted = whole(positives.column(0))
    counts = np.append(positives.column("count").to_numpy(), 0)
    found = np.maximum(counts[KeyIndex(counted).find(keys)], 0.5)
    total = counts.sum()
    return (found / (total if total else found.sum())).astype(np.float32)
