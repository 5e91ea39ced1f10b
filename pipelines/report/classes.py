"""What was found of each class or label of a task."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.report.html import Markup, details, table
from pipelines.report.numbers import known, shown
from pipelines.report.shapes import mapping

_FIGURES = ("precision", "recall", "f1", "pr_auc", "threshold")


def classes(task: str, found: Sequence[Any]) -> Markup | None:
    """A table of classes, the most frequent first, to be opened; None where there are none.

    Args:
        task: its name.
        found: `classes` of the task in `evaluation.json`.
    """
    rows = sorted(map(mapping, found), key=lambda row: -(known(row.get("support")) or 0))
    if not rows:
        return None
    figures = [name for name in _FIGURES if any(name in row for row in rows)]

    def cells(row: Mapping[str, Any]) -> list[str]:
        counts = [_count(row.get(name)) for name in ("support", "predicted")]
        return [str(row.get("name")), *counts, *(shown(known(row.get(f)), 3) for f in figures)]

    header = (task, "rows", "predicted", *figures)
    return details(f"{task}, class by class", table(header, map(cells, rows), class_="figures"))


def _count(value: Any) -> str:
    number = known(value)
    return shown(None) if number is None else f"{number:,.0f}"
