"""A figure and its interval as a dot on a line, small enough to stand beside the figure."""

from dataclasses import dataclass

from pipelines.report import svg
from pipelines.report.html import Markup, element

_WIDTH, _HEIGHT, _EDGE = 96, 16, 4


@dataclass(frozen=True)
class Axis:
    """The range that pictures below one another share, `low` < `high`."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value stands across the picture; one outside stands at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return _EDGE + min(max(share, 0.0), 1.0) * (_WIDTH - 2 * _EDGE)


def whisker(
    value: float | None,
    low: float | None,
    high: float | None,
    axis: Axis,
    mark: float | None = None,
    tone: str = "",
) -> Markup:
    """A dot for the figure, a line for its interval, and an upright line at a mark.

    It repeats what stands beside it in words, so screen readers pass over it.

    Args:
        value: the figure; no dot where it is unknown.
        low: lower end of the interval; no line where it is unknown.
        high: upper end.
        axis: the range that is drawn.
        mark: what to compare with: a limit, no change, the figure of all rows.
        tone: `good` or `bad` colours it.
    """
    middle = _HEIGHT / 2
    marks = [svg.line((_EDGE, middle), (_WIDTH - _EDGE, middle), "grid")]
    if mark is not None:
        across = axis.place(mark)
        marks.append(svg.line((across, 0), (across, _HEIGHT), "mark"))
    if low is not None and high is not None:
        marks.append(svg.line((axis.place(low), middle), (axis.place(high), middle), "range"))
    if value is not None:
        marks.append(svg.dot((axis.place(value), middle), 3.4))
    return element(
        "svg",
        *marks,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        class_=f"whisker {tone}".rstrip(),
        aria_hidden="true",
    )
