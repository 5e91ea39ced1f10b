"""What is measured, and what a model must reach to be pushed."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from tfmtl.config.base import Spec

_METRICS = {
    "binary": (
        "positives",
        "auc",
        "pr_auc",
        "log_loss",
        "normalized_entropy",
        "ece",
        "calibration",
        "gauc",
    ),
    "regression": ("rmse", "mae"),
    "multi_class": ("majority", "accuracy", "macro_f1", "macro_auc", "log_loss"),
    "multi_label": ("micro_f1", "macro_f1", "pr_auc", "log_loss"),
}
_DECIDED = ("precision", "recall", "f1")
"""Metrics of binary tasks that say from which probability on the event is predicted."""
LOWER_IS_BETTER = {"loss", "log_loss", "normalized_entropy", "ece", "rmse", "mae", "gini"}
NEITHER_IS_BETTER = {"calibration", "rows", "positives", "majority"}
"""Figures that are no objectives."""
WITHOUT_INTERVAL = {"rows", "positives", "majority"}
"""Figures that are facts about the rows, whatever the model."""
OVERALL_ALONE = {"coverage", "gini"}
"""Figures that speak of the catalogue, and so of no slice of the rows."""

NEW_USER, NEW_ITEM, HISTORY = "new_user", "new_item", "history"
MADE_SLICES: dict[str, tuple[str, ...]] = {
    NEW_USER: ("no", "yes"),
    NEW_ITEM: ("no", "yes"),
    HISTORY: ("0", "1-2", "3-5", "6-10", "11+"),
}
"""Slice columns that evaluation makes itself, and their values."""


def is_lower_better(metric: str) -> bool:
    """The direction of a metric, whatever its cut-off: `ece`, `gini@10`."""
    return metric.partition("@")[0] in LOWER_IS_BETTER


class Evaluation(Spec):
    """What is measured on the test rows."""

    slices: list[str] = []
    """Raw columns by whose values every metric is broken down. The scenario always is one of them,
    as are `new_user` and `new_item` (whether the training rows lack the user or the item) and
    `history` (how many items the longest of the row's histories has)."""
    top_k: list[Annotated[int, Field(ge=1)]] = [10, 50, 100]
    """Cut-offs of recall, NDCG, coverage and concentration."""
    query: Annotated[list[str], Field(min_length=1)] | None = None
    """Columns of which the rows of one query have equal values, such as `[user_id, timestamp]`:
    binary and regression tasks then have NDCG by query. The ranking losses' group where not
    given."""

    @field_validator("slices")
    @classmethod
    def _not_made(cls, slices: list[str]) -> list[str]:
        for name in slices:
            if name in MADE_SLICES:
                raise ValueError(f"'{name}' is made by evaluation itself; leave it out")
        return slices

    def metrics_of(
        self, kind: str, users: bool = True, queries: bool = False, decided: bool = False
    ) -> list[str]:
        """Names of what is measured for tasks of a kind, as evaluation gives them.

        Args:
            kind: the tasks' kind.
            users: whether the users are known; some metrics need them.
            queries: whether it is known which rows belong to one query.
            decided: whether a binary task has a threshold.
        """
        if kind != "retrieval":
            by_query = queries and kind in ("binary", "regression")
            ndcg = [f"ndcg@{k}" for k in self.top_k] if by_query else []
            named = [n for n in _METRICS[kind] if users or n != "gauc"]
            f1 = _DECIDED if decided else ()
            return ["rows", *named, *f1, *ndcg]
        found = [f"{name}@{k}" for k in self.top_k for name in ("recall", "ndcg")] + ["mrr"]
        shown = [f"{name}@{k}" for k in self.top_k for name in ("coverage", "gini")]
        return ["rows", *found, *(f"{name}_unseen" for name in found if users), *shown]


class Rule(Spec):
    """One condition on one metric; a model is blessed when every rule holds.

    Example:
        `{task: click, metric: auc, not_worse_by: 0.002, confidence: 0.95, slices: scenario}`
    """

    task: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None
    not_worse_by: Annotated[float, Field(ge=0)] | None = None
    """Largest loss against the pushed model on the same rows."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """How sure it must be that a limit holds: with 0.95, the end of the figure's (or the
    difference's) one-sided 95 % interval is held against the limit, not the figure itself."""
    slices: str | None = None
    """Slice column; the rule then applies to each of its values."""
    slice: dict[str, str] | None = None
    """Slice column and the one value that the rule applies to: `{scenario: ads}`."""
    min_rows: Annotated[int, Field(ge=1)] | None = None
    """Values of `slices` with fewer rows are left out. All rows together, or a single `slice`, must
    have as many."""

    @field_validator("slice", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """Values as texts: YAML reads `yes` as true and `25` as a number."""
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise ValueError(f"expected one column and its value, got {len(value)} columns")
        ((column, one),) = value.items()
        if isinstance(one, bool):
            if column not in (NEW_USER, NEW_ITEM):
                raise ValueError(f"put the value of '{column}' in quotes: YAML reads it as {one}")
            one = "yes" if one else "no"
        return {column: str(one) if isinstance(one, int | float) else one}

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.at_least is None and self.at_most is None and self.not_worse_by is None:
            raise ValueError("a rule needs at_least, at_most or not_worse_by")
        if self.slices is not None and self.slice is not None:
            raise ValueError("give slices for every value of a column, or slice for one, not both")
        return self
