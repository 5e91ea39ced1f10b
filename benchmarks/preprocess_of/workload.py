"""The work of the preprocessing benchmark: a simulated shop's log as one flat CSV of 16 columns.

`python -m benchmarks.preprocess_of.workload DIR ROWS` writes it.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import yaml

from pipelines.simulator import simulate

TEXTS = (
    "user_id",
    "item_id",
    "scenario",
    "query",
    "position",
    "device",
    "age_band",
    "region",
    "category",
    "brand",
)
NUMBERS = ("price", "score")
LABELS = ("click", "cart", "purchase")
COLUMNS = (*TEXTS, *NUMBERS, "timestamp", *LABELS)
SCENARIOS = ("search", "feed", "ads")
MIN_COUNT = {"user_id": 5, "item_id": 5, "query": 2}
LAST = 20
DAY = 86_400
"""Seconds of the validation rows, and of the test rows."""

_BAD_EVERY = 1_000
_BAD = {"user_id": "", "scenario": "shelf", "timestamp": "soon", "click": "2", "price": "cheap"}
"""What a bad row has in one of its columns."""


def config() -> dict[str, Any]:
    """The configuration of the library's run over the log."""

    def text(name: str) -> dict[str, Any]:
        if name in MIN_COUNT:
            return {"name": name, "kind": "id", "min_count": MIN_COUNT[name]}
        return {"name": name, "kind": "categorical"}

    return {
        "name": "flat",
        "source": {
            "impressions": {
                "path": "log/*.csv",
                "time": "timestamp",
                "user": "user_id",
                "item": "item_id",
            }
        },
        "features": {
            "user": [text("user_id"), text("age_band"), text("region")],
            "item": [
                text("item_id"),
                text("category"),
                text("brand"),
                {"name": "price", "kind": "numeric", "scale": "log"},
            ],
            "query": [text("query")],
            "context": [text("position"), text("device"), {"name": "score", "kind": "numeric"}],
            "history": [{"of": ["item_id"], "where": "click", "last": LAST}],
        },
        "scenario": {"column": "scenario", "values": list(SCENARIOS)},
        "tasks": {
            "retrieve": {"kind": "retrieval", "positive": "click"},
            **{label: {"kind": "binary", "label": label} for label in LABELS},
        },
        "split": {"by": "time", "validation": "1d", "test": "1d"},
    }


def write(directory: Path, rows: int) -> None:
    """Simulates a shop and writes its log with what is known of users and items.

    One row in a thousand is bad: a missing user, an unknown scenario, no time, a label that is
    neither 0 nor 1, a price that is no number.

    Args:
        directory: where to write `log/*.csv` and `config.yaml`.
        rows: how many.

    """
    simulate(directory / "shop", impressions=rows, seed=7)
    shop = directory / "shop"
    sides = [
        (pq.read_table(shop / "users.parquet"), "user_id", ("age_band", "region")),
        (pq.read_table(shop / "items.parquet"), "item_id", ("category", "brand", "price")),
    ]
    truth = pq.read_table(shop / "truth.parquet", columns=["impression_id", "p_click"])
    numbers = pc.utf8_slice_codeunits(truth.column(0), 1).cast(pa.int64()).to_numpy()
    scores = np.round(truth.column("p_click").to_numpy(), 6)
    (directory / "log").mkdir()
    done = 0
    for path in sorted((shop / "impressions").glob("*.csv")):
        log = _read(path)
        for table, key, names in sides:
            found = pc.index_in(log.column(key), table.column(key).combine_chunks())
            for name in names:
                log = log.append_column(name, table.column(name).take(found))
        number = pc.utf8_slice_codeunits(log.column("impression_id"), 1).cast(pa.int64())
        places = np.minimum(np.searchsorted(numbers, number.to_numpy()), len(numbers) - 1)
        log = log.append_column("score", pa.array(scores[places]))
        log = _spoiled(log.select(COLUMNS), done)
        pa.csv.write_csv(
            log, directory / "log" / path.name, pa.csv.WriteOptions(quoting_style="none")
        )
        done += log.num_rows
    shutil.rmtree(shop)
    (directory / "config.yaml").write_text(yaml.safe_dump(config()), encoding="utf-8")


def _read(path: Path) -> pa.Table:
    options = pa.csv.ParseOptions(invalid_row_handler=lambda row: "skip")
    kept = ["impression_id", *COLUMNS[:6], "timestamp", *LABELS]
    types = pa.csv.ConvertOptions(
        include_columns=kept, column_types=dict.fromkeys(kept, pa.string())
    )
    # The simulator's own bad rows are of other kinds, among them such as are not in UTF-8.
    text = path.read_bytes().decode(errors="replace").encode()
    log = pa.csv.read_csv(pa.BufferReader(text), parse_options=options, convert_options=types)
    return log.filter(pc.match_substring_regex(log.column("timestamp"), r"^\d+$"))


def _spoiled(log: pa.Table, first: int) -> pa.Table:
    """The log as texts, with the bad rows in it."""
    numbers = first + np.arange(log.num_rows)
    arrays = []
    for name in COLUMNS:
        values = pc.fill_null(log.column(name).cast(pa.string()), "")
        if name in _BAD:
            kind = list(_BAD).index(name)
            bad = numbers % (_BAD_EVERY * len(_BAD)) == _BAD_EVERY * kind
            values = pc.if_else(pa.array(bad), _BAD[name], values)
        arrays.append(values)
    return pa.table(arrays, names=COLUMNS)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
