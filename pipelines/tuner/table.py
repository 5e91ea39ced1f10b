"""The best trials of a search as a table of plain text."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.tuner.trials import Trial

_ROWS = 5
_WIDTH = 32


def best_lines(ordered: Sequence[Trial], keys: Sequence[str]) -> list[str]:
    """A line a trial, below a line that names the columns.

    Args:
        ordered: the trials a model came of, the best first.
        keys: what was searched.
    """
    chosen = list(ordered[:_ROWS])
    titles = list(chosen[0].figures)
    sums = len(titles) > 1
    rows = [["trial", *(["objective"] if sums else []), *titles, *map(_heading, keys)]]
    for trial in chosen:
        numbers = [*([trial.objective] if sums else []), *trial.figures.values()]
        rows.append(
            [
                str(trial.number),
                *(f"{number:.4f}" for number in numbers),
                *(_shown(trial.values[key]) for key in keys),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _heading(key: str) -> str:
    """The end of a key: its last two parts, more where the first of these is a number."""
    parts = key.split(".")
    first = len(parts) - 2
    while first > 0 and parts[first].isdecimal():
        first -= 1
    return ".".join(parts[max(first, 0) :])


def _shown(value: Any) -> str:
    """A value in a few words, a mapping by its kind first."""
    if isinstance(value, Mapping):
        rest = [f"{name} {_shown(own)}" for name, own in value.items() if name != "kind"]
        text = " ".join([*([str(value["kind"])] if "kind" in value else []), *rest])
    else:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
