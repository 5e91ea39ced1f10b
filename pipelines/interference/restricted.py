"""Configurations of models that know less: one task alone, or the tasks of one scenario."""

from collections.abc import Collection
from typing import Any

from tfmtl.config import Config, parse


def of_task(config: Config, task: str, seed: int) -> Config:
    """The configuration of a model of one task: the same features, network and training.

    The task's loss is not weighed against anything, and what it comes `after` is left to the
    labels of its examples, which are completed beforehand.

    Args:
        config: of the joint model.
        task: the task that stays.
        seed: of the initial weights and the order of the rows.
    """
    raw = _with_tasks(config, [task], seed)
    raw["tasks"][task] |= {"weight": 1.0} | (
        {"after": None} if "after" in raw["tasks"][task] else {}
    )
    raw["model"] |= {"balancer": {"kind": "static"}, "funnel": None}
    return parse(raw)


def of_scenario(config: Config, scenario: str, seed: int) -> Config:
    """The configuration of a joint model of the tasks that a scenario has. Arguments as of
    `of_task`."""
    tasks = tasks_of(config, scenario)
    raw = _with_tasks(config, tasks, seed)
    if len(tasks) < len(config.tasks):
        balancer = raw["model"]["balancer"]
        if balancer["kind"] == "priority":
            raw["model"]["balancer"] = {"kind": "static"}
        if not any(raw["tasks"][task].get("after") for task in tasks):
            raw["model"]["funnel"] = None
    return parse(raw)


def seeded(config: Config, seed: int, cosines: int) -> Config:
    """The joint model's configuration with another seed; gradients are measured `cosines` times
    an epoch."""
    training = config.training.model_copy(update={"gradient_cosines": cosines})
    return config.model_copy(update={"seed": seed, "training": training})


def tasks_of(config: Config, scenario: str) -> list[str]:
    """The tasks that exist in a scenario."""
    return [n for n, task in config.tasks.items() if scenario in (task.scenarios or [scenario])]


def _with_tasks(config: Config, tasks: Collection[str], seed: int) -> dict[str, Any]:
    """Plain data without the other tasks and without what speaks of them.

    What the data steps have read by then, such as rules of sampling, has no effect any more.
    """
    raw = config.model_dump(mode="json")
    raw["tasks"] = {name: raw["tasks"][name] for name in tasks}
    raw |= {"seed": seed, "gate": [], "sampling": {}, "resampling": None, "validation": {}}
    raw |= {"tuner": None, "bulk_inference": None}
    raw["training"] |= {"gradient_cosines": 0, "tensorboard": False}
    stopping = config.training.early_stopping
    if stopping and stopping.task not in (None, *tasks):
        raw["training"]["early_stopping"] |= {"task": None, "metric": "loss"}
    raw["source"]["feedback_delay"] = {}
    if raw["source"].get("impressions"):
        raw["source"]["impressions"]["label_times"] = {}
    return raw
