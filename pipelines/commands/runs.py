"""`tfmtl runs`: the runs of a directory, and what two of them did otherwise."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.commands.common import make_console, run_directory
from pipelines.components.base import PipelineError
from pipelines.console.figures import figure
from pipelines.metadata import Reader, Run, reading
from pipelines.metadata.comparison import Comparison, Difference, compare
from pipelines.metadata.outcomes import Outcome, outcome
from pipelines.metadata.wording import at, clock
from pipelines.runner import METADATA

_HEADLINES = ("auc", "recall@", "macro_f1", "accuracy", "rmse", "ndcg@", "mrr", "log_loss")
"""Beginnings of the metrics that stand for a task, the best known first."""

_LONGEST, _WIDEST = 40, 1000
_TO_MINUTES = len("2026-11-22 16:20")

Told = tuple[Run, Outcome]


def runs(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Directories of runs.")
    ],
    two: Annotated[
        tuple[int, int] | None,
        typer.Option("--compare", metavar="RUN RUN", help="What differs between two runs of DIR."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the runs of directories, or compare two of one: their configurations and metrics."""
    for directory in directories:
        run_directory(directory)
    if two is not None:
        if len(directories) > 1:
            raise typer.BadParameter(
                f"takes two runs of one directory, got {len(directories)} directories",
                param_hint="--compare",
            )
        _compare(directories[0], two, as_json)
        return
    listed = {directory: _told(directory) for directory in directories}
    if as_json:
        print(json.dumps([_plain(at, one) for at in listed for one in listed[at]], indent=2))
        return
    console = make_console()
    for directory, told in listed.items():
        if len(listed) > 1:
            console.print(Text(str(directory), style="bold"), soft_wrap=True)
        if told:
            console.print(_table(console, told))
        else:
            console.print("no run yet")


def _told(directory: Path) -> list[Told]:
    with reading(directory / METADATA) as reader:
        return [(run, outcome(reader, run)) for run in reader.runs()]


def _plain(directory: Path, told: Told) -> dict[str, Any]:
    run, came_to = told
    return {
        "directory": str(directory),
        "run": run.number,
        "state": run.state,
        "started": run.started,
        "ended": run.ended,
        "data": run.data,
        **run.properties,
        **came_to._asdict(),
    }


def _table(console: Console, told: list[Told]) -> Table:
    """The runs with as many tasks' metrics as the console has room for."""
    tasks = dict.fromkeys(
        (task, name)
        for _, came_to in reversed(told)
        for task, metrics in came_to.metrics.items()
        if (name := _headline(metrics)) is not None
    )
    shown = list(tasks)
    table = _with(told, shown)
    unbounded = console.options.update(max_width=_WIDEST)
    while shown and console.measure(table, options=unbounded).maximum > console.width:
        shown.pop()
        table = _with(told, shown)
    return table


def _with(told: list[Told], shown: list[tuple[str, str]]) -> Table:
    headers = ["run", "started", "took", "came to", "ran", "version"]
    headers += [f"{task}\n{metric}" for task, metric in shown]
    table = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for name, column in zip(headers, table.columns, strict=True):
        column.no_wrap = True
        if name not in ("started", "came to"):
            column.justify = "right"
    for run, came_to in told:
        took = clock(run.ended - run.started) if run.ended else "-"
        figures = (figure(came_to.metrics.get(task, {}).get(name)) for task, name in shown)
        table.add_row(
            str(run.number),
            at(run.started)[:_TO_MINUTES],
            took,
            Text(_came_to(run, came_to)),
            f"{came_to.executed}/{came_to.steps}",
            figure(came_to.version),
            *figures,
        )
    return table


def _headline(metrics: Mapping[str, Any]) -> str | None:
    """The metric that stands for a task."""
    for beginning in _HEADLINES:
        for name in metrics:
            if name.startswith(beginning):
                return name
    return None


def _came_to(run: Run, came_to: Outcome) -> str:
    if run.state == "FAILED":
        word = "killed" if run.ended is None else "failed"
        return f"{came_to.stopped_in} {word}" if came_to.stopped_in else word
    if run.state == "COMPLETE" and came_to.blessed is not None:
        return "blessed" if came_to.blessed else "not blessed"
    return run.state.lower()


def _compare(directory: Path, numbers: tuple[int, int], as_json: bool) -> None:
    with reading(directory / METADATA) as reader:
        first, second = (_run(reader, directory, number) for number in numbers)
        found = compare(reader, first, second)
    if as_json:
        plain = {name: [one._asdict() for one in part] for name, part in found._asdict().items()}
        print(json.dumps({"runs": numbers, **plain}, indent=2))
        return
    _print(make_console(), numbers, found)


def _run(reader: Reader, directory: Path, number: int) -> Run:
    run = reader.run(number)
    if run is None:
        known = reader.last_run()
        there = f"its runs are 1 to {known.number}" if known else "it has none yet"
        raise PipelineError(f"{directory} has no run {number}; {there}")
    return run


def _print(console: Console, numbers: tuple[int, int], found: Comparison) -> None:
    names = [f"run {number}" for number in numbers]
    for title, part in (("config", found.config), ("started from", found.origin)):
        if part:
            table = Table(title, *names, box=None, pad_edge=False, header_style="bold")
            for one in part:
                table.add_row(*(Text(text) for text in (one.key, *map(_value, one[1:]))))
            console.print(table)
        else:
            console.print(f"{title}: no difference")
        console.print()
    if not found.metrics:
        console.print("neither run was evaluated")
        return
    table = Table("metric", *names, "change", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for one in found.metrics:
        table.add_row(Text(one.key), figure(one.first), figure(one.second), _change(one))
    console.print(table)


def _value(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _change(one: Difference) -> str:
    if one.first is None or one.second is None:
        return "-"
    change = one.second - one.first
    if not change:
        return "="
    return f"{change:+,}" if isinstance(change, int) else f"{change:+.4f}"
