"""The receiver operating characteristic: what a threshold finds for what it wrongly takes in."""

from collections.abc import Sequence

from pipelines.report import svg
from pipelines.report.html import Markup, element
from pipelines.report.numbers import known, percent

_SIDE, _LEFT, _EDGE = 260, 38, 8
_HEIGHT = _SIDE - 4


def roc_chart(title: str, points: Sequence[Sequence[float]]) -> Markup:
    """False positive rate across, true positive rate up; chance is the diagonal.

    Args:
        title: what is drawn.
        points: pairs of the two rates, in order.

    Returns:
        A figure.
    """
    drawn = [
        (x, y)
        for across, up in points
        if (x := known(across)) is not None and (y := known(up)) is not None
    ]
    if not drawn:
        return element("figure", element("figcaption", title, " has no values"))
    inner = _SIDE - _LEFT - _EDGE

    def place(false: float, true: float) -> svg.Point:
        return _LEFT + false * inner, _EDGE + (1 - true) * inner

    marks: list[Markup] = []
    for value in (0.0, 0.5, 1.0):
        x, y = place(value, value)
        marks.append(svg.line((_LEFT, y), (_SIDE - _EDGE, y), "grid"))
        marks.append(svg.text((_LEFT - 6, y + 4), percent(value), "end"))
        anchor = "end" if value == 1 else "middle"
        marks.append(svg.text((x, _EDGE + inner + 15), percent(value), anchor))
    marks.append(svg.line(place(0, 0), place(1, 1), "ideal"))
    path = svg.polyline(place(*point) for point in drawn)
    marks.append(element("g", path, class_="series s0"))
    below = (_LEFT + inner / 2, _HEIGHT - 5)
    marks.append(svg.text(below, "negatives taken for positives", "middle"))
    chart = svg.drawing(
        _SIDE, _HEIGHT, f"{title}: true by false positive rate", *marks, class_="plot"
    )
    return element("figure", element("figcaption", title), chart)
