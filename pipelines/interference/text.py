"""The interference report on the console, 80 columns wide."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from pipelines.interference.gradients import cosine

_COLORS = {"gain": "green", "loss": "red", "unclear": "default"}
_WIDTH = 80


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Prints what was found.

    Args:
        console: where to.
        found: as `interference.json` has it.
    """
    console.print(f"joint model minus a model of one task alone, test rows, {_seeds(found)}")
    for task, measured in found["tasks"].items():
        rows = {"all": measured["overall"], **measured["scenarios"]}
        _table(console, f"{task}, {_direction(measured)}", "alone", rows)
    for value, tasks in found["scenarios"].items():
        title = f"scenario {value}, joint model minus a model of its rows only"
        _table(console, title, "its own", tasks)
    _cosines(console, found)
    _gates(console, found["gates"])
    console.print()
    console.print(Text("what to share, what to split", "bold"))
    for line in found["advice"]:
        _wrapped(console, f"  {line['advice']:<8}", line["text"])
    if not found["advice"]:
        console.print("  none: no interval excludes zero, and every expert is used")
    for note in found["notes"]:
        _wrapped(console, "  note    ", note)


def _wrapped(console: Console, label: str, text: str) -> None:
    """A paragraph beside its label."""
    for line in wrap(text, _WIDTH, initial_indent=label, subsequent_indent=" " * len(label)):
        console.print(Text(line))


def _seeds(found: Mapping[str, Any]) -> str:
    count = len(found["seeds"])
    return f"seed {found['seeds'][0]}" if count == 1 else f"means of {count} seeds"


def _direction(measured: Mapping[str, Any]) -> str:
    return f"{measured['metric']}, {'less' if measured['lower_is_better'] else 'more'} is better"


def _table(
    console: Console, title: str, alone: str, rows: Mapping[str, Mapping[str, Any] | None]
) -> None:
    width = max(10, min(22, max(map(len, rows))))
    console.print()
    console.print(Text(title, "bold"))
    head = (
        f"  {'':<{width}} {alone:>8} {'joint':>8} {'change':>8}    {'95 % interval':<18} {'%':>7}"
    )
    console.print(Text(head, "dim"))
    for name, change in rows.items():
        label = f"  {name[:width]:<{width}}"
        if change is None:
            console.print(Text(f"{label} {'-':>8} {'-':>8} {'-':>8}"))
            continue
        interval = "-"
        if change["low"] is not None:
            interval = f"{change['low']:+.4f} to {change['high']:+.4f}"
        percent = "-" if change["percent"] is None else f"{change['percent']:+.2f}"
        figures = f" {change['alone']:>8.4f} {change['joint']:>8.4f} "
        delta = (f"{change['difference']:>+8.4f}", _COLORS[change["verdict"]])
        console.print(Text.assemble(label, figures, delta, f"    {interval:<18} {percent:>7}"))


def _cosines(console: Console, found: Mapping[str, Any]) -> None:
    tasks, scenarios = found["names"]["tasks"], found["names"]["scenarios"]
    names = {"pairs": tasks, "tables": tasks, "scenarios": scenarios}
    titles = {
        "pairs": "mean cosine of the tasks' gradients, shared representation",
        "tables": "mean cosine of the tasks' gradients, embedding tables",
        "scenarios": "mean cosine of the scenarios' gradients, dense parameters",
    }
    for kind, title in titles.items():
        pairs = found["cosines"][kind]
        lines = list(_matrix(pairs, names[kind]))
        if lines:
            console.print()
            console.print(Text(title, "bold"))
            for line in lines:
                console.print(Text(line))


def _matrix(pairs: Mapping[str, float], names: list[str]) -> Iterator[str]:
    """Lines of a triangle, or one a pair where it would be too wide."""
    known = [name for name in names if any(name in pair.split("|") for pair in pairs)]
    cell = max((len(name) for name in known), default=0) + 1
    cell = max(cell, 7)
    if not known:
        return
    if 2 + cell * len(known) > _WIDTH:
        for one, other in combinations(known, 2):
            value = cosine(pairs, one, other)
            if value is not None:
                yield f"  {value:+.3f}  {one}, {other}"
        return
    yield f"  {'':<{cell}}" + "".join(f"{name:>{cell}}" for name in known[:-1])
    for place, name in enumerate(known[1:], 1):
        values = [cosine(pairs, name, other) for other in known[:place]]
        cells = "".join(f"{'-' if v is None else format(v, '+.3f'):>{cell}}" for v in values)
        yield f"  {name:<{cell}}{cells}"


def _gates(console: Console, gates: Mapping[str, Any]) -> None:
    tasks, experts = gates.get("tasks", {}), gates.get("experts", [])
    if not tasks:
        return
    console.print()
    rows = f"{gates['rows']:,} {gates['split']} rows"
    console.print(Text(f"mean gate weights, {rows}, and effective number of experts", "bold"))
    for task, use in tasks.items():
        own = gates["reaches"][task]
        weights = ", ".join(f"{e} {use['overall'][experts.index(e)]:.2f}" for e in own)
        _wrapped(console, f"  {task}: ", f"{weights}; {use['effective']:.1f} of {len(own)}")
