"""Examples as models need them that know less than the joint one.

What the joint model's configuration says of a row is written into the row: labels of funnels are
completed, and a row that survived sampling weighs as many as it stands for. So a model of one task
learns from the rows, labels and weights that the joint model learns from.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.writing import ROW_GROUP, write_parquet
from tfmtl.config import Config, RetrievalTask
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED


def write_examples(
    config: Config, transformed: Path, output: Path, scenario: str | None = None
) -> dict[str, int]:
    """Writes Transform's artifact anew, complete in itself.

    Args:
        config: of the joint model.
        transformed: Transform's artifact.
        output: directory to write to.
        scenario: only this scenario's rows, where given.

    Returns:
        Rows by split.
    """
    for path in transformed.iterdir():
        if path.name not in columns.SPLITS and not path.name.startswith("."):
            _linked(path, output / path.name)
    return {
        split: sum(
            _write(config, file, output / split / file.name, scenario)
            for file in sorted((transformed / split).glob("*.parquet"))
        )
        for split in columns.SPLITS
    }


def _write(config: Config, source: Path, target: Path, scenario: str | None) -> int:
    """Writes one file's rows; their number."""
    metadata = pq.read_metadata(source)
    sampled = columns.KEEP_RATE in metadata.schema.names
    if scenario is None and not config.funnel and not sampled:
        _linked(source, target)
        return int(metadata.num_rows)
    table = _told(config, pq.read_table(source))
    if scenario is not None:
        table = table.filter(_of(config, scenario, table))
    write_parquet(table, target, ROW_GROUP)
    return int(table.num_rows)


def _told(config: Config, table: pa.Table) -> pa.Table:
    """Rows with the labels and weights that the joint configuration gives them."""
    from tfmtl.training.funnel_labels import complete_funnel

    columns_of = {
        name: columns.POSITIVE if isinstance(task, RetrievalTask) else columns.label(name)
        for name, task in config.tasks.items()
        if name not in config.class_tasks
    }
    labels = {name: _numbers(table[column]) for name, column in columns_of.items()}
    inputs = {columns.SCENARIO: table[columns.SCENARIO].to_numpy()} if config.scenario else {}
    completed = complete_funnel(labels, config, inputs)
    for name in config.funnel:
        values = pa.array(completed[name], pa.float32(), from_pandas=True)
        table = _replaced(table, columns_of[name], values)
    if columns.KEEP_RATE in table.column_names:
        weights = _numbers(table[columns.WEIGHT]) * _stand_for(config, completed, table)
        table = _replaced(table, columns.WEIGHT, pa.array(weights, pa.float32()))
        table = table.drop_columns([columns.KEEP_RATE])
    return table


def _stand_for(config: Config, labels: dict[str, np.ndarray], table: pa.Table) -> np.ndarray:
    """How many rows each row stands for."""
    from tfmtl.heads.keep_rate import events, importance

    rates = np.nan_to_num(_numbers(table[columns.KEEP_RATE]), nan=1.0)
    return np.asarray(importance({name: labels[name] for name in events(config)}, rates))


def _of(config: Config, scenario: str, table: pa.Table) -> pa.Array:
    assert config.scenario is not None
    wanted = config.scenario.values.index(scenario) + RESERVED
    return pa.array(table[columns.SCENARIO].to_numpy() == wanted)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(np.float32)


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    field = table.schema.field(place)
    return table.set_column(place, field, values.cast(field.type))


def _linked(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the file system knows no links."""
    if source.is_dir():
        for path in source.iterdir():
            _linked(path, target / path.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
