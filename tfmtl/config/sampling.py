"""Which training rows are left out or repeated. Validation and test rows are never touched."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfmtl.config.base import Spec
from tfmtl.config.feature_base import Name


class NegativeRule(Spec):
    """How many training rows are kept in which nothing happened.

    A negative is a row in which no binary task's label is 1 and which is no positive of the
    retrieval task. The rate at which negatives are kept is one number a scenario: a rule covers the
    scenarios it names in which its task exists, and where several rules cover a scenario, the
    largest rate counts, so that no task is left fewer negatives than its rule says. A scenario that
    no rule covers keeps all of its rows. Positives of any task are always kept.
    """

    task: Name
    """A binary task, or the retrieval task."""
    scenarios: Annotated[list[str], Field(min_length=1)] | None = None
    """Scenarios of the rule; all in which the task exists where not given."""
    keep: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the negatives that is kept."""
    per_positive: Annotated[float, Field(gt=0)] | None = None
    """Negatives that are kept for each positive of the task, counted in each scenario by itself:
    the share is this many times the positives, divided by the negatives, and at most 1. A scenario
    without a positive keeps its negatives."""

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.keep is None) == (self.per_positive is None):
            raise ValueError("give exactly one of 'keep' and 'per_positive'")
        return self


class Sampling(Spec):
    """Leaves training rows out; `meta/keep_rate` tells the model, which corrects for it.

    Example:
        `{negatives: [{task: click, scenarios: [feed], keep: 0.1}, {task: buy, per_positive: 20}]}`
    """

    negatives: list[NegativeRule] = []


class Resampling(Spec):
    """Evens out how many training rows the groups have, by leaving rows out and repeating others.

    A group with the share p_i of the rows gets the share

        q_i = p_i^(1/T) / sum_j p_j^(1/T)

    of as many rows as there were, counted after `sampling`. Every row of the group comes
    q_i / p_i times: the whole part of it always, the rest with that probability.

    Reference: Arivazhagan et al., "Massively multilingual neural machine translation in the wild:
    findings and challenges", 2019 (temperature-based sampling).
    """

    by: Literal["scenario", "task"]
    """`scenario` evens out the scenarios. `task` evens out the tasks: of the ranking tasks whose
    label a row has, the row belongs to the one that the fewest rows have a label of."""
    temperature: Annotated[float, Field(ge=1)]
    """T: 1 leaves everything as it is, `.inf` makes all groups equally large."""
