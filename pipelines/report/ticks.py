"""Where the lines of an axis stand: at round numbers."""

import math


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers between two others, `low` < `high`.

    Args:
        low: the axis' lower end.
        high: its upper end.
        about: how many are wanted; there are about half to twice as many.

    Example:
        >>> ticks(0.0, 0.27)
        [0.0, 0.1, 0.2]
    """
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(first, last + 1)]


def widened(low: float, high: float) -> tuple[float, float]:
    """A range with some air around it, and not of no height."""
    flat = high - low <= 1e-9 * max(abs(low), abs(high), 1e-6)
    margin = max(abs(high) * 0.05, 0.01) if flat else 0.06 * (high - low)
    return low - margin, high + margin
