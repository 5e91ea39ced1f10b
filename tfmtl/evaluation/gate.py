"""The gate: whether a model is good enough to be pushed, and what was decided about each rule.

A model is blessed when at least one rule is declared and all of them hold. A figure that cannot be
found or is undefined never holds: what was not measured is not known to be good. Without rules
there is no blessing, since silence is not a threshold.

A rule with a confidence asks for more: not the figure but the bad end of its one-sided interval
must keep the limit. `not_worse_by` with a confidence is a test of non-inferiority: the bad end of
the interval of the difference to the pushed model must not be beyond the margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmtl.evaluation import _wording as wording
from tfmtl.evaluation.slices import Summary
from tfmtl.evaluation.verdicts import Bounds, Outcome, Place, Rule, Verdict

# As in tfmtl.config.evaluation, which needs more than numpy.
_LOWER_IS_BETTER = {"log_loss", "normalized_entropy", "ece", "rmse", "mae", "gini"}
_NEITHER_IS_BETTER = {"calibration", "rows", "positives", "majority"}
_OVERALL = "overall"

# Thresholds are written in decimals: 0.70 less 0.002 should hold for 0.698.
_SLACK = 1e-12


def check(
    rules: Sequence[Rule],
    metrics: Mapping[str, Summary],
    baseline: Mapping[str, Summary] | None = None,
    unmeasured: str | None = None,
    bounds: Callable[[float], Bounds] | None = None,
) -> Verdict:
    """Hold a model's metrics against the rules.

    Args:
        rules: the thresholds declared.
        metrics: task name to its `Summary`.
        baseline: the same of the pushed model, measured on the same rows; None before a first push,
            when every `not_worse_by` holds.
        unmeasured: why the pushed model could not be measured, if that is so; no `not_worse_by`
            holds then.
        bounds: gives the intervals of a two-sided confidence. A one-sided confidence of 0.95 is a
            two-sided one of 0.9.

    Example:
        >>> from types import SimpleNamespace
        >>> rule = SimpleNamespace(
        ...     task="click", metric="auc", at_least=0.7, at_most=None, not_worse_by=None,
        ...     confidence=None, slices=None, slice=None, min_rows=None,
        ... )
        >>> check([rule], {"click": {"overall": {"auc": 0.65}, "slices": {}}}).reasons
        ('click auc is 0.65, below 0.7',)
    """
    if not rules:
        return Verdict(
            blessed=False, reasons=("no thresholds declared; add rules under gate",), outcomes=()
        )
    found: list[Outcome] = []
    for rule in rules:
        known = None
        if bounds is not None and rule.confidence is not None:
            known = bounds(2 * rule.confidence - 1)
        found += _Check(rule, metrics, baseline, unmeasured, known).outcomes()
    reasons = tuple(outcome.text for outcome in found if not outcome.holds)
    return Verdict(blessed=not reasons, reasons=reasons, outcomes=tuple(found))


@dataclass(frozen=True)
class _Check:
    """One rule beside what it is held against."""

    rule: Rule
    metrics: Mapping[str, Summary]
    baseline: Mapping[str, Summary] | None
    unmeasured: str | None
    bounds: Bounds | None

    def outcomes(self) -> Iterator[Outcome]:
        rule = self.rule
        problem = self._problem()
        if not problem and self.unmeasured and rule.not_worse_by is not None:
            problem = f"the pushed model could not be measured: {self.unmeasured}"
        if problem:
            yield self._outcome("", self._where(), False, f"{rule.task} {rule.metric}: {problem}")
            return
        places, small = self._places()
        for place in places:
            yield from self._compare(place)
        if small:
            text = wording.left_out(rule, small, bool(places))
            yield self._outcome("min_rows", str(rule.slices), bool(places), text)

    def _problem(self) -> str | None:
        """Why the rule cannot be checked at all, and what would be right; None if it can."""
        rule = self.rule
        if rule.at_least is None and rule.at_most is None and rule.not_worse_by is None:
            return "no limit declared; set at_least, at_most or not_worse_by"
        if rule.not_worse_by is not None and rule.metric in _NEITHER_IS_BETTER:
            return "neither higher nor lower is better; set at_least and at_most, not not_worse_by"
        if rule.task not in self.metrics:
            return f"no task '{rule.task}' was evaluated; there is {_names(self.metrics)}"
        found = self.metrics[rule.task]
        if rule.metric not in found["overall"]:
            return f"no metric '{rule.metric}'; there is {_names(found['overall'])}"
        column, value = (rule.slices, None) if not rule.slice else next(iter(rule.slice.items()))
        if column is None:
            return None
        if column not in found["slices"]:
            return f"no slices by '{column}'; there is {_names(found['slices'])}"
        values = found["slices"][column]
        if not values:
            return f"no rows in any slice by '{column}'"
        if value is not None and value not in values:
            return f"no rows in slice {column}={value}; there is {_names(values)}"
        if not any(rule.metric in figures for figures in values.values()):
            return "it is measured on all rows together; leave out slices and slice"
        return None

    def _places(self) -> tuple[list[Place], list[str]]:
        """Where the rule looks, and the values of the slice column that are too small for it."""
        rule = self.rule
        if rule.slices is None:
            return [next(iter(rule.slice.items())) if rule.slice else None], []
        values = self.metrics[rule.task]["slices"][rule.slices]
        small = [v for v, figures in values.items() if _rows(figures) < (rule.min_rows or 0)]
        return [(rule.slices, value) for value in values if value not in small], small

    def _compare(self, place: Place) -> Iterator[Outcome]:
        rule = self.rule
        figures = _at(self.metrics[rule.task], place)
        figure, before = _figure(figures.get(rule.metric)), self._before(place)
        rows, subject = _rows(figures), wording.subject(rule, place)
        if rule.min_rows is not None and rows < rule.min_rows:
            text = f"{subject} has {rows:,} rows, the rule asks for {rule.min_rows:,}"
            yield self._outcome("min_rows", self._where(place), False, text, figure)
            return
        for bound, limit, sign in self._limits(before):
            low, high = self._ends(bound, place, before)
            sure = figure if rule.confidence is None else (low if sign > 0 else high)
            holds = limit is None and figure is not None
            if limit is not None:
                holds = _keeps(figure, limit, sign) and _keeps(sure, limit, sign)
            text = subject + wording.finding(rule, figure, sure, limit, sign, holds)
            if bound == "not_worse_by" and figure is not None:
                pushed = self.baseline is not None
                text += wording.comparison(rule, figure, before, sure, pushed)
            ends = {} if limit is None else {"low": low, "high": high}
            yield self._outcome(bound, self._where(place), holds, text, figure, limit, **ends)

    def _before(self, place: Place) -> float | None:
        """The pushed model's figure."""
        task = (self.baseline or {}).get(self.rule.task)
        return None if task is None else _figure(_at(task, place).get(self.rule.metric))

    def _limits(self, before: float | None) -> Iterator[tuple[str, float | None, int]]:
        """Each bound declared, its limit, and +1 for a lowest figure or -1 for a highest."""
        rule = self.rule
        if rule.at_least is not None:
            yield "at_least", rule.at_least, 1
        if rule.at_most is not None:
            yield "at_most", rule.at_most, -1
        if rule.not_worse_by is not None:
            sign = -1 if rule.metric.partition("@")[0] in _LOWER_IS_BETTER else 1
            limit = None if before is None else before - sign * rule.not_worse_by
            yield "not_worse_by", limit, sign

    def _ends(
        self, bound: str, place: Place, before: float | None
    ) -> tuple[float | None, float | None]:
        """The ends of the figure's interval, of which the bad one decides."""
        rule = self.rule
        if self.bounds is None or rule.confidence is None:
            return None, None
        if bound != "not_worse_by":
            found = _at(self.bounds.intervals[rule.task], place).get(rule.metric)
            return (None, None) if found is None else (_figure(found[0]), _figure(found[1]))
        task = (self.bounds.differences or {}).get(rule.task)
        if task is None or before is None:
            return None, None
        found = _at(task, place).get(rule.metric) or {}
        low, high = (_figure(found.get(end)) for end in ("low", "high"))
        return (None, None) if low is None or high is None else (before + low, before + high)

    def _where(self, place: Place = None) -> str:
        if place is None and self.rule.slices is not None:
            return self.rule.slices
        place = place or next(iter((self.rule.slice or {}).items()), None)
        return _OVERALL if place is None else "=".join(place)

    def _outcome(
        self,
        bound: str,
        where: str,
        holds: bool,
        text: str,
        figure: float | None = None,
        limit: float | None = None,
        **ends: float | None,
    ) -> Outcome:
        rule = self.rule
        confidence = rule.confidence if ends else None
        return Outcome(
            rule.task, rule.metric, bound, where, figure, limit, holds, text, confidence, **ends
        )


def _names(mapping: Mapping[str, object]) -> str:
    return ", ".join(mapping) or "none"


def _at(measured: Any, place: Place) -> Mapping[str, Any]:
    """What was found in a place; nothing where it was not looked at."""
    if place is None:
        return measured[_OVERALL]
    column, value = place
    return measured["slices"].get(column, {}).get(value, {})


def _rows(figures: Mapping[str, Any]) -> int:
    return int(figures.get("rows") or 0)


def _figure(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _keeps(figure: float | None, limit: float, sign: int) -> bool:
    return figure is not None and sign * (figure - limit) >= -_SLACK
