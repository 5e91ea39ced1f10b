"""The first pass over the raw tables: parse, cast, write canonical rows and dead letters.

files -> scans, the files numbered by content -> blocks
blocks -> canonical rows -> log/, items/, users/
      `-> dead letters   -> dead_letters/
      `-> tallies        -> tallies/TABLE.json
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.components.base import PipelineError
from pipelines.preprocess.blocks import BLOCK_BYTES, Block, Scan, number, scan
from pipelines.preprocess.casting import cast, rejecter
from pipelines.preprocess.opening import check_unchanged
from pipelines.preprocess.raw_files import RawFile
from pipelines.preprocess.raw_rows import RawRows
from pipelines.preprocess.reading import damaged, read
from pipelines.preprocess.rejects import by_reason
from pipelines.preprocess.running import RowCounter, counters
from pipelines.preprocess.writing import read_json, write_json, write_parquet

DEAD_LETTERS = "dead_letters"
"""Directory of the rejected rows."""

_FILE_SHIFT = 40
"""A row's number is its file's number times 2^40, plus its line."""

Part = tuple[str, pa.RecordBatch]
"""Path of a part below the output, without its ending, and the rows to write there."""


@dataclass
class Tally:
    """What became of a table's rows.

    Attributes:
        rows: rows read.
        kept: rows that are good.
        rejected: number of dead letters by reason.
        first: earliest time of a good row.
        last: latest time of a good row.
        failure: why a file cannot be read at all.
    """

    rows: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first: int | None = None
    last: int | None = None
    failure: str | None = None

    @classmethod
    def merge(cls, tallies: Iterable["Tally"]) -> "Tally":
        """Adds tallies up, in any order."""
        merged = cls()
        for tally in tallies:
            merged.rows += tally.rows
            merged.kept += tally.kept
            merged.rejected += tally.rejected
            merged.first = _known(min, merged.first, tally.first)
            merged.last = _known(max, merged.last, tally.last)
            merged.failure = _known(min, merged.failure, tally.failure)
        return merged


TableTally = tuple[str, Tally]
"""A table and what became of some of its rows."""


def _known(choose: Any, one: Any, other: Any) -> Any:
    given = [value for value in (one, other) if value is not None]
    return choose(given) if given else None


def build(
    pipeline: beam.Pipeline, files: list[RawFile], output: Path, block_bytes: int = BLOCK_BYTES
) -> None:
    """Adds the pass to a pipeline.

    Args:
        pipeline: the pipeline.
        files: files of all raw tables.
        output: directory to write to.
        block_bytes: bytes of a CSV block.
    """
    rows = read_rows(pipeline, files, output, block_bytes)
    _ = rows | "Write rows" >> beam.Map(write_part, output=output)


def read_rows(
    pipeline: beam.Pipeline, files: list[RawFile], output: Path, block_bytes: int = BLOCK_BYTES
) -> beam.PCollection:
    """Adds reading to a pipeline; dead letters and tallies are written.

    Args:
        pipeline: the pipeline.
        files: files of all raw tables.
        output: directory to write to.
        block_bytes: bytes of a CSV block.

    Returns:
        The canonical rows, a collection of `Part`.
    """
    scanned = (
        pipeline
        | "Files" >> beam.Create(files)
        | "Spread files" >> beam.Reshuffle()
        | "Scan"
        >> beam.ParDo(ScanFile(block_bytes))
        .with_output_types(Scan, tally=TableTally)
        .with_outputs("tally", main="scans")
    )
    parsed = (
        scanned["scans"]
        | "One key" >> beam.WithKeys(0).with_output_types(tuple[int, Scan])
        | "All scans" >> beam.GroupByKey()
        | "Number" >> beam.FlatMapTuple(_numbered).with_output_types(Block)
        | "Spread" >> beam.Reshuffle()
        | "Parse"
        >> beam.ParDo(ParseBlock(output, block_bytes))
        .with_output_types(Part, rejected=Part, tally=TableTally)
        .with_outputs("rejected", "tally", main="rows")
    )
    _ = parsed["rejected"] | "Write rejected" >> beam.Map(write_part, output=output)
    _ = (
        (scanned["tally"], parsed["tally"])
        | "All tallies" >> beam.Flatten()
        | "Merge tallies" >> beam.CombinePerKey(Tally.merge).with_output_types(TableTally)
        | "Write tallies" >> beam.MapTuple(partial(_write_tally, output=output))
    )
    return parsed["rows"]


def _numbered(_: int, scans: Iterable[Scan]) -> Iterator[Block]:
    return number(scans)


class ScanFile(beam.DoFn):
    """Cuts a file into blocks and hashes its content; why it cannot be read goes to `tally`."""

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self._block_bytes = block_bytes

    def process(self, file: RawFile) -> Iterator[Scan | Any]:
        try:
            yield scan(file, self._block_bytes)
        except (pa.ArrowException, OSError, PipelineError) as error:
            yield _failed(file, error)


class ParseBlock(beam.DoFn):
    """Reads a block into canonical rows, dead letters (`rejected`) and counts (`tally`)."""

    def __init__(self, output: Path, block_bytes: int = BLOCK_BYTES) -> None:
        self._output = output
        self._block_bytes = block_bytes

    def setup(self) -> None:
        self._counter = RowCounter(counters(self._output))

    def process(self, block: Block) -> Iterator[Any]:
        try:
            for part, raw in read(block, self._block_bytes):
                yield from self._parse(part, raw)
        except (pa.ArrowException, OSError, PipelineError) as error:
            yield _failed(block.file, error)

    def _parse(self, block: Block, raw: RawRows) -> Iterator[Any]:
        file = block.file
        rows, rejected = parse(raw, block)
        tally = Tally(raw.columns.num_rows + raw.rejected.num_rows, rows.num_rows)
        tally.rejected = by_reason(rejected)
        times = [c.name for c in file.wanted if c.kind == "time"]
        if times and rows.num_rows:
            ends = pc.min_max(rows.column(times[0])).as_py()
            tally.first, tally.last = ends["min"], ends["max"]
        self._counter.add(tally.rows)
        if rows.num_rows:
            yield f"{file.table}/part-{block.name}", rows
        if rejected.num_rows:
            part = f"{DEAD_LETTERS}/{file.table}-{block.name}", rejected
            yield beam.pvalue.TaggedOutput("rejected", part)
        yield beam.pvalue.TaggedOutput("tally", (file.table, tally))


def _failed(file: RawFile, error: Exception) -> beam.pvalue.TaggedOutput:
    """A tally that says why a file cannot be read: that it changed, if it did."""
    try:
        check_unchanged(file.path, file.size, file.modified)
        known = isinstance(error, PipelineError)
        failure = str(error if known else damaged(file.path, error))
    except PipelineError as changed:
        failure = str(changed)
    return beam.pvalue.TaggedOutput("tally", (file.table, Tally(failure=failure)))


def parse(raw: RawRows, block: Block) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Casts the rows of a block.

    Returns:
        The canonical rows and all of the block's dead letters.
    """
    file = block.file
    numbers = (np.int64(file.number) << _FILE_SHIFT) + raw.numbers
    rows, rejected = cast(
        raw.columns, file.wanted, numbers, rejecter(file.table, file.path, raw.lines, raw.text)
    )
    both = pa.Table.from_batches([raw.rejected, rejected]).combine_chunks().to_batches()
    return rows, both[0] if both else raw.rejected


def write_part(part: Part, output: Path) -> None:
    """Writes a part's rows to its file."""
    name, rows = part
    write_parquet(pa.Table.from_batches([rows]), output / f"{name}.parquet")


def _write_tally(table: str, tally: Tally, output: Path) -> None:
    write_json(vars(tally), output / "tallies" / f"{table}.json")


def read_tally(output: Path, table: str) -> Tally:
    """The count of a table that a finished pass wrote."""
    path = output / "tallies" / f"{table}.json"
    if not path.exists():
        return Tally()
    data = read_json(path)
    return Tally(**{**data, "rejected": Counter(data["rejected"])})
