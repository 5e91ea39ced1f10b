"""The artifact of ExampleGen, opened: its log, its side tables, its summary."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.known_since import time_columns, with_label_times
from pipelines.preprocess.labels import as_known
from pipelines.preprocess.layout import Columns, Table, table_of
from pipelines.preprocess.log_reading import Batch, batches, log_schema, read_batch
from pipelines.preprocess.sides import SideTable, View
from pipelines.preprocess.splits import Boundaries
from pipelines.preprocess.writing import read_json
from tfmtl.config import Config


@dataclass(frozen=True)
class Examples:
    """What ExampleGen left in a directory.

    Attributes:
        config: the configuration.
        directory: the artifact.
    """

    config: Config
    directory: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """ExampleGen's summary."""
        return read_json(self.directory / "summary.json")

    @cached_property
    def boundaries(self) -> Boundaries:
        """Where the splits part."""
        return Boundaries.read(self.summary)

    @cached_property
    def batches(self) -> list[Batch]:
        """The batches of the log."""
        return batches(self.directory / "log")

    @cached_property
    def schema(self) -> pa.Schema:
        """Schema of the log."""
        return log_schema(self.directory / "log")

    @cached_property
    def columns(self) -> Columns:
        """Names of the columns that each table has."""
        names: dict[str, list[str]] = {"log": self.schema.names}
        for table in self.config.source.keyed:
            names[table] = pq.read_schema(self.directory / f"{table}.parquet").names
        return names

    @cached_property
    def sides(self) -> dict[str, SideTable]:
        """The tables joined by key, by name, loaded into memory."""
        log, loaded = self.config.source.log, {}
        own = {"items": log.item, "users": log.user}
        for table, source in self.config.source.keyed.items():
            rows = pq.read_table(self.directory / f"{table}.parquet")
            on = [own.get(table) or key for key in source.keys]
            loaded[table] = SideTable(rows, source.keys, on, source.valid_from, log.time)
        return loaded

    def table_of(self, side: str, column: str) -> Table:
        """The table that gives a column, which `ExampleGen` made sure exists."""
        table = table_of(self.config, side, column, self.columns)
        assert table is not None, column
        return table

    def logged(self, batch: Batch, columns: list[str] | None = None) -> View:
        """Reads a batch of the log, joined with the tables of `sides` on demand.

        Args:
            batch: which one.
            columns: the log's columns; all where not given. With labels come the times since
                which they were known.
        """
        names = self.schema.names if columns is None else time_columns(columns, self.config)
        texts = [name for name in names if pa.types.is_string(self.schema.field(name).type)]
        rows = read_batch(batch, names, texts)
        return View(with_label_times(rows, self.config), self.sides)

    def read(self, batch: Batch, columns: list[str] | None = None) -> View:
        """Reads a batch as `logged` does, with the labels that training could know."""
        view = self.logged(batch, columns)
        return View(as_known(view.rows, self.config, self.boundaries), self.sides)
