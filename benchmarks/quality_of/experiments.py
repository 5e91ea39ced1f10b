"""Trains configurations on one data set and averages their metrics over seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from pipelines.artifacts import Transformed
from pipelines.pipeline import components, until
from pipelines.runner import run
from tfmtl.config import Config, parse

Metrics = dict[str, float]
"""`{"TASK METRIC": value}`, with a slice as `TASK METRIC COLUMN=VALUE`."""


@dataclass
class Table:
    """Results by name of the model: means over seeds, and their spread.

    Attributes:
        title: what was measured, and on what.
        means: `{model: {metric: mean}}`, in the order in which the models were trained.
        spreads: `{model: {metric: standard deviation}}`.
        baselines: `{metric: value}` that others are compared with, in percent.
        notes: lines printed below.
    """

    title: str
    means: dict[str, Metrics] = field(default_factory=dict)
    spreads: dict[str, Metrics] = field(default_factory=dict)
    baselines: Metrics = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, model: str, runs: Sequence[Metrics]) -> None:
        """Takes the metrics of one model's runs, one a seed."""
        self.means[model] = {n: float(np.mean([r[n] for r in runs])) for n in runs[0]}
        self.spreads[model] = {n: float(np.std([r[n] for r in runs])) for n in runs[0]}


def transform(config: Mapping[str, Any], data: Path, output: Path) -> Path:
    """Runs the pipeline up to Transform; what a run before has left is used again."""
    read = parse(dict(config))
    result = run(until(Transformed, components(read)), read, data, output, Console(quiet=True))
    return result.steps["Transform"].artifact


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with some of its keys, given by dotted path, set to other values."""
    copy = parse(dict(config)).model_dump(mode="json")
    for path, value in changes.items():
        at = copy
        *parents, last = path.split(".")
        for key in parents:
            at = at[key]
        at[last] = value
    return copy


def only(config: Mapping[str, Any], *tasks: str) -> dict[str, Any]:
    """A configuration without the other tasks, and without the gate's rules."""
    chosen = {name: task for name, task in config["tasks"].items() if name in tasks}
    return {**config, "tasks": chosen, "gate": []}


def measure(
    config: Mapping[str, Any],
    transformed: Path,
    seeds: Sequence[int],
    pick: Callable[[Mapping[str, Any]], Metrics],
) -> list[Metrics]:
    """Trains a configuration once a seed and measures it on the test split.

    Args:
        config: the configuration; its own seed is replaced.
        transformed: Transform's artifact.
        seeds: of initial weights and order.
        pick: takes metrics out of `{task: {"overall": ..., "slices": ...}}`.
    """
    from tfmtl.training.evaluating import evaluate_model
    from tfmtl.training.trainer import train

    runs = []
    for seed in seeds:
        seeded: Config = parse({**config, "seed": seed})
        model = train(seeded, transformed).model
        runs.append(pick(evaluate_model(model, seeded, transformed)))
    return runs
