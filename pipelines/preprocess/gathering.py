"""Puts the parts of a table that is joined by key together, one row a key or a version of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import PipelineError
from pipelines.preprocess.layout import ROW
from pipelines.preprocess.writing import write_parquet
from tfmtl.config import Lookup, SideTable


@dataclass(frozen=True)
class Gathered:
    """What came of a table's good rows.

    Attributes:
        kept: rows written.
        duplicates: rows left out, for another has the same key.
    """

    kept: int
    duplicates: int


def gather(parts: Path, source: SideTable | Lookup, name: str, path: Path) -> Gathered:
    """Puts the parts together; of several rows of one key the declared one is kept.

    Args:
        parts: directory of the canonical parts.
        source: the table's description.
        name: its key in the configuration.
        path: file to write, in the order of the rows; versions in the order of their times.

    Raises:
        PipelineError: keys repeat where they must not.
    """
    files = sorted(parts.iterdir())
    table = pa.concat_tables(pq.read_table(part) for part in files).sort_by(ROW)
    keys = [*source.keys, *([source.valid_from] if source.valid_from else [])]
    numbered = table.append_column("meta/place", pa.array(np.arange(table.num_rows)))
    wanted = "min" if source.duplicates == "first" else "max"
    kept = numbered.group_by(keys, use_threads=False).aggregate([("meta/place", wanted)])
    places = np.sort(kept.column(f"meta/place_{wanted}").to_numpy())
    duplicates = table.num_rows - len(places)
    if duplicates and source.duplicates == "error":
        _refuse(table, keys, places, name)
    rows = table.take(pa.array(places))
    if source.valid_from:
        rows = rows.sort_by([(source.valid_from, "ascending"), (ROW, "ascending")])
    write_parquet(rows.drop_columns([ROW]), path)
    return Gathered(len(places), duplicates)


def _refuse(table: pa.Table, keys: Sequence[str], places: np.ndarray, name: str) -> None:
    repeated = np.setdiff1d(np.arange(table.num_rows), places)
    first = table.select(keys).slice(repeated[0], 1).to_pylist()[0]
    named = ", ".join(f"{column} {value!r}" for column, value in first.items())
    raise PipelineError(
        f"{name}: {len(repeated)} rows repeat the key of another, the first has {named}; make keys "
        f"unique, or set {name}.duplicates to last or first"
    )
