"""Which values of the configuration are searched, by what, and for how long."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.durations import Duration
from tfmtl.config.evaluation import is_lower_better


class Goal(Spec):
    """One figure of the validation rows, and what it weighs in the objective."""

    task: str | None = None
    """Task that is measured; not given, the loss of all tasks as the balancer weighs them."""
    metric: str = "loss"
    """`loss` without a task, or a metric of the task as evaluation names it: `auc`, `recall@10`.
    Its name says whether more is better."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """What it weighs beside other figures."""

    @property
    def lower_is_better(self) -> bool:
        """The direction of the metric."""
        return is_lower_better(self.metric)

    @property
    def title(self) -> str:
        """What is measured, in words: `auc of click`."""
        return f"{self.metric} of {self.task}" if self.task else self.metric


def _goals(value: Any) -> Any:
    """`loss` stands for `[{metric: loss}]`, a mapping for a list of itself."""
    if isinstance(value, str):
        return [{"metric": value}]
    return [value] if isinstance(value, dict | Goal) else value


def _values(value: Any) -> Any:
    """`[a, b]` stands for `{choices: [a, b]}`."""
    return {"choices": value} if isinstance(value, list) else value


class Values(Spec):
    """The values one key may take: `choices`, or the numbers from `low` to `high`.

    Example:
        `{low: 1e-4, high: 1e-2, log: true}`
    """

    choices: Annotated[list[Any], Field(min_length=1)] | None = None
    """What to choose among, mappings too."""
    low: int | float | None = None
    """The smallest number. Whole numbers are tried where `low`, `high` and `step` are whole."""
    high: int | float | None = None
    """The largest number."""
    step: Annotated[int | float, Field(gt=0)] | None = None
    """Distance of the numbers that are tried; any between the two where not given."""
    log: bool = False
    """Numbers are tried by their order of magnitude: as many from 0.001 to 0.01 as to 0.1."""

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        given = (self.low, self.high, 1 if self.step is None else self.step)
        return all(isinstance(number, int) for number in given)

    @property
    def listed(self) -> list[Any] | None:
        """All values in their order; None of numbers between which there are any others."""
        if self.choices is not None:
            return self.choices
        assert self.low is not None
        assert self.high is not None
        step = self.step if self.step is not None else (1 if self.whole else None)
        if step is None or self.log:
            return None
        count = int((self.high - self.low) / step + 1e-9) + 1
        numbers = [self.low + place * step for place in range(count)]
        return numbers if self.whole else [round(number, 12) for number in numbers]

    @property
    def ends(self) -> list[Any]:
        """The values that are checked before any is tried: all choices, or both ends."""
        return self.choices if self.choices is not None else [self.low, self.high]

    @model_validator(mode="after")
    def _choices_or_numbers(self) -> Self:
        numbers = self.low is not None, self.high is not None
        if self.choices is not None:
            if any(numbers) or self.step is not None or self.log:
                raise ValueError("give choices, or low and high, not both")
            return self
        if not all(numbers):
            raise ValueError("give a list of choices, or low and high")
        assert self.low is not None
        assert self.high is not None
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs numbers above 0, got low: {self.low}")
        if self.log and self.step is not None:
            raise ValueError("log goes without step")
        return self


class Tuner(Spec):
    """A search for the values of a configuration with which the model is best.

    Every trial trains a model on the training rows; what counts is measured on the validation rows,
    in which the test rows have no part.

    Example:
        `{trials: 20, objective: {task: click, metric: auc},
        values: {model.trunk.kind: [mmoe, ple]}}`
    """

    values: Annotated[
        dict[str, Annotated[Values, BeforeValidator(_values, json_schema_input_type=Any)]],
        Field(min_length=1),
    ]
    """What is searched: dotted keys, as `--set` takes them, and the values each may take. A `kind`
    that is another than the configuration's starts from its own defaults."""
    objective: Annotated[
        list[Goal],
        Field(min_length=1),
        BeforeValidator(_goals, json_schema_input_type=str | Goal | list[Goal]),
    ] = [Goal()]
    """What is to be best: a figure of the validation rows, or several, whose weighted sum counts.
    Where only some are better when lower, these are subtracted."""
    trials: Annotated[int, Field(ge=1)] = 20
    """Models that are trained at most."""
    timeout: Duration | None = None
    """No trial begins after this time, such as `2h`; the time of a killed search counts too."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """`tpe` goes by what the trials before have shown, `random` does not, `grid` tries all
    combinations in order."""

    @property
    def minimise(self) -> bool:
        """Whether a lower objective is better."""
        return all(goal.lower_is_better for goal in self.objective)

    @model_validator(mode="after")
    def _grid_is_finite(self) -> Self:
        if self.sampler == "grid":
            for key, values in self.values.items():
                if values.listed is None:
                    raise ValueError(
                        f"values.{key}: a grid needs a list of choices, or low, high and step"
                    )
        return self
