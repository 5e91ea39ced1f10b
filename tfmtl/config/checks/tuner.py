"""What a search may change and measure: all of it is checked before the first trial."""

from typing import TYPE_CHECKING

from pydantic import ValidationError

from tfmtl.config.checks.objectives import objectives_of
from tfmtl.config.searched import with_values

if TYPE_CHECKING:
    from tfmtl.config.config import Config

_FIXED = {
    "source": "it decides which rows there are, and trials on other rows cannot be compared",
    "split": "it decides which rows validate, and trials on other rows cannot be compared",
    "scenario": "it decides which rows there are, and trials on other rows cannot be compared",
    "validation": "it says what data may be, which no model is better for",
    "evaluation": "it says what is measured, which no model is better for",
    "gate": "it says what a model must reach, which no model is better for",
    "serving": "it says how the model is served, which no model is better for",
    "bulk_inference": "it says what is done with the model, which no model is better for",
    "tuner": "a search cannot change itself",
    "name": "no model is better for it",
    "seed": "ExampleGen draws by it, too, and trials on other rows cannot be compared",
}
"""First parts of keys that cannot be searched, and why."""


def check_tuner(config: "Config") -> None:
    tuner = config.tuner
    if tuner is None:
        return
    _check_objective(config)
    keys = list(tuner.values)
    for key in keys:
        first = key.partition(".")[0]
        if first in _FIXED:
            raise ValueError(f"tuner.values: '{key}' cannot be searched: {_FIXED[first]}")
        above = next((other for other in keys if key.startswith(f"{other}.")), None)
        if above is not None:
            raise ValueError(
                f"tuner.values: '{key}' is a part of '{above}', which is searched too; put it into "
                f"the choices of '{above}'"
            )
    for key, values in tuner.values.items():
        for value in values.ends:
            problem = _problem(config, key, value)
            if problem:
                raise ValueError(f"tuner.values.{key}: {value!r} makes no right config: {problem}")


def _problem(config: "Config", key: str, value: object) -> str | None:
    """What is wrong with the configuration if a key takes a value; None if nothing is."""
    from tfmtl.config.loading import one_line

    try:
        type(config).model_validate(with_values(config, {key: value}))
    except ValidationError as error:
        return one_line(error)
    except ValueError as error:
        return str(error)
    return None


def _check_objective(config: "Config") -> None:
    assert config.tuner is not None
    by_time = config.split.by == "time"
    if not (config.split.validation_seconds if by_time else config.split.validation):
        raise ValueError(
            "tuner.objective is measured on validation rows; there are none, set split.validation"
        )
    for index, goal in enumerate(config.tuner.objective):
        where = f"tuner.objective[{index}]"
        if goal.task is None and goal.metric == "loss":
            continue
        if goal.task not in config.tasks:
            raise ValueError(
                f"{where}.task: metric '{goal.metric}' needs a task, got {goal.task!r}; choose "
                f"among {list(config.tasks)}"
            )
        metrics = objectives_of(config, goal.task)
        if goal.metric not in metrics:
            raise ValueError(
                f"{where}.metric: task '{goal.task}' has no objective '{goal.metric}'; choose "
                f"among {', '.join(metrics)}"
            )
