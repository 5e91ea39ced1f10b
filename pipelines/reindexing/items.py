"""Reads a table of items as ExampleGen would, every column that a model's catalogue needs."""

import glob
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import PipelineError, Progress
from pipelines.preprocess import parsing
from pipelines.preprocess.catalogue import item_inputs
from pipelines.preprocess.files import check_columns, list_files
from pipelines.preprocess.gathering import gather
from pipelines.preprocess.layout import Column
from pipelines.preprocess.parsing import DEAD_LETTERS, Tally
from pipelines.preprocess.running import run
from pipelines.preprocess.sides import SideTable as KeyedRows
from pipelines.preprocess.time_units import with_units
from tfmtl.config import Config, SideTable
from tfmtl.config.scored import item_columns, made_columns

_TABLE = "items"


def described_by(config: Config, path: Path) -> SideTable:
    """How a file of items is read: as `source.items` says, which is another file of them."""
    items = config.source.items or SideTable(path="", key=config.source.log.item)
    return items.model_copy(update={"path": glob.escape(path.name)})


def read_items(config: Config, path: Path, work: Path, progress: Progress) -> tuple[pa.Table, int]:
    """Reads the items.

    Args:
        config: the model's configuration.
        path: a file or a directory of files.
        work: scratch directory.
        progress: callback for the live line.

    Returns:
        One row an item, the latest version of each, in the order of the file; and how many rows
        were left out, for another has their key.

    Raises:
        PipelineError: a column is missing, there is no row, or too many are bad.
    """
    source = described_by(config, path)
    wanted = tuple(_wanted(config, source))
    files = list_files(source, path.parent, f"source.{_TABLE}", _TABLE)
    names = list(dict.fromkeys(name for file in files for name in file.names))
    check_columns(files, wanted, names)
    files = with_units([replace(file, wanted=wanted) for file in files], source, None)
    run(partial(parsing.build, files=files, output=work), work, progress)
    _check(parsing.read_tally(work, _TABLE), path, work, config.source.max_bad_share)
    made = gather(work / _TABLE, source, str(path), work / "items.parquet")
    table = pq.read_table(work / "items.parquet")
    rows = KeyedRows(table, source.keys, [config.source.log.item], source.valid_from, "")
    return table.take(pa.array(rows.latest)), made.duplicates


def _wanted(config: Config, source: SideTable) -> list[Column]:
    """The key, and the raw columns of items that features, formulas and filters read."""
    wanted = {source.key: Column(source.key, "text", "source.items.key", missing="missing key")}
    if source.valid_from:
        asked_by = "source.items.valid_from"
        time = Column(source.valid_from, "time", asked_by, missing="missing valid_from")
        wanted[source.valid_from] = time
    if source.title:
        wanted.setdefault(source.title, Column(source.title, "text", "source.items.title"))
    for made in item_inputs(config):
        asked_by = f"features.item '{made.feature}'"
        for raw in made.reads:
            known = wanted.get(raw.column)
            if raw.side != "item" or raw.column == config.source.log.item:
                continue
            if known is None or (known.kind, raw.kind) == ("number", "time"):
                wanted[raw.column] = Column(
                    raw.column, raw.kind, asked_by, separator=raw.separator, size=raw.size
                )
    for name, kind in item_columns(config).items():
        if name in made_columns(config):
            continue
        wanted.setdefault(name, Column(name, kind, "serving.columns"))
    return list(wanted.values())


def _check(tally: Tally, path: Path, work: Path, most: float) -> None:
    if tally.failure:
        raise PipelineError(tally.failure)
    if not tally.rows:
        raise PipelineError(f"{path}: expected items, there is no row in it")
    bad = tally.rows - tally.kept
    if not bad or (tally.kept and bad / tally.rows <= most):
        return
    reason, count = tally.rejected.most_common(1)[0]
    letters = pq.read_table(work / DEAD_LETTERS, columns=["column", "reason"]).to_pylist()
    columns = Counter(row["column"] for row in letters if row["reason"] == reason)
    column = columns.most_common(1)[0][0]
    where = f" in column '{column}'" if column else ""
    raise PipelineError(
        f"{path}: {bad} of {tally.rows} rows are bad, source.max_bad_share allows {most:g}; most "
        f"often: {reason}{where} ({count}); correct them"
    )
