"""Checks of a training's budget."""

from typing import TYPE_CHECKING

from tfmtl.config.balancers import Static, Uncertainty

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_budget(config: "Config") -> None:
    """Refuses priorities of nobody, and what cannot go with steps of some tasks.

    Raises:
        ValueError: naming the key.
    """
    budget = config.training.budget
    if budget is None:
        return
    scenarios = config.scenario.values if config.scenario else []
    for key, named, known in (
        ("priorities", budget.priorities, list(config.tasks)),
        ("scenarios", budget.scenarios, scenarios),
    ):
        unknown = next((name for name in named if name not in known), None)
        if unknown is not None:
            raise ValueError(
                f"training.budget.{key}: there is no '{unknown}'; choose among "
                f"{', '.join(known) or 'none, as no scenario is declared'}"
            )
    if config.training.strategy != "none":
        raise ValueError(
            "training.budget: it is divided in one process; leave out training.strategy"
        )
    parts = config.training.optimizer.tables, config.training.optimizer.dense
    if any(part.schedule.changes for part in parts):
        raise ValueError(
            "training.budget: a learning rate's schedule counts steps whose number is not known "
            "before; leave out the schedule"
        )
    if budget.division == "even":
        return
    if not isinstance(config.model.balancer, Static | Uncertainty):
        raise ValueError(
            f"training.budget: {config.model.balancer.kind} weighs the losses of all tasks in "
            "every step; choose model.balancer static or uncertainty, or division: even"
        )
