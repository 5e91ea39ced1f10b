"""Tables of raw files, and those that are joined to the log by key."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tfmtl.config.base import Spec


class TableSource(Spec):
    """One table of files: CSV, JSON lines, Parquet or TFRecord of tf.Example.

    Example:
        `{path: u.item, delimiter: "|", encoding: latin-1, columns: [item_id, title], key: item_id}`
    """

    path: str
    """File, directory or glob, relative to the data directory; `**` stands for any directories."""
    format: Literal["auto", "csv", "jsonl", "parquet", "tfrecord"] = "auto"
    """`auto` goes by each file's ending: `.parquet` and `.pq`, `.jsonl`, `.ndjson` and `.json`,
    `.tfrecord` and `.tfrecords`, everything else is CSV. What ends in `.gz`, `.bz2`, `.zst` or
    `.xz` is unpacked."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """What parts the fields of a CSV."""
    encoding: str = "utf-8"
    """Of the text of a CSV or of JSON lines."""
    columns: list[str] | None = None
    """Names of the columns of a CSV; of JSON lines and TFRecord, columns that the first rows of
    all files may lack."""
    header: bool | None = None
    """Whether the first line of a CSV names the columns, which is so by default where `columns` are
    not given. With both, `columns` count."""
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    """Unit of times that are numbers. `auto` goes by how large they are in the first rows. Times
    may be ISO 8601 too, which is UTC where it names no zone."""
    max_time: datetime | None = None
    """Latest time that is right, as ISO 8601 or unix seconds. By default a day after the run
    starts; tables joined by key may hold later ones."""

    @property
    def has_header(self) -> bool:
        """Whether the first line of a CSV names the columns."""
        return self.columns is None if self.header is None else self.header

    @model_validator(mode="after")
    def _columns_have_names(self) -> Self:
        if self.header is False and self.columns is None:
            raise ValueError("header is false, so that nothing names the columns; give 'columns'")
        return self


class KeyedTable(TableSource):
    """A table of which every row of the log sees one row, by key."""

    valid_from: str | None = None
    """Column of the unix time from which a row of the table holds, where a key has several: a row
    of the log sees the latest that holds at its own time, and missing values before the first."""
    duplicates: Literal["last", "first", "error"] = "last"
    """Which row counts where several have one key (and one `valid_from`), in the order of one
    file's rows; which of two files comes first depends on their content, not on their names.
    `error` stops the run."""


class SideTable(KeyedTable):
    """A table joined to the rows by key: the item catalogue or the user profiles."""

    key: str
    """Column that identifies a row, equal to the key column of the impressions."""
    title: str | None = None
    """Column with a name that people read; shown in answers, never trained on."""

    @property
    def keys(self) -> list[str]:
        """The key's columns."""
        return [self.key]


class Lookup(KeyedTable):
    """A table joined to the rows by columns of the log, which gives context columns.

    Example:
        `{path: promotions.csv, key: [product_id, store_id, week]}`
    """

    key: Annotated[list[str], Field(min_length=1)]
    """Columns that together identify a row, named as in the log; compared as texts."""

    @field_validator("key")
    @classmethod
    def _named_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError(f"name each column once, got {value}")
        return value

    @property
    def keys(self) -> list[str]:
        """The key's columns."""
        return self.key
