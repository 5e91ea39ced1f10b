"""What is known of a raw file before its rows are read."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from pipelines.preprocess.layout import Column, Table
from pipelines.preprocess.opening import compressed

Format = Literal["csv", "jsonl", "parquet", "tfrecord"]

_ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
}


@dataclass(frozen=True)
class RawFile:
    """One file of a raw table.

    Attributes:
        table: table it belongs to.
        number: its place among the table's files, by their content; known once they are scanned.
        path: where it lies, as Beam's file systems name it.
        size: bytes, when it was listed.
        modified: unix time of its last change, when it was listed.
        format: how its rows are written.
        names: names of its columns, in their order.
        wanted: the columns to read.
        types: of JSON lines and TFRecord, the types of `names` in the first rows.
        delimiter: of a CSV's fields.
        encoding: of a CSV's or JSON lines' text.
        header: bytes before the first row, after unpacking.
        header_lines: lines before the first row.
    """

    table: Table
    number: int
    path: str
    size: int
    modified: float
    format: Format
    names: tuple[str, ...] = ()
    wanted: tuple[Column, ...] = ()
    types: tuple[pa.DataType, ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    header: int = 0
    header_lines: int = 0

    @property
    def is_lines(self) -> bool:
        """Whether it is lines of text."""
        return self.format in ("csv", "jsonl")

    @property
    def splittable(self) -> bool:
        """Whether reading may start in the middle."""
        return self.format == "parquet" or (self.is_lines and not compressed(self.path))

    def type_of(self, column: str) -> pa.DataType:
        """A column's type in the first rows; text where they lack it."""
        known = dict(zip(self.names, self.types, strict=True))
        return known.get(column, pa.null())


def format_of(path: str) -> Format:
    """The format that a file's ending stands for, without that of a compression."""
    unpacked = path.rsplit(".", 1)[0] if compressed(path) else path
    return next((f for ending, f in _ENDINGS.items() if unpacked.endswith(ending)), "csv")
