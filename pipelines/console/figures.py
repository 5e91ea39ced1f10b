"""Metrics as people read them, on the console and in the report."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]
"""Metric -> figure; None where it is undefined."""


def figure(value: Any) -> str:
    """Counts whole, everything else to four digits, a dash for what is undefined.

    Example:
        >>> figure(12000), figure(0.70314), figure(None)
        ('12,000', '0.7031', '-')
    """
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4f}"
    return "-"


def uncertain(value: Any, interval: Sequence[float] | None) -> str:
    """A figure and half the width of its interval.

    Example:
        >>> uncertain(0.70314, [0.69, 0.72]), uncertain(0.70314, None)
        ('0.7031 ±.0150', '0.7031')
    """
    text = figure(value)
    if text == "-" or interval is None:
        return text
    half = f"{(interval[1] - interval[0]) / 2:.4f}"
    return f"{text} ±{half.removeprefix('0')}"


def changed(difference: Mapping[str, Any] | None) -> str:
    """A difference to another model and its interval.

    Example:
        >>> changed({"difference": 0.004, "low": -0.001, "high": 0.009})
        '+0.0040 [-0.0010, +0.0090]'
    """
    if difference is None or difference.get("difference") is None:
        return "-"
    text = f"{difference['difference']:+.4f}"
    low, high = difference.get("low"), difference.get("high")
    return text if low is None or high is None else f"{text} [{low:+.4f}, {high:+.4f}]"


def families(tasks: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Figures]]:
    """Overall figures of the tasks, those with the same metrics together.

    Args:
        tasks: as in `evaluation.json`.

    Returns:
        For each family, {task: {metric: figure}}.
    """
    found: dict[tuple[str, ...], dict[str, Figures]] = {}
    for name, measured in tasks.items():
        overall = measured["overall"]
        found.setdefault(tuple(overall), {})[name] = overall
    return list(found.values())
