"""Peak memory at four times the rows: what is grouped lies in files, so it hardly grows."""

import shutil
from pathlib import Path

from benchmarks.figures import Bar, Row
from benchmarks.preprocess_of.jobs import OURS, log_of, run

MOST_TIMES = 1.3


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Runs the library's components on a log and on one four times as long."""
    rows = 200_000 if quick else 2_000_000
    peaks = {}
    for count in (rows, 4 * rows):
        peaks[count] = run(OURS, log_of(work, count), work / "run").peak_mb
        shutil.rmtree(log_of(work, count))
    few, many = peaks.values()
    figures = [Row(f"memory, {count:,} rows", peak, "peak MB") for count, peak in peaks.items()]
    return figures, [Bar("peak MB, times that of a quarter", MOST_TIMES, many / few, at_most=True)]
