"""Rows divided into folds, each of which tests once.

n rows in the order of the files are shuffled by `numpy.random.RandomState(seed).shuffle` and cut
into contiguous folds, of which the first n % folds have one row more: as `KFold` of Surprise does
it, so that figures can be compared row by row.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.components.base import PipelineError
from pipelines.preprocess.layout import ROW
from pipelines.preprocess.splits import Boundaries
from pipelines.preprocess.writing import read_json, write_json, write_parquet
from tfmtl.config import Config, ConfigError, parse
from tfmtl.config.searched import with_values

FOLD = "meta/fold"
"""Column of the log with the number of the fold that tests the row, as a text."""


def fold_numbers(rows: int, folds: int, seed: int) -> np.ndarray:
    """The fold that each row is tested in, int64 `[rows]`.

    Example:
        >>> sorted(fold_numbers(5, 2, seed=0).tolist())
        [0, 0, 0, 1, 1]
    """
    order = np.arange(rows)
    np.random.RandomState(seed).shuffle(order)
    numbers = np.empty(rows, np.int64)
    for number, places in enumerate(np.array_split(order, folds)):
        numbers[places] = number
    return numbers


def whole(config: Config) -> Config:
    """The configuration as it reads all rows, before they are divided.

    Raises:
        ConfigError: a row reads what others did before it, which folds would tear apart.
    """
    for part in ("history", "windows"):
        if getattr(config.features, part):
            raise ConfigError(
                f"features.{part}: folds are drawn at random, and the past of a training row could "
                "be a test row; leave it out, or use `tfmtl run` with a split by time"
            )
    if config.source.impressions is None:
        raise ConfigError(
            "source.events: items sampled beside events are those of one split; crossval needs "
            "source.impressions"
        )
    changes = {"split": {"by": "random", "validation": 0, "test": 0.5}, "gate": []}
    return parse(with_values(config, {**changes, "distillation": None, "bulk_inference": None}))


def of_fold(config: Config, folds: int, number: int) -> Config:
    """The configuration that tests one fold and trains on the others."""
    others = [str(one) for one in range(folds) if one != number]
    split = {"by": "column", "column": FOLD, "validation": []}
    return parse(with_values(config, {"split": {**split, "train": others, "test": [str(number)]}}))


def divide(examples: Path, folds: int, seed: int) -> int:
    """Writes into an artifact of ExampleGen which fold tests each row.

    Returns:
        The number of rows.

    Raises:
        PipelineError: there are fewer rows than folds.
    """
    files = sorted((examples / "log").glob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    rows = np.concatenate([table.column(ROW).to_numpy() for table in tables])
    if len(rows) < folds:
        raise PipelineError(f"--folds: expected at most one a row, which are {len(rows)}")
    numbers = np.empty(len(rows), np.int64)
    numbers[np.argsort(rows)] = fold_numbers(len(rows), folds, seed)
    start = 0
    for file, table in zip(files, tables, strict=True):
        own = pa.array(numbers[start : start + table.num_rows])
        groups = max(pq.read_metadata(file).row_group(0).num_rows, 1)
        write_parquet(table.append_column(FOLD, pc.cast(own, pa.string())), file, groups)
        start += table.num_rows
    return len(rows)


def link(examples: Path, config: Config, directory: Path) -> None:
    """Makes an artifact of ExampleGen whose rows are split as a fold has it; the rows are shared.

    Args:
        examples: the divided artifact.
        config: that of the fold.
        directory: the artifact to make.
    """
    directory.mkdir(parents=True)
    for entry in examples.iterdir():
        if entry.name != "summary.json":
            (directory / entry.name).symlink_to(entry.resolve())
    summary: dict[str, Any] = read_json(examples / "summary.json")
    boundaries = asdict(Boundaries.of(config, None))
    write_json({**summary, "split": boundaries}, directory / "summary.json")
