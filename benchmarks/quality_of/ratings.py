"""MovieLens 100K: ratings by SVD and SVD++ in five folds, as Surprise makes them.

The folds are those of `tfmtl crossval ratings --folds 5`, means over seeds of the initial weights.
The time is that of the whole command, in a process of its own.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import Metrics, Table
from pipelines.commands.common import load_config
from pipelines.crossval.crossvalidation import CrossValidation, cross_validate

FOLDS, ORDER = 5, 0
CONFIGS = {"SVD": "ratings", "SVD++": "ratings_implicit"}
PUBLISHED = {"SVD": (0.934, 0.737), "SVD++": (0.919, 0.721)}
"""RMSE and MAE that Surprise publishes."""
LIMITS = {"SVD": (0.936, 0.739), "SVD++": (0.921, 0.723)}
SECONDS = 30.0


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """Both models beside the published figures, and the time of SVD."""
    ratings = _as_csv(data / "ml-100k" / "u.data", work / "ratings")
    table = Table("MovieLens 100K, five folds")
    bars: list[Bar] = []
    for model, name in CONFIGS.items():
        table.add(f"{model}, published by Surprise", [_figures(*PUBLISHED[model])])
        table.add(model, [_folds(name, ratings, seed) for seed in seeds])
        for limit, (metric, value) in zip(LIMITS[model], table.means[model].items(), strict=True):
            bars.append(Bar(f"ratings {model} {metric}", limit, value, at_most=True))
    seconds = _seconds(ratings)
    table.notes.append(f"tfmtl crossval ratings --folds {FOLDS}: {seconds:.1f} s in all")
    return table, [*bars, Bar("ratings SVD, seconds of five folds", SECONDS, seconds, at_most=True)]


def _as_csv(source: Path, directory: Path) -> Path:
    """The ratings in the form that the shipped configurations read."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = (line.split("\t")[:3] for line in source.read_text(encoding="ascii").splitlines())
    rows = ["user,item,rating", *(",".join(line) for line in lines)]
    (directory / "ratings.csv").write_text("\n".join(rows) + "\n", encoding="ascii")
    return directory


def _folds(name: str, data: Path, seed: int) -> Metrics:
    """Means over the folds of a configuration."""
    config = load_config(name, [f"seed={seed}"])
    with tempfile.TemporaryDirectory() as work:
        validation = CrossValidation(config, data, Path(work), FOLDS, ORDER, ["rating"])
        found = cross_validate(validation, FOLDS, _unwatched, lambda *told: None)
    mean = found["mean"]["rating"]
    return _figures(mean["rmse"], mean["mae"])


def _figures(rmse: float, mae: float) -> Metrics:
    return {"rating rmse": rmse, "rating mae": mae}


@contextmanager
def _unwatched(name: str) -> Iterator[Any]:
    yield lambda done, total, unit, note="": None


def _seconds(data: Path) -> float:
    """Time of the command that measures the five folds of SVD."""
    command = [sys.executable, "-c", "import sys; from pipelines.cli import main; sys.exit(main())"]
    options = ["crossval", "ratings", "--data", str(data), "--folds", str(FOLDS)]
    began = time.monotonic()
    subprocess.run([*command, *options, "--task", "rating"], check=True, capture_output=True)
    return time.monotonic() - began
