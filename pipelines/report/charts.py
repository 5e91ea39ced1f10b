"""Line charts as inline SVG, drawn to be read on a phone."""

from collections.abc import Mapping, Sequence

from pipelines.report import svg
from pipelines.report.html import Markup, element, join
from pipelines.report.numbers import decimals, known, shown
from pipelines.report.ticks import ticks, widened

_WIDTH, _HEIGHT = 320, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 24
_COLOURS = 8

Series = Mapping[str, Sequence[float | None]]
"""Name -> one value an epoch; None where there is none. A line's place decides its colour, so a
line without values may stand in for one that other charts have."""


def line_chart(title: str, series: Series, across: str = "epoch", captioned: bool = True) -> Markup:
    """A chart of a few lines over the epochs, with the last value beside each name.

    Args:
        title: what is drawn.
        series: the lines; up to eight have a colour of their own.
        across: what is counted from left to right.
        captioned: whether the title stands above; it may do so already.

    Returns:
        A figure with its legend.
    """
    lines = {name: [known(value) for value in line] for name, line in series.items()}
    values = [value for line in lines.values() for value in line if value is not None]
    if not values:
        return element("figure", element("figcaption", title, " has no values"))
    low, high = widened(min(values), max(values))
    steps = max(len(line) for line in lines.values())

    def place(step: int, value: float) -> svg.Point:
        along = step / (steps - 1) if steps > 1 else 0.5
        up = (value - low) / (high - low)
        return (
            _LEFT + along * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    marks: list[Markup] = []
    heights = ticks(low, high, 5)
    digits = decimals([high - low])
    for value in heights:
        y = place(0, value)[1]
        marks.append(svg.line((_LEFT, y), (_WIDTH - _RIGHT, y), "grid"))
        marks.append(svg.text((_LEFT - 6, y + 4), shown(value, _needed(heights, digits)), "end"))
    for step in sorted({0, (steps - 1) // 2, steps - 1}):
        label = f"{across} {step + 1}" if step == steps - 1 else str(step + 1)
        anchor = "end" if step == steps - 1 > 0 else "middle"
        marks.append(svg.text((place(step, low)[0], _HEIGHT - 6), label, anchor))
    places = decimals(values)
    for number, (name, line) in enumerate(lines.items()):
        points = [(s, place(s, value), value) for s, value in enumerate(line) if value is not None]
        dots = (
            svg.dot(at, 2.6, title=f"{name}, {across} {s + 1}: {shown(value, places)}")
            for s, at, value in points
        )
        path = svg.polyline(at for _, at, _ in points)
        marks.append(element("g", path, *dots, class_=f"series s{number % _COLOURS}"))
    chart = svg.drawing(_WIDTH, _HEIGHT, f"{title} by {across}", *marks)
    caption = element("figcaption", title) if captioned else None
    return element("figure", caption, chart, _legend(lines, places))


def _needed(heights: Sequence[float], most: int) -> int:
    """The fewest decimals that write all numbers of an axis."""
    fits = (n for n in range(most + 1) if all(round(h, n) == h for h in heights))
    return next(fits, most)


def _legend(series: Series, places: int) -> Markup:
    entries = []
    for number, (name, line) in enumerate(series.items()):
        last = next((v for v in reversed(line) if v is not None), None)
        if last is not None:
            key = element("i", class_=f"s{number % _COLOURS}")
            entries.append(element("span", key, name, element("b", f" {shown(last, places)}")))
    return element("div", join(entries), class_="legend")
