"""The commands that do the job, and the logs they do it on."""

import shutil
import sys
from pathlib import Path

from benchmarks.preprocess_of.measuring import Used, used
from benchmarks.training_of.environments import python_of

PEERS = Path(__file__).parent / "peers"
OURS, POLARS, ROWS = "tfmtl", "polars, one thread", "Beam, a dict a row"
SCRIPTS = {OURS: "tfmtl_job.py", POLARS: "polars_job.py", ROWS: "beam_rows.py"}


def log_of(work: Path, rows: int) -> Path:
    """A directory with the workload's log of so many rows, made in a process of its own."""
    directory = work / f"log-{rows}"
    if not directory.exists():
        command = [sys.executable, "-m", "benchmarks.preprocess_of.workload", directory, str(rows)]
        used(command, work / "workload.log", {"PYTHONPATH": str(Path.cwd())})
    return directory


def run(job: str, data: Path, out: Path) -> Used:
    """Does the job once; what it writes is there until the next time.

    Args:
        job: a key of `SCRIPTS`.
        data: a log of the workload.
        out: directory to write to.
    """
    shutil.rmtree(out, ignore_errors=True)
    python = python_of("polars") if job == POLARS else Path(sys.executable)
    environment = {"PYTHONPATH": str(Path.cwd()), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if job == POLARS:
        environment["POLARS_MAX_THREADS"] = "1"
    return used([python, PEERS / SCRIPTS[job], data, out], out.with_suffix(".log"), environment)
