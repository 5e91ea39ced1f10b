"""Rows of the log in the form of requests, for warming a served model up."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfmtl.config import Config

_ROWS = 64


def served_rows(examples: Path, config: Config) -> dict[str, np.ndarray]:
    """The first rows of the log with their users' and items' columns.

    A history is made of the items of the rows before, from none to as many as it may hold: what it
    says is true of no user, and its values and lengths are.

    Args:
        examples: ExampleGen's artifact.
        config: the configuration.

    Returns:
        `{raw column: values}`: texts as bytes, numbers as float64, `[n]`; histories `[n, last]`.
        Columns of lists are left out.
    """
    table = _first_rows(examples / "log")
    rows = _columns(table)
    for name, key in (("items", config.source.log.item), ("users", config.source.log.user)):
        source = getattr(config.source, name)
        if source is not None and key in rows:
            wanted = table[key].to_pylist()
            rows = _joined(examples / f"{name}.parquet", source.key, wanted) | rows
    by_feature = config.features.inputs
    for history in config.features.history:
        for name, feature in history.item_inputs.items():
            values = rows.get(by_feature[feature].reads[0].column)
            if values is not None:
                rows[name] = _histories(values, history.last)
    return rows


def _first_rows(directory: Path) -> pa.Table:
    parts = sorted(directory.glob("*.parquet"))
    tables, count = [], 0
    for part in parts:
        batch = next(pq.ParquetFile(part).iter_batches(_ROWS - count), None)
        if batch is not None:
            tables.append(pa.Table.from_batches([batch]))
            count += batch.num_rows
        if count == _ROWS:
            break
    return pa.concat_tables(tables) if tables else pa.table({})


def _joined(path: Path, key: str, wanted: list[Any]) -> dict[str, np.ndarray]:
    """The columns of a side table in the rows of the log."""
    table = pq.read_table(path, filters=[(key, "in", [one for one in wanted if one is not None])])
    places = {value: place for place, value in enumerate(table[key].to_pylist())}
    indices = pa.array([places.get(value) for value in wanted], pa.int64())
    return _columns(table.take(indices))


def _columns(table: pa.Table) -> dict[str, np.ndarray]:
    columns = {}
    for name in table.column_names if len(table) else ():
        kind = table.schema.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            texts = [(value or "").encode() for value in table[name].to_pylist()]
            columns[name] = np.array(texts, object)
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            columns[name] = table[name].cast(pa.float64()).to_numpy()
    return columns


def _histories(values: np.ndarray, last: int) -> np.ndarray:
    """Of every row, some of the values before it, the latest first, `[n, last]`."""
    missing: Any = b"" if values.dtype.kind == "O" else np.nan
    histories = np.full((len(values), last), missing, values.dtype)
    for row in range(len(values)):
        size = min(row, row % (last + 1))
        histories[row, :size] = values[row - size : row][::-1]
    return histories
