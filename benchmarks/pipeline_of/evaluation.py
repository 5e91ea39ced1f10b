"""Evaluation with intervals: its time for a million rows, its memory for ten million."""

import json
import sys
from pathlib import Path

from benchmarks.figures import Bar, Row
from benchmarks.pipeline_of.evaluating import SLICES, TASKS
from benchmarks.preprocess_of.measuring import used

MOST_SECONDS = 60
MOST_MB = 1500


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Runs evaluation on a stream of rows, and the plain way on a few."""
    rows, many, few = (100_000, 1_000_000, 5_000) if quick else (1_000_000, 10_000_000, 20_000)
    seconds, _ = _run(work, "streaming", rows)
    compared, _ = _run(work, "compared", rows)
    long, peak = _run(work, "streaming", many)
    plain, _ = _run(work, "plain", few)
    what = f"{len(TASKS)} tasks, {sum(SLICES.values())} slices"
    figures = [
        Row(f"evaluation of {rows:,} rows, {what}", seconds, "seconds"),
        Row(f"evaluation of {rows:,} rows", rows / seconds, "rows/s"),
        Row(f"the same of a model and its baseline, {rows:,} rows", compared, "seconds"),
        Row(f"evaluation of {many:,} rows", long, "seconds"),
        Row(f"memory, {many:,} rows", peak, "peak MB"),
        Row(f"whole arrays, 200 draws of users, {few:,} rows", plain, "seconds"),
        Row(f"the same, extrapolated to {rows:,} rows", plain * rows / few, "seconds"),
    ]
    name = f"seconds for {rows:,} rows, {what}, with intervals"
    return figures, [
        Bar(name, MOST_SECONDS, seconds, at_most=True),
        Bar(f"peak MB of the process at {many:,} rows", MOST_MB, peak, at_most=True),
    ]


def _run(work: Path, way: str, rows: int) -> tuple[float, float]:
    """Seconds that evaluation took in a process of its own, and its peak MB."""
    log = work / f"{way}-{rows}.log"
    module = "benchmarks.pipeline_of.evaluating"
    peak = used([sys.executable, "-m", module, way, str(rows)], log).peak_mb
    return float(json.loads(log.read_text().splitlines()[-1])["seconds"]), peak
