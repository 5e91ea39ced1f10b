"""`tfmtl evaluate`: a run's metrics and verdict, as JSON or as tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipelines.commands.common import RunDirectory, make_console, read_evaluation
from pipelines.commands.verdict import intervals_of, plain_table, print_metrics, print_rules
from pipelines.console.figures import changed, figure, uncertain
from tfmtl.config.evaluation import MADE_SLICES

_TOLD = ("auc", "gauc", "log_loss", "rmse", "mae", "accuracy", "micro_f1", "macro_f1", "recall@")
"""Beginnings of the metrics that tables of slices show."""
_MOST = 3
"""How many metrics fit beside one another on 80 columns, with their intervals."""


def evaluate(
    run: RunDirectory,
    table: Annotated[
        bool, typer.Option("--table", help="Print tables, with the difference to the baseline.")
    ] = False,
    slices: Annotated[
        bool, typer.Option("--slices", help="Print tables, of every slice too.")
    ] = False,
) -> None:
    """Print a run's metrics, overall and by slice, and the gate's verdict as JSON."""
    evaluation = read_evaluation(run)
    if not (table or slices):
        print(json.dumps(evaluation, indent=2))
        return
    console = make_console()
    print_metrics(console, evaluation)
    _print_differences(console, evaluation.get("baseline") or {})
    if slices:
        for name, measured in evaluation.get("tasks", {}).items():
            _print_slices(console, name, measured)
    print_rules(console, evaluation)
    word = ("blessed", "bold green") if evaluation.get("blessed") else ("not blessed", "bold red")
    console.print(Text.assemble(word))


def _print_differences(console: Console, baseline: Mapping[str, Any]) -> None:
    """What is better or worse than in the pushed model."""
    version = baseline.get("version")
    if version is None:
        return
    if baseline.get("reason"):
        console.print(Text(f"version {version}: {baseline['reason']}"), soft_wrap=True)
        console.print()
    for name, compared in (baseline.get("differences") or {}).items():
        table = plain_table(f"{name} less version {version}", "difference [95 % interval]")
        for metric, difference in compared["overall"].items():
            table.add_row(metric, changed(difference))
        console.print(table)
        console.print()


def _print_slices(console: Console, task: str, measured: Mapping[str, Any]) -> None:
    """A table a slice column: a row a value, a column a metric."""
    for column, values in measured.get("slices", {}).items():
        metrics = list(_shown(values))
        table = plain_table(f"{task} by {column}", "rows", *metrics)
        ordered = [v for v in MADE_SLICES.get(column, values) if v in values]
        for value in ordered:
            figures = values[value]
            intervals = intervals_of(measured, column, value)
            found = (uncertain(figures.get(m), intervals.get(m)) for m in metrics)
            table.add_row(Text(value or "(missing)"), figure(figures.get("rows")), *found)
        console.print(table)
        console.print()


def _shown(values: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The few metrics that say most."""
    known = dict.fromkeys(metric for figures in values.values() for metric in figures)
    chosen = [m for start in _TOLD for m in known if m.startswith(start) and "_unseen" not in m]
    yield from chosen[:_MOST]
