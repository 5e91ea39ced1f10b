"""How much a training may cost, and who gets how much of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec

Worth = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Budget(Spec):
    """A training's time or steps, divided among tasks and scenarios and divided anew as it goes.

    A task or a scenario gets more of it the higher its priority, the more its loss on validation
    rows has fallen for what was spent on it, and the less it costs. One that has converged takes
    part in few steps. Training ends with the budget, or after `training.epochs` if that is sooner.

    Example:
        `{seconds: 600, priorities: {purchase: 3}, scenarios: {ads: 2}}`
    """

    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Wall time of the training, its measuring of validation rows included."""
    steps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Steps with all tasks and all rows; one with half of the tasks, or of the rows, counts half.
    The same steps are taken in every run, where those of `seconds` depend on the machine."""
    division: Literal["adaptive", "even"] = "adaptive"
    """`even` gives everyone a part in every step until the budget is spent."""
    priorities: dict[str, Worth] = {}
    """How much a task's progress is worth; 1 for those that are not named."""
    scenarios: dict[str, Worth] = {}
    """How much a scenario's progress is worth; 1 for those that are not named."""
    least: Annotated[float, Field(gt=0, le=1)] = 0.125
    """The share of steps, or of rows, that everyone keeps."""
    decisions: Annotated[int, Field(ge=2, le=1000)] = 20
    """How often it is divided, evenly spread over the budget."""
    validation_rows: Annotated[int, Field(ge=1)] = 20_000
    """Validation rows of which progress is measured, the first ones."""

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.seconds is None) == (self.steps is None):
            raise ValueError("give exactly one of 'seconds' and 'steps'")
        return self
