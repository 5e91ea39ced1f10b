"""The runner: what an unchanged second run takes, and what the runner adds to a component."""

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Bar, Row
from benchmarks.pipeline_of.trivial import chain
from benchmarks.preprocess_of.measuring import median
from pipelines.runner import run
from tfmtl.config import parse

MOST_SHARE = 0.05
MOST_MS = 100
COMPONENTS = 10

_RUN = """
import sys
from pipelines.cli import main
try:
    main(sys.argv[1:])
finally:
    print("tensorflow" in sys.modules)
"""


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Runs the simulated shop, the same again, and components that do nothing."""
    impressions, rounds = (4000, 3) if quick else (20_000, 5)
    _tfmtl("simulate", "--output", work / "logs", "--impressions", str(impressions))
    words = ["run", "shop", "--data", work / "logs", "--output", work / "shop"]
    words += ["--set", "gate.0.at_least=0.4"]
    first, _ = _tfmtl(*words)
    again = [_tfmtl(*words) for _ in range(rounds)]
    explained = [_tfmtl(*words, "--explain") for _ in range(rounds)]
    second = median([seconds for seconds, _ in again])
    made, found = zip(*(_overhead(work / f"trivial-{n}") for n in range(rounds)), strict=True)
    figures = [
        Row(f"first run, {impressions:,} impressions", first, "seconds"),
        Row("second run, nothing has changed", second, "seconds"),
        Row("tfmtl run --explain", median([seconds for seconds, _ in explained]), "seconds"),
        Row("runner's own work, a component that runs", median(made), "ms"),
        Row("runner's own work, a component that is skipped", median(found), "ms"),
    ]
    loaded = sum(loaded for _, loaded in [*again, *explained])
    return figures, [
        Bar("second run, share of the first", MOST_SHARE, second / first, at_most=True),
        Bar("second runs and explanations that import TensorFlow", 0, loaded, at_most=True),
        Bar("ms the runner adds to a component that runs", MOST_MS, median(made), at_most=True),
        Bar("ms for one that is skipped", MOST_MS, median(found), at_most=True),
    ]


def _tfmtl(*words: str | Path) -> tuple[float, bool]:
    """Seconds that a command took in a process of its own, and whether it imported TensorFlow."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *map(str, words)], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"tfmtl {words[0]} failed:\n{done.stderr}")
    return seconds, done.stdout.split()[-1] == "True"


def _overhead(home: Path) -> tuple[float, float]:
    """Milliseconds a component in a run of components that do nothing, and in the same again."""
    (home / "data").mkdir(parents=True)
    (home / "data" / "rows.csv").write_text("user_id,item_id,timestamp,click\nu,i,1,0\n")
    config = parse(
        {
            "name": "trivial",
            "source": {"impressions": {"path": "rows.csv"}},
            "features": {"item": [{"name": "item_id", "kind": "id"}]},
            "tasks": {"click": {"kind": "binary", "label": "click"}},
        }
    )
    steps, times = chain(COMPONENTS), []
    for _ in range(2):
        began = time.perf_counter()
        run(steps, config, home / "data", home / "out", Console(quiet=True))
        times.append(1000 * (time.perf_counter() - began) / COMPONENTS)
    return times[0], times[1]
