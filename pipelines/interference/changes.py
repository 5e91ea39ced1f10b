"""What sharing has brought: the joint model's figures minus those of models that know less."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from tfmtl.config import Config
from tfmtl.config.evaluation import is_lower_better

_METRICS = {
    "binary": "auc",
    "regression": "rmse",
    "multi_class": "accuracy",
    "multi_label": "pr_auc",
}
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t at 97.5 %, for 1 degree of freedom and more."""


def main_metric(config: Config, task: str) -> str:
    """The metric by which a task is judged: AUC, RMSE, accuracy, average precision, or recall at
    the middle one of the cut-offs.

    Args:
        config: of the joint model.
        task: name of the task.
    """
    kind = config.tasks[task].kind
    if kind == "retrieval":
        cuts = sorted(config.evaluation.top_k)
        return f"recall@{cuts[len(cuts) // 2]}"
    return _METRICS[kind]


def change(
    metric: str,
    alone: Sequence[float | None],
    joint: Sequence[float | None],
    differences: Sequence[Mapping[str, float | None]],
) -> dict[str, Any] | None:
    """One metric of a task in the joint model beside the other one.

    The interval holds what test rows and, with several seeds, what initial weights and the order of
    the rows leave open. With d_s the differences of S seeds and h_s the half widths of their
    intervals, which resample the users of the test rows,

        mean(d) +- sqrt(mean(h)^2 + (t_(S-1) sd(d))^2 / S).

    Args:
        metric: its name.
        alone: figures of the model that knows less, by seed.
        joint: figures of the joint model, by seed.
        differences: `{"difference", "low", "high"}` by seed, joint minus alone.

    Returns:
        `{"metric", "alone", "joint", "difference", "percent", "low", "high", "verdict"}`. The
        verdict is `gain` or `loss` where the interval excludes 0, else `unclear`. None where a
        figure is undefined.
    """
    without, with_ = _known(alone), _known(joint)
    deltas = _known([d["difference"] for d in differences])
    if not (without and with_ and deltas):
        return None
    before, delta = fmean(without), fmean(deltas)
    lows, highs = (_known([d[end] for d in differences]) for end in ("low", "high"))
    low, high = _interval(deltas, lows, highs) if lows and highs else (None, None)
    verdict = "unclear"
    if low is not None and high is not None and (low > 0 or high < 0):
        verdict = "loss" if (low > 0) == is_lower_better(metric) else "gain"
    return {
        "metric": metric,
        "alone": before,
        "joint": fmean(with_),
        "difference": delta,
        "percent": 100 * delta / abs(before) if before else None,
        "low": low,
        "high": high,
        "verdict": verdict,
    }


def _known(values: Sequence[float | None]) -> list[float]:
    """The values; none where one of them is undefined."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _interval(
    deltas: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> tuple[float, float]:
    if len(deltas) == 1:
        return lows[0], highs[0]
    delta = fmean(deltas)
    seeds = _T[len(deltas) - 2] * stdev(deltas) / math.sqrt(len(deltas))
    below, above = delta - fmean(lows), fmean(highs) - delta
    return delta - math.hypot(below, seeds), delta + math.hypot(above, seeds)
