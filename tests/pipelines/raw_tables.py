"""Raw files read to canonical rows and dead letters, without a pipeline."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.preprocess.blocks import BLOCK_BYTES, number, scan
from pipelines.preprocess.files import find_files
from pipelines.preprocess.layout import ROW, Column
from pipelines.preprocess.parsing import parse
from pipelines.preprocess.reading import read
from tfmtl.config import Config
from tfmtl.config import parse as parse_config


def log_config(path: str, **source: Any) -> Config:
    """A log with user `u`, item `i`, time `t`, label `click`, and context `price` and `tag`."""
    return parse_config(
        {
            "name": "tiny",
            "source": {
                "impressions": {"path": path, "user": "u", "item": "i", "time": "t", **source}
            },
            "features": {
                "user": [{"name": "u", "kind": "id"}],
                "item": [{"name": "i", "kind": "id"}],
                "context": [
                    {"name": "price", "kind": "numeric"},
                    {"name": "tag", "kind": "categorical"},
                ],
            },
            "tasks": {"click": {"kind": "binary", "label": "click"}},
        }
    )


@dataclass
class Log:
    """What was read: canonical rows in the order of their numbers, and dead letters."""

    rows: pa.Table
    letters: list[dict[str, Any]]

    def column(self, name: str) -> list[Any]:
        """A column's values."""
        return self.rows.column(name).to_pylist()

    @property
    def reasons(self) -> list[tuple[Any, ...]]:
        """(line, reason, column) of the dead letters."""
        return [(row["line"], row["reason"], row["column"]) for row in self.letters]


def read_log(
    data: Path,
    path: str,
    kinds: dict[str, Column] | None = None,
    block_bytes: int = BLOCK_BYTES,
    **source: Any,
) -> Log:
    """Reads the log at `path` below `data`, `kinds` in place of its columns of these names."""
    kinds = kinds or {}
    files = find_files(log_config(path, **source), data)
    wanted = [tuple(kinds.get(c.name, c) for c in file.wanted) for file in files]
    scans = [
        scan(replace(file, wanted=columns), block_bytes)
        for file, columns in zip(files, wanted, strict=True)
    ]
    rows, letters = [], []
    for block in number(scans):
        for part, raw in read(block, block_bytes):
            good, bad = parse(raw, part)
            rows.append(good)
            letters += bad.to_pylist()
    return Log(pa.Table.from_batches(rows).sort_by(ROW), letters)
