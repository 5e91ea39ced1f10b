"""What an evaluation found, and how it differs from what another one did."""

from __future__ import annotations

from collections.abc import Mapping

from tfmtl.evaluation.slices import Differences, SlicedIntervals, Summary
from tfmtl.evaluation.streaming.bootstrap import LEVEL
from tfmtl.evaluation.streaming.estimates import TaskEstimates


class Result:
    """What an evaluation found.

    Args:
        estimates: task to its figures.
    """

    def __init__(self, estimates: Mapping[str, TaskEstimates]) -> None:
        self.estimates = dict(estimates)

    @property
    def tasks(self) -> dict[str, Summary]:
        """Task to its figures, intervals and curves, ready for JSON."""
        return {task: estimates.summary() for task, estimates in self.estimates.items()}

    def intervals(self, confidence: float) -> dict[str, SlicedIntervals]:
        """Task to the intervals of its figures, of a two-sided confidence."""
        return {task: found.intervals(confidence) for task, found in self.estimates.items()}


def differences(
    model: Result, baseline: Result, confidence: float = LEVEL
) -> dict[str, Differences]:
    """How much a model's figures are above a baseline's on the same rows, with intervals.

    The same users are drawn for both, so what makes both good or bad on a user cancels out.

    Args:
        model: of the model.
        baseline: of the baseline: an evaluation of the same seed and slices that was given the same
            rows in the same order.
        confidence: that of the intervals.

    Returns:
        `{task: {"overall": {metric: {"difference", "low", "high"}}, "slices": {column: {value:
        {metric: ...}}}}}` for the tasks that both have; None for what has no value.

    Raises:
        ValueError: if they were measured on other rows.
    """
    found = {}
    for task, estimates in model.estimates.items():
        if task not in baseline.estimates:
            continue
        other = baseline.estimates[task]
        for count in ("rows", "positives"):
            own, others = (e.overall.figures.get(count) for e in (estimates, other))
            if own != others:
                raise ValueError(
                    f"task '{task}': both should be measured on the same rows. "
                    f"Received: {own} and {others} {count}"
                )
        found[task] = estimates.differences(other, confidence)
    return found
