"""Bars below one another, for what is compared by its length."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report.html import Markup, bar, element


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: what it is of.
        amount: its length; None for no bar.
        text: the amount in words.
        tone: a style, such as `pale`.
    """

    label: object
    amount: float | None
    text: object
    tone: str = ""


def bars(drawn: Sequence[Bar]) -> Markup:
    """The bars, the longest over the whole width."""
    longest = max((one.amount or 0.0 for one in drawn), default=0.0) or 1.0
    lines = (bar(one.label, (one.amount or 0.0) / longest, one.text, one.tone) for one in drawn)
    return element("div", *lines, class_="bars")
