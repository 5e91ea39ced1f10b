"""Durations as people write them: `90s`, `15m`, `12h`, `1d`, `2w`."""

import re
from typing import Annotated

from pydantic import AfterValidator

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(duration: str | float) -> int:
    """Seconds of a duration.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(\d+)([smhdw])", str(duration))
    if not match:
        raise ValueError(f"give a duration such as 12h or 1d, got {duration!r}")
    return int(match[1]) * _UNITS[match[2]]


def _checked(duration: str) -> str:
    seconds(duration)
    return duration


Duration = Annotated[str, AfterValidator(_checked)]
"""A whole number and its unit: s, m, h, d or w."""
