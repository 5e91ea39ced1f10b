"""The raw tables and their columns: how they are named and which table gives a column."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.components.base import PipelineError
from tfmtl.config import Config, TableSource

ROW = "meta/row"
"""Number of a row that orders the whole log, the same in every run."""
SAMPLED = "meta/sampled"
"""1 where the row is a sampled negative; only there when the source is events alone."""
ASKED = "meta/asked"
"""Unix time of the user's latest event before the row's, null where there is none: when the model
is asked for the next one. Only there when the source is events with `next`."""

Kind = Literal["text", "class", "number", "label", "time", "weight", "texts", "numbers"]
Table = str
"""`log` or a table's key in the configuration below `source`: `events`, `items`, `users`,
`lookups.NAME`."""
Columns = Mapping[str, Collection[str]]
"""Names of the columns that each table has."""


@dataclass(frozen=True)
class Column:
    """One raw column, what it must hold and who asks for it.

    Attributes:
        name: name in the raw table.
        kind: canonical type: text and class "" where missing, numbers and times null where
            missing; texts and numbers are lists, empty where missing.
        asked_by: key of the configuration that asks for the column.
        missing: reason for which a row without the value is rejected; None keeps the row.
        allowed: the only texts that are right; of a class the names in them, or none.
        separator: what stands between the names of classes, or between texts or numbers in a text;
            None where there is one.
        unknown: reason for which a row with another text is rejected.
        binary: only 0 and 1 are right.
        range: smallest and largest number that are right.
        size: numbers that a list which is not empty must have.
        unit: of times that are numbers: `s`, `ms`, `us` or `ns`.
        latest: last second since 1970 that is right.
        time_of: label of which this is the time; null where the label is not 1.
    """

    name: str
    kind: Kind
    asked_by: str
    missing: str | None = None
    allowed: tuple[str, ...] | None = None
    separator: str | None = None
    unknown: str = ""
    binary: bool = False
    range: tuple[float, float] | None = None
    size: int | None = None
    unit: str = "s"
    latest: int | None = None
    time_of: str | None = None


def label_time(label: str) -> str:
    """Column of the time at which a row's label was known to be 1, null where it is not 1; only
    there when the configuration tells it apart from the row's own time."""
    return f"meta/time/{label}"


def table_sources(config: Config) -> Mapping[Table, TableSource]:
    """The raw tables of a configuration; `log` is the impressions, or the events where there are
    no impressions."""
    return config.source.tables


def source_key(config: Config, table: Table) -> str:
    """Key of the configuration that describes a table."""
    if table != "log":
        return f"source.{table}"
    return "source.impressions" if config.source.impressions else "source.events"


def _candidates(config: Config, side: str) -> list[Table]:
    """The tables that may have a side's columns, in the order in which they are asked."""
    lookups = [f"lookups.{name}" for name in config.source.lookups]
    tables = {
        "user": ["users", "log"],
        "item": ["items", "log"],
        "query": ["log"],
        "context": [*lookups, "log"],
        "slice": ["log", "users", "items", *lookups],
    }[side]
    return [table for table in tables if table in config.source.tables]


def table_of(config: Config, side: str, column: str, columns: Columns) -> Table | None:
    """The table from which a column is read.

    Args:
        config: the configuration.
        side: `user`, `item`, `query`, `context` or `slice`.
        column: name of the raw column.
        columns: names of the columns that each table has.

    Returns:
        The first table that has the column: a table joined by key goes before the log, except for
        the keys, which are the log's own. None when no table has it.

    Raises:
        PipelineError: two lookups have it.
    """
    log = config.source.log
    if column == {"user": log.user, "item": log.item}.get(side):
        return "log"
    found = [
        table
        for table in _candidates(config, side)
        if column in columns.get(table, ()) and not _is_lookup_key(config, table, column)
    ]
    lookups = [table for table in found if table.startswith("lookups.")]
    if len(lookups) > 1 and found[0] == lookups[0]:
        raise PipelineError(
            f"column '{column}' is in source.{lookups[0]} and in source.{lookups[1]}; rename one "
            f"of them"
        )
    return found[0] if found else None


def _is_lookup_key(config: Config, table: Table, column: str) -> bool:
    return table.startswith("lookups.") and column in config.source.keyed[table].keys
