"""Analysis and transformation to Parquet, beside polars and beside Beam with a dict a row.

A figure is rows by net CPU second: user and system time of all processes of a command, less that
of the same command on a thousand rows, which imports and starts the same things. Beam with a dict
a row does a twentieth of the rows.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Bar, Row
from benchmarks.preprocess_of.jobs import OURS, POLARS, ROWS, SCRIPTS, log_of, run
from benchmarks.preprocess_of.measuring import Used, median
from benchmarks.preprocess_of.workload import LABELS, TEXTS

LEAST = 1_000
FASTER_THAN = {POLARS: 0.85, ROWS: 12.0}
"""How many times as fast the library should be."""
MOST_MB = 1_000.0
SAME_HISTORIES = 0.999
"""Clicks of one second that are in two files come in the order of the files, which polars reads by
name and the library by content."""


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Runs the jobs in turns."""
    rows, rounds = (200_000, 1) if quick else (2_000_000, 3)
    counts = {OURS: rows, POLARS: rows, ROWS: rows // 20}
    found: dict[str, list[Used]] = {name: [] for name in SCRIPTS}
    started: dict[str, list[Used]] = {name: [] for name in SCRIPTS}
    for _ in range(rounds):
        for name, count in counts.items():
            started[name].append(run(name, log_of(work, LEAST), work / "started"))
            found[name].append(run(name, log_of(work, count), work / name.partition(",")[0]))
        compare(work / OURS / "artifacts", work / "polars")
    start = {name: median([u.cpu_seconds for u in all_]) for name, all_ in started.items()}
    cpu = {name: median([u.cpu_seconds for u in all_]) for name, all_ in found.items()}
    speed = {n: (counts[n] - LEAST) / (cpu[n] - start[n]) for n in counts}
    peak = {name: median([u.peak_mb for u in all_]) for name, all_ in found.items()}
    figures = [Row(f"speed, {n}", value, "rows/CPU s") for n, value in speed.items()]
    figures += [Row(f"speed, {n}, start", value, "CPU s") for n, value in start.items()]
    figures += [Row(f"speed, {n}, {counts[n]:,} rows", peak[n], "peak MB") for n in counts]
    bars = [
        Bar(f"rows/CPU s over {n}'s", t, speed[OURS] / speed[n]) for n, t in FASTER_THAN.items()
    ]
    bars.append(Bar(f"peak MB at {rows:,} rows", MOST_MB, peak[OURS], at_most=True))
    return figures, bars


def compare(ours: Path, theirs: Path) -> None:
    """Makes sure that both did the same job: vocabularies, and the validation rows with their ids,
    numbers, labels and histories.

    Raises:
        RuntimeError: they did not.
    """
    for name in TEXTS:
        if name != "scenario":
            own = (ours / "statistics" / "vocabularies" / f"{name}.txt").read_text()
            if own != (theirs / f"{name}.txt").read_text():
                raise RuntimeError(f"the vocabulary of {name} is not that of polars")
    texts = list(TEXTS)
    names = {**{n: n for n in [*texts, "price", "score"]}, "meta/time": "timestamp"}
    names |= {f"label/{n}": n for n in LABELS} | {"meta/user": "user_key"}
    histories = "click_history_item_id", "history"
    first = pq.read_table(ours / "transformed" / "validation")
    other = pq.read_table(theirs / "validation.parquet")
    left = _sorted(
        first.select([*names, histories[0]]).rename_columns([*names.values(), "history"])
    )
    right = _sorted(other.select([*names.values(), "history"]))
    for name in right.column_names:
        one, two = _values(left, name), _values(right, name)
        same = np.isclose(one, two, atol=1e-5, equal_nan=True) if one.shape == two.shape else 0
        if np.mean(same) < (SAME_HISTORIES if name == "history" else 1):
            raise RuntimeError(f"column {name} is not that of polars")


def _sorted(table: pa.Table) -> pa.Table:
    order = ["timestamp", "user_key", "item_id", "position", "query", "scenario"]
    return table.sort_by([(name, "ascending") for name in order])


def _values(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name).combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        column = column.flatten()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.string()).dictionary_encode().indices
    return column.to_numpy(zero_copy_only=False).astype(np.float64)
