"""A graph of steps below one another, each with a line from all that it reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report import svg
from pipelines.report.html import Markup, element

_ROW, _LANE, _EDGE, _WIDTH = 44, 15, 12, 340
_COLOURS = 8


@dataclass(frozen=True)
class Node:
    """One step and what it made.

    Attributes:
        name: the step.
        note: a line below its name.
        state: a word on its right.
        tone: `good`, `idle` or `bad`, for the word and the dot.
        reads: places of the steps before it whose results it reads.
    """

    name: str
    note: str
    state: str
    tone: str
    reads: tuple[int, ...] = ()


def graph(label: str, nodes: Sequence[Node]) -> Markup:
    """Draws the steps from top to bottom.

    A line leaves a step for what it made, goes down to the last step that reads it, and branches
    off to every one before.

    Args:
        label: what is drawn, for those who cannot see it.
        nodes: the steps; each reads from earlier ones only.
    """
    lasts = [
        max((i for i, n in enumerate(nodes) if place in n.reads), default=place)
        for place in range(len(nodes))
    ]
    lanes = _lanes(nodes, lasts)
    left = 2 * _EDGE + _LANE * (max(lanes, default=0) + 1)

    def at(place: int, lane: int | None = None) -> svg.Point:
        across = _EDGE + _LANE * (lanes[place] if lane is None else lane)
        return across, _ROW * place + _ROW / 2

    lines: list[Markup] = []
    for place in range(len(nodes)):
        tone = f"edge s{lanes[place] % _COLOURS}"
        readers = [i for i, node in enumerate(nodes) if place in node.reads]
        for reader in readers:
            lines.append(element("path", d=_path(at(place), at(reader)), class_=tone))
    dots, words = [], []
    for place, node in enumerate(nodes):
        x, y = at(place)
        dots.append(svg.dot((x, y), 5.5, f"node {node.tone}"))
        words.append(svg.text((left, y - 2), node.name, class_="name"))
        words.append(svg.text((left, y + 13), node.note))
        words.append(svg.text((_WIDTH - 4, y - 2), node.state, "end", node.tone))
    height = _ROW * len(nodes)
    return svg.drawing(_WIDTH, height, label, *lines, *dots, *words, class_="graph")


def _lanes(nodes: Sequence[Node], lasts: Sequence[int]) -> list[int]:
    """The column of every step: one that no line passes where the step's own begins."""
    lanes: list[int] = []
    for place in range(len(nodes)):
        taken = {lanes[earlier] for earlier in range(place) if lasts[earlier] > place}
        lanes.append(next(lane for lane in range(len(nodes)) if lane not in taken))
    return lanes


def _path(start: svg.Point, end: svg.Point) -> str:
    """Down along the lane, then over to the reader's just above it."""
    (x1, y1), (x2, y2) = start, end
    if x1 == x2:
        return f"M{x1:.1f} {y1:.1f}V{y2:.1f}"
    turn = y2 - _ROW * 0.62
    bend = y2 - _ROW * 0.3
    return (
        f"M{x1:.1f} {y1:.1f}V{turn:.1f}C{x1:.1f} {bend:.1f} {x2:.1f} {bend:.1f} {x2:.1f} {y2:.1f}"
    )
