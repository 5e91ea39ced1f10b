"""What the gate says of a comparison, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from tfmtl.evaluation.verdicts import Place, Rule

_NAMED = 5
"""Values of a slice column that a line names."""


def subject(rule: Rule, place: Place) -> str:
    """Which figure: `click auc for scenario=ads`."""
    return f"{rule.task} {rule.metric}" + ("" if place is None else f" for {'='.join(place)}")


def finding(
    rule: Rule,
    figure: float | None,
    sure: float | None,
    limit: float | None,
    sign: int,
    holds: bool,
) -> str:
    """What the figure is and how it stands to the limit.

    Args:
        rule: the rule.
        figure: the model's figure.
        sure: what decides: the figure, or the bad end of its interval.
        limit: what it was held against.
        sign: +1 for a lowest figure, -1 for a highest.
        holds: whether it keeps the limit.
    """
    if figure is None:
        return " has no value: no rows, one class only, or predictions that are not numbers"
    text = f" is {figure:.6g}"
    if limit is None:
        return text
    if rule.confidence is not None and sure is None:
        return f"{text}, but has no interval, so that nothing is sure about {limit:.6g}"
    if rule.confidence is not None and sure is not None:
        text += f" ({_at_worst(sure, sign)} with {rule.confidence * 100:g} % confidence)"
    words = {(1, True): "at least", (1, False): "below", (-1, True): "at most"}
    word = words.get((sign, holds), "above")
    if not holds and sign * (figure - limit) >= 0:
        word = f"not surely {words[sign, True]}"
    return f"{text}, {word} {limit:.6g}"


def comparison(
    rule: Rule, figure: float, before: float | None, sure: float | None, pushed: bool
) -> str:
    """What the pushed model's figure is; an addition to the finding."""
    if not pushed:
        return "; no pushed model to compare with"
    if before is None:
        return "; the pushed model has no such figure to compare with"
    difference = ""
    if rule.confidence is not None and sure is not None:
        difference = f", differs by {figure - before:+.3g}, at worst {sure - before:+.3g}"
    return f" (pushed model {before:.6g}, may be worse by {rule.not_worse_by:.6g}{difference})"


def left_out(rule: Rule, small: Sequence[str], others: bool) -> str:
    """Which values of the slice column have too few rows."""
    named = ", ".join(value or "(missing)" for value in small[:_NAMED])
    more = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
    text = f"fewer than {rule.min_rows:,} rows in {named}{more}"
    told = "left out" if others else "nothing was checked"
    return f"{rule.task} {rule.metric} by {rule.slices}: {text}; {told}"


def _at_worst(sure: float, sign: int) -> str:
    return f"{sure:.6g} or {'more' if sign > 0 else 'less'}"
