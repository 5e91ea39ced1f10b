"""What a trial's model is worth: figures of the validation rows, and their weighted sum."""

import json
from collections.abc import Mapping
from pathlib import Path

from pipelines.components.base import PipelineError
from tfmtl.config import Config
from tfmtl.config.tuner import Goal, Tuner

SPLIT = "validation"
"""The rows a search goes by. The test rows say what its result is worth: they have no part in it.
"""


def figures(tuner: Tuner, config: Config, artifacts: Path, epoch: int) -> dict[str, float]:
    """The figures that a search's objective is made of.

    Args:
        tuner: the search.
        config: the trial's configuration.
        artifacts: directory of the trial's artifacts.
        epoch: number of the epoch whose model it is, from 1.

    Returns:
        By the goals' titles.

    Raises:
        PipelineError: the validation rows do not determine one of them.
    """
    history = json.loads((artifacts / "model" / "history.json").read_bytes())
    known = history["epochs"][epoch - 1]
    found = {
        goal.title: float(known[name])
        for goal in tuner.objective
        if (name := _in_history(goal)) in known
    }
    missing = [goal for goal in tuner.objective if goal.title not in found]
    if missing:
        found |= _measured(missing, config, artifacts)
    return {goal.title: found[goal.title] for goal in tuner.objective}


def objective(tuner: Tuner, figures: Mapping[str, float]) -> float:
    """The weighted sum of a trial's figures.

    Where only some of them are better when lower, these are subtracted, and more is better.
    """
    total = 0.0
    for goal in tuner.objective:
        sign = -1.0 if goal.lower_is_better and not tuner.minimise else 1.0
        total += sign * goal.weight * figures[goal.title]
    return total


def _in_history(goal: Goal) -> str:
    """A figure's name among those of an epoch, where the Trainer has measured it."""
    return f"val_{goal.metric}/{goal.task}" if goal.task else f"val_{goal.metric}"


def _measured(goals: list[Goal], config: Config, artifacts: Path) -> dict[str, float]:
    from tfmtl.models.saved import load_model
    from tfmtl.training.evaluating import measure

    model = load_model(artifacts / "model")
    only = {goal.task for goal in goals if goal.task}
    transformed = artifacts / "transformed"
    summaries = measure(model, config, transformed, SPLIT, only=only, in_full=False).tasks
    found = {}
    for goal in goals:
        value = summaries[goal.task]["overall"].get(goal.metric) if goal.task else None
        if value is None:
            raise PipelineError(
                f"tuner.objective: the validation rows do not determine {goal.title}; choose "
                "another metric, or a longer split.validation"
            )
        found[goal.title] = float(value)
    return found
