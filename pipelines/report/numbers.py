"""Numbers as people read them."""

import math
from collections.abc import Sequence

MISSING = "–"  # noqa: RUF001
_HUGE = 1e100
_MINUS = "\N{MINUS SIGN}"
_NARROW = "\N{NARROW NO-BREAK SPACE}"


def known(value: object) -> float | None:
    """The value if it is a number, and of a size that can be drawn."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _HUGE else None


def decimals(values: Sequence[object]) -> int:
    """How many decimals tell figures of one column apart: three digits of the largest, two where
    it is below 0.01, and at least three decimals for what is below 1.

    Example:
        >>> decimals([0.7161, 0.52]), decimals([0.0269]), decimals([31.4])
        (3, 4, 1)
    """
    largest = max((abs(v) for value in values if (v := known(value)) is not None), default=0.0)
    if largest == 0:
        return 0
    power = math.floor(math.log10(largest))
    digits = 2 - power if power >= -2 else 1 - power
    return min(max(digits, 3 if largest < 1 else 0), 12)


def shown(value: object, places: int | None = None, signed: bool = False) -> str:
    """A figure with as many decimals; a dash for what is undefined, counts whole.

    Example:
        >>> shown(12000), shown(0.70314), shown(-0.012, signed=True), shown(None)
        ('12,000', '0.703', '−0.012', '–')
    """
    number = known(value)
    if number is None:
        return MISSING
    if isinstance(value, int) and not signed:
        return f"{value:,}".replace("-", _MINUS)
    places = decimals([number]) if places is None else places
    # Of what rounds to 0 there is no sign.
    rounded = round(number, places) or 0.0
    text = f"{rounded:+,.{places}f}" if signed and rounded else f"{rounded:,.{places}f}"
    return text.replace("-", _MINUS)


def span(low: object, high: object, places: int, signed: bool = False) -> str:
    """An interval: `0.69 to 0.74`."""
    return f"{shown(low, places, signed)} to {shown(high, places, signed)}"


def percent(share: object) -> str:
    """A share as a percentage with two or three digits."""
    number = known(share)
    if number is None:
        return MISSING
    digits = f"{100 * number:.3g}" if abs(number) < 1 else f"{100 * number:,.0f}"
    return f"{digits}{_NARROW}%"


def size(amount: object) -> str:
    """Bytes: `312 MB`, `1.4 GB`."""
    number = known(amount)
    if number is None:
        return MISSING
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if abs(number) < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:,.0f} {unit}" if number >= 10 or unit == "bytes" else f"{number:.1f} {unit}"
