"""Which columns the rows of a table need, so that each says what a request to the model would.

The columns bear the names of a request's inputs. What the row cannot do without are the keys, the
scenario and the user's features; an item's features are taken from the model's catalogue where the
table lacks them, and everything else is then taken as missing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.preprocess.files import check_columns, list_files
from pipelines.preprocess.layout import Column, Kind
from pipelines.preprocess.raw_files import RawFile
from pipelines.preprocess.time_units import with_units
from tfmtl.config import Config, TableSource
from tfmtl.config.bulk_inference import BulkInference, Output
from tfmtl.preprocessing import columns

TABLE = "log"
"""The table's name on its way: its rows are read as those of a log."""

SEPARATOR = "|"
"""What stands between the values of a history that is written as a text."""


@dataclass(frozen=True)
class Rows:
    """The rows of a table to be answered.

    Attributes:
        files: its files, with the columns to read.
        catalogued: columns that are taken from the model's catalogue, for the table lacks them.
        missing: columns that are taken as missing.
    """

    files: tuple[RawFile, ...]
    catalogued: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Asked:
    column: Column
    of_item: bool = False
    required: bool = False


def find_rows(config: Config, spec: BulkInference, source: TableSource, data: Path) -> Rows:
    """Lists the files of a table and the columns to read of it.

    Args:
        config: the model's configuration.
        spec: what is asked for.
        source: the table.
        data: directory that the table's path is relative to.

    Raises:
        PipelineError: a file is missing or unreadable, or lacks a column that must be there.
    """
    files = list_files(source, data, "bulk_inference.data", TABLE)
    known = list(dict.fromkeys(name for file in files for name in file.names))
    wanted: dict[str, Column] = {}
    catalogued: list[str] = []
    missing: list[str] = []
    for asked in _asked(config, spec):
        name = asked.column.name
        if name in known or asked.required:
            first = wanted.setdefault(name, asked.column)
            if (first.kind, asked.column.kind) == ("number", "time"):
                wanted[name] = asked.column
        else:
            (catalogued if asked.of_item else missing).append(name)
    check_columns(files, list(wanted.values()), known)
    with_columns = [_with(file, tuple(wanted.values())) for file in files]
    return Rows(
        tuple(with_units(with_columns, source, None)),
        tuple(dict.fromkeys(catalogued)),
        tuple(dict.fromkeys(missing)),
    )


def input_names(config: Config, outputs: Collection[Output]) -> list[str]:
    """The model's inputs that outputs need of a row."""
    features = config.features
    names: list[str] = []
    if "scores" in outputs:
        names = [*features.inputs, *_past_names(config)]
        names += [columns.SCENARIO] if config.scenario else []
    if {"user_vectors", "top_k"} & set(outputs):
        names += config.query_features
    return list(dict.fromkeys(names))


def _past_names(config: Config) -> list[str]:
    histories = [name for h in config.features.history for name in h.input_names]
    return [*histories, *(window.name for window in config.features.windows)]


def _with(file: RawFile, wanted: tuple[Column, ...]) -> RawFile:
    return replace(file, wanted=wanted)


def _asked(config: Config, spec: BulkInference) -> Iterator[_Asked]:
    """Columns that a row may or must have; of two of one name the first counts."""
    log, names = config.source.log, set(input_names(config, spec.outputs))
    reads = {
        raw.column
        for made in config.features.inputs.values()
        if made.name in names
        for raw in made.reads
    }
    if log.user is not None:
        must = log.user in reads
        user = Column(log.user, "text", "source.log.user", missing="missing user" if must else None)
        yield _Asked(user, required=must)
    if "scores" in spec.outputs:
        item = Column(log.item, "text", "bulk_inference.outputs, scores", missing="missing item")
        yield _Asked(item, required=True)
    if config.scenario and columns.SCENARIO in names:
        yield _Asked(
            Column(
                config.scenario.column,
                "text",
                "scenario.column",
                allowed=tuple(config.scenario.values),
                unknown="unknown scenario",
            ),
            required=True,
        )
    for made in config.features.inputs.values():
        if made.name not in names:
            continue
        for raw in made.reads:
            if raw.constant is None:
                key = f"features.{raw.side} '{made.feature}'"
                column = Column(raw.column, raw.kind, key, separator=raw.separator, size=raw.size)
                yield _Asked(column, of_item=raw.side == "item", required=raw.side == "user")
    yield from _past(config, names)
    for name in spec.keep:
        yield _Asked(Column(name, "text", "bulk_inference.keep"), required=True)


def _past(config: Config, names: Collection[str]) -> Iterator[_Asked]:
    """What was before a row, which a request says, too."""
    for history in config.features.history:
        key = f"features.history '{history.title}'"
        for name, of in history.item_inputs.items():
            if name in names:
                texts = config.features.inputs[of].reads[0].kind == "text"
                kind: Kind = "texts" if texts else "numbers"
                yield _Asked(Column(name, kind, key, separator=SEPARATOR))
        if history.gap_input in names and history.gap_input is not None:
            yield _Asked(Column(history.gap_input, "numbers", key, separator=SEPARATOR))
        if history.behaviour_input in names and history.behaviour_input is not None:
            yield _Asked(Column(history.behaviour_input, "texts", key, separator=SEPARATOR))
    for window in config.features.windows:
        if window.name in names:
            yield _Asked(Column(window.name, "number", f"features.windows '{window.name}'"))
