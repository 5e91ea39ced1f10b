"""Marks of inline SVG drawings."""

from collections.abc import Iterable

from pipelines.report.html import Markup, element

Point = tuple[float, float]
"""Across and down, in the drawing's units."""


def drawing(width: float, height: float, label: str, *marks: object, class_: str = "") -> Markup:
    """A drawing that is as wide as its place allows.

    Args:
        width: units across.
        height: units down.
        label: what it shows, for those who cannot see it and as a tool tip.
        marks: what is drawn.
        class_: further style.
    """
    return element(
        "svg",
        element("title", label),
        *marks,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
        class_=class_ or None,
    )


def line(start: Point, end: Point, class_: str) -> Markup:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return element(
        "line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=class_
    )


def polyline(points: Iterable[Point], class_: str | None = None) -> Markup:
    """Straight lines from point to point."""
    return element(
        "polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=class_
    )


def dot(place: Point, radius: float = 3, class_: str | None = None, title: str = "") -> Markup:
    """A filled circle."""
    x, y = place
    named = element("title", title) if title else None
    return element("circle", named, cx=f"{x:.1f}", cy=f"{y:.1f}", r=radius, class_=class_)


def text(place: Point, content: object, anchor: str = "start", class_: str | None = None) -> Markup:
    """A text that starts, ends or has its middle at a point."""
    x, y = place
    return element("text", content, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=class_)
