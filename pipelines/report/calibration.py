"""Calibration: how often what was predicted came true."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipelines.report import svg
from pipelines.report.html import Markup, element
from pipelines.report.numbers import known, percent, shown

_SIDE, _LEFT, _EDGE = 260, 38, 8
_HEIGHT = _SIDE - 4
_RARE, _APART = 0.5, 0.2


def calibration_chart(title: str, bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Predicted probability across, observed share up; a calibrated model's dots lie on the
    diagonal.

    Both axes are of square roots where what is predicted is rare, or most groups would lie in a
    corner; the diagonal stays one.

    Args:
        title: what is drawn.
        bins: groups of rows: mean `predicted`, `observed` share, its interval `low` and `high`,
            and `rows`. Those without the first two are left out.

    Returns:
        A figure.
    """
    drawn = [b for b in bins if None not in (_share(b, "predicted"), _share(b, "observed"))]
    if not drawn:
        return element("figure", element("figcaption", title, " has no values"))
    means = max(max(b["predicted"], b["observed"]) for b in drawn)
    # An uncertain group should not press the others into a corner.
    reach = max((_share(b, "high") or 0.0 for b in drawn), default=0.0)
    top = min(max(1.12 * means, min(reach, 1.6 * means), 1e-6), 1.05)
    inner = _SIDE - _LEFT - _EDGE

    def along(value: float) -> float:
        share = min(max(value / top, 0.0), 1.0)
        return inner * (math.sqrt(share) if top < _RARE else share)

    def place(predicted: float, observed: float) -> svg.Point:
        return _LEFT + along(predicted), _EDGE + inner - along(observed)

    marks: list[Markup] = []
    for value in (0.0, *_round(top, lambda value: along(value) / inner)):
        x, y = place(value, value)
        marks.append(svg.line((_LEFT, y), (_SIDE - _EDGE, y), "grid"))
        marks.append(svg.text((_LEFT - 6, y + 4), percent(value), "end"))
        marks.append(svg.text((x, _EDGE + inner + 15), percent(value), "middle"))
    marks.append(svg.line(place(0, 0), place(top, top), "ideal"))
    for b in drawn:
        low, high = _share(b, "low"), _share(b, "high")
        if low is not None and high is not None:
            marks.append(svg.line(place(b["predicted"], low), place(b["predicted"], high), "range"))
        told = f"{shown(b.get('rows'))} rows: predicted {percent(b['predicted'])}, observed "
        told += f"{percent(b['observed'])}"
        marks.append(svg.dot(place(b["predicted"], b["observed"]), 3.4, title=told))
    marks.append(svg.text((_LEFT + inner / 2, _HEIGHT - 5), "predicted", "middle"))
    marks.append(svg.text((_LEFT + 4, _EDGE + 6), "observed"))
    chart = svg.drawing(_SIDE, _HEIGHT, f"{title}: observed by predicted", *marks, class_="plot")
    return element("figure", element("figcaption", title), chart)


def _share(found: Mapping[str, Any], name: str) -> float | None:
    value = known(found.get(name))
    return value if value is not None and 0 <= value <= 1 else None


def _round(top: float, along: Callable[[float], float]) -> Iterator[float]:
    """Round numbers up to `top`, the largest first, far enough from one another and from 0."""
    before = 1.3
    for power in range(math.floor(math.log10(top)), -12, -1):
        for factor in (5, 2, 1):
            value = factor * 10.0**power
            if value <= top and before - along(value) > _APART < along(value):
                before = along(value)
                yield value
