"""Reads the data once, then trains and measures a model a fold."""

import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines import artifacts
from pipelines.artifacts import Output
from pipelines.components.base import Context, PipelineError, Progress
from pipelines.components.statistics_gen import StatisticsGen
from pipelines.components.transform import Transform
from pipelines.crossval import folds
from pipelines.failures import one_line
from pipelines.main_metrics import main_metric
from pipelines.pipeline import components, until
from pipelines.runner import run
from tfmtl.config import Config, ConfigError, RegressionTask

Figures = dict[str, dict[str, Any]]
"""`{task: {metric: value}}`, None where a figure is undefined."""


class CrossValidation:
    """Folds of a configuration's rows, and what models trained on all others make of each.

    Vocabularies, moments and whatever else is learnt of the data come from a fold's training rows
    alone.

    Args:
        config: the configuration.
        data: directory of the raw files.
        work: empty directory, which is left to the caller.
        count: how many folds.
        seed: of the order of the rows.
        tasks: those that are measured; all where not given.

    Attributes:
        rows: how many there are.
    """

    def __init__(
        self,
        config: Config,
        data: Path,
        work: Path,
        count: int,
        seed: int,
        tasks: Collection[str] | None = None,
    ) -> None:
        self.rows = 0
        self._config, self._data, self._work = folds.whole(config), data, work
        self._count, self._seed = count, seed
        self._metrics = metrics_of(config, tasks)

    def read(self) -> None:
        """Reads the raw files, and divides their rows."""
        steps = until(artifacts.Examples, components(self._config))
        result = run(steps, self._config, self._data, self._work / "rows", Console(quiet=True))
        self._examples = result.steps["ExampleGen"].artifact
        self.rows = folds.divide(self._examples, self._count, self._seed)

    def measure(self, number: int, progress: Progress) -> tuple[int, Figures]:
        """Trains on all folds but one and measures on that one.

        Args:
            number: of the fold, from 0.
            progress: told how far it has come.

        Returns:
            How many rows the fold has, and its figures.
        """
        import keras

        from tfmtl.training.errors import TrainingError
        from tfmtl.training.evaluating import measure
        from tfmtl.training.trainer import train

        config = folds.of_fold(self._config, self._count, number)
        place = self._work / f"fold_{number}"
        folds.link(self._examples, config, place / "examples")
        for name in ("statistics", "transformed"):
            (place / name).mkdir()
        context = Context(config, self._data, place, place / "serving", progress, place / "work")
        examples = artifacts.Examples(place / "examples")
        statistics = artifacts.Statistics(place / "statistics")
        transformed = place / "transformed"
        StatisticsGen(context, examples, Output(statistics.path))
        made = Transform(context, examples, statistics, Output(transformed))

        def on_batch(done: int, total: int, note: str) -> None:
            progress(done, total, "examples", note)

        keras.utils.clear_session()
        try:
            model = train(config, transformed, on_batch).model
        except TrainingError as error:
            raise PipelineError(f"fold {number + 1}: {one_line(error)}") from error
        found = measure(model, config, transformed, only=list(self._metrics), in_full=False).tasks
        shutil.rmtree(place)
        figures = {
            task: {m: found[task]["overall"][m] for m in metrics}
            for task, metrics in self._metrics.items()
        }
        return made["splits"]["test"], figures


def metrics_of(config: Config, tasks: Collection[str] | None = None) -> dict[str, list[str]]:
    """The metrics that tell of each task: RMSE and MAE of numbers, else the main one.

    Raises:
        ConfigError: a task is not the configuration's.
    """
    for name in tasks or ():
        if name not in config.tasks:
            raise ConfigError(f"--task: there is no '{name}', choose among {list(config.tasks)}")
    return {
        name: ["rmse", "mae"] if isinstance(task, RegressionTask) else [main_metric(config, name)]
        for name, task in config.tasks.items()
        if not tasks or name in tasks
    }


def cross_validate(
    validation: CrossValidation,
    count: int,
    running: Callable[[str], Any],
    told: Callable[[str, float, str], None],
) -> dict[str, Any]:
    """Measures every fold.

    Args:
        validation: the folds.
        count: how many.
        running: context of a step by name, which gives its progress.
        told: called with a step's name, its seconds and what came of it.

    Returns:
        `rows`, `folds`: by fold `rows` and `tasks`, `{task: {metric: value}}`; `mean` and `spread`,
        the same over the folds, and `seconds`.
    """
    began = time.monotonic()
    with running("rows"):
        validation.read()
    told("rows", time.monotonic() - began, f"{validation.rows:,} rows")
    measured = []
    for number in range(count):
        since = time.monotonic()
        with running(f"fold {number + 1}") as progress:
            rows, figures = validation.measure(number, progress)
        measured.append({"rows": rows, "tasks": figures})
        told(f"fold {number + 1}", time.monotonic() - since, in_words(figures))
    seconds = round(time.monotonic() - began, 2)
    return {"rows": validation.rows, "folds": measured, **summary(measured), "seconds": seconds}


def summary(measured: list[dict[str, Any]]) -> dict[str, Figures]:
    """Means and spreads over folds: standard deviations of the folds' figures as they are, which
    is what Surprise prints. A figure that is undefined in a fold is left out of both."""
    import numpy as np

    def over(function: Callable[[list[float]], Any]) -> Figures:
        found: Figures = {}
        for task, metrics in measured[0]["tasks"].items():
            for metric in metrics:
                values = [fold["tasks"][task][metric] for fold in measured]
                known = [value for value in values if value is not None]
                if known:
                    found.setdefault(task, {})[metric] = float(function(known))
        return found

    return {"mean": over(np.mean), "spread": over(np.std)}


def in_words(figures: Figures) -> str:
    """Figures in a line."""
    return ", ".join(
        f"{task} {metric} {'none' if value is None else f'{value:.4f}'}"
        for task, metrics in figures.items()
        for metric, value in metrics.items()
    )
