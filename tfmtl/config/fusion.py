"""How the predictions for an item become the one score by which items are put in order."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tfmtl.config.base import Spec
from tfmtl.config.feature_base import Name
from tfmtl.config.formulas import Formula

Finite = Annotated[float, Field(ge=-3e38, le=3e38)]


def _formula(value: Any) -> Any:
    """`click * price` stands for `{formula: click * price}`."""
    return {"formula": value} if isinstance(value, str) else value


class ScenarioFusion(Spec):
    """What is different in a scenario."""

    formula: Formula | None = None
    """The others' where not given."""
    parameters: dict[Name, Finite] = {}
    """Other values of parameters; those of all scenarios hold where not given."""


class Fusion(Spec):
    """A formula of predictions, the retrieval score and columns of items.

    It may have names, numbers, `+ - * / **`, parentheses, `log`, `exp`, `sqrt`, `min` and `max`.
    Names are those of ranking tasks (a binary task's is its probability, a regression task's its
    number), `TASK_after_BEFORE` of tasks in a funnel, `retrieval_score`, columns of items that are
    numbers, and parameters. Text stands for the formula alone.

    Example:
        `{formula: "click ** a * price ** 0.2", parameters: {a: 1.0}, scenarios: {ads: {formula:
        "1000 * click * bid"}}}`
    """

    formula: Formula | None = None
    """The first ranking task that predicts one number where not given; without any,
    `retrieval_score`."""
    parameters: dict[Name, Finite] = {}
    """Names in formulas and their values, which a request may replace, by `fuse_NAME`."""
    scenarios: dict[
        str,
        Annotated[
            ScenarioFusion,
            BeforeValidator(_formula, json_schema_input_type=Formula | ScenarioFusion),
        ],
    ] = {}
    """What is different in a scenario."""

    def formula_in(self, scenario: str | None) -> str | None:
        """The formula of a scenario, or of rows of none that is known."""
        own = self.scenarios.get(scenario) if scenario is not None else None
        return own.formula if own and own.formula is not None else self.formula

    def parameters_in(self, scenario: str | None) -> dict[str, float]:
        """The parameters' values in a scenario, or for rows of none that is known."""
        own = self.scenarios.get(scenario) if scenario is not None else None
        return {**self.parameters, **(own.parameters if own else {})}


Fuse = Annotated[Fusion, BeforeValidator(_formula, json_schema_input_type=Formula | Fusion)]
"""Text stands for the formula alone."""
