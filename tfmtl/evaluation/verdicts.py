"""What the gate reads and says: rules, intervals, outcomes and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Place: TypeAlias = tuple[str, str] | None
"""Slice column and value; None for all rows together."""


class Rule(Protocol):
    """What the gate reads of a rule; every bound that is not None must hold.

    Attributes:
        task: the task's name.
        metric: the metric's name, such as `auc` or `recall@10`.
        at_least: lowest figure allowed.
        at_most: highest figure allowed.
        not_worse_by: how much worse than the pushed model's figure it may be.
        confidence: how sure it must be that the bounds hold, between 0.5 and 1; None to hold the
            figure itself against them.
        slices: a slice column, each value of which must hold.
        slice: a slice column and the one value that must hold; all rows together where both are
            None.
        min_rows: values of `slices` with fewer rows are left out; else what is measured must have
            as many.
    """

    @property
    def task(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def at_least(self) -> float | None: ...
    @property
    def at_most(self) -> float | None: ...
    @property
    def not_worse_by(self) -> float | None: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def slices(self) -> str | None: ...
    @property
    def slice(self) -> Mapping[str, str] | None: ...
    @property
    def min_rows(self) -> int | None: ...


@dataclass(frozen=True)
class Bounds:
    """Intervals of one two-sided confidence, by task, as evaluation gives them.

    Attributes:
        intervals: `{task: {"overall": {metric: [low, high]}, "slices": ...}}`, of the figures.
        differences: `{task: {"overall": {metric: {"low": l, "high": h}}, "slices": ...}}`, of the
            model less the pushed model; None where there is none.
    """

    intervals: Mapping[str, Any]
    differences: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What one bound of one rule came to, on all rows or on one slice.

    Attributes:
        task: the rule's task.
        metric: the rule's metric.
        bound: `at_least`, `at_most`, `not_worse_by` or, where small slices were left out,
            `min_rows`; empty if the rule came to no comparison.
        slice: `COLUMN=VALUE`, or `overall`.
        figure: the model's figure; None if it is missing or undefined.
        limit: what the figure was held against; None if there was nothing to compare with.
        holds: whether the bound holds.
        text: all of this in one line.
        confidence: the rule's; None where the figure itself decided.
        low: lower end of the figure's one-sided interval of that confidence. For `not_worse_by` it
            is the pushed model's figure and the lower end of the difference to it.
        high: the upper end.
    """

    task: str
    metric: str
    bound: str
    slice: str
    figure: float | None
    limit: float | None
    holds: bool
    text: str
    confidence: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether the model may be pushed.

    Attributes:
        blessed: whether there are rules and all of them hold.
        reasons: why not, a line each; empty for a blessed model.
        outcomes: every comparison made, in the order of the rules.
    """

    blessed: bool
    reasons: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
