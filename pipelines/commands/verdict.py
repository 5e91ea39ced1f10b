"""The end of a run on the console: rows, metrics, verdict, and where everything lies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.console.accounting import accounting, split_grid, text_of
from pipelines.console.figures import families, uncertain
from pipelines.storage.directories import read_marker


def print_rows(console: Console, output: Path) -> None:
    """How many rows of each table were read and kept, where the rejected ones lie, and which splits
    the others went to."""
    made, transformed = (
        read_marker(output / "artifacts" / name) for name in ("examples", "transformed")
    )
    rows = accounting(made.summary, transformed.summary if transformed else None) if made else None
    if rows is None:
        return
    for table, counts in rows.tables.items():
        console.print(f"{table}: {counts}", soft_wrap=True)
        for reason, count in sorted(counts.rejected.items(), key=lambda item: -item[1]):
            console.print(Text(f"  {count:>9,}  {reason}"), soft_wrap=True)
    if rows.not_found:
        console.print(f"negatives: {rows.not_found:,} fewer than asked for, no item was left")
    if rows.bad:
        place = output / rows.dead_letters
        console.print(Text(f"rejected rows lie in {place}"), soft_wrap=True)
    if rows.splits:
        console.print()
        for line in text_of(split_grid(rows)):
            console.print(Text(line), soft_wrap=True)


def print_metrics(console: Console, evaluation: Mapping[str, Any]) -> None:
    """Tables of the tasks' overall metrics with their 95 % intervals: a row a metric, a column a
    task."""
    tasks = evaluation.get("tasks", {})
    for family in families(tasks):
        table = plain_table("metric", *family)
        for metric in next(iter(family.values())):
            figures = (
                uncertain(found[metric], intervals_of(tasks[name]).get(metric))
                for name, found in family.items()
            )
            table.add_row(metric, *figures)
        console.print(table)
        console.print()


def plain_table(*columns: str) -> Table:
    """A table without lines, its first column to the left and the others to the right."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def intervals_of(
    measured: Mapping[str, Any], column: str | None = None, value: str = ""
) -> Mapping[str, Any]:
    """Intervals of a task's metrics, of all rows or of one value of a slice column."""
    found = measured.get("intervals") or {}
    if column is None:
        return found.get("overall", {})
    return found.get("slices", {}).get(column, {}).get(value, {})


def print_verdict(
    console: Console, evaluation: Mapping[str, Any], pushed: Mapping[str, Any]
) -> bool:
    """The gate's rules and whether a model was pushed; returns the latter."""
    print_rules(console, evaluation)
    version = pushed.get("version")
    if version is None and evaluation.get("blessed"):
        line = Text.assemble(("not pushed", "bold red"), f": {pushed.get('reason')}")
    elif version is None:
        reason = f": {_reason(evaluation)}; nothing was pushed"
        line = Text.assemble(("not blessed", "bold red"), reason)
    else:
        line = Text.assemble(("blessed", "bold green"), f" and pushed as version {version}")
    console.print(line, soft_wrap=True)
    return version is not None


def print_rules(console: Console, evaluation: Mapping[str, Any]) -> None:
    """Each rule of the gate: its figure, its limit and whether it holds."""
    for rule in evaluation.get("rules", []):
        mark = ("holds", "green") if rule["holds"] else ("fails", "red")
        console.print(Text.assemble("  ", mark, "  ", rule["text"]), soft_wrap=True)


def _reason(evaluation: Mapping[str, Any]) -> str:
    rules = evaluation.get("rules", [])
    failed = sum(not rule["holds"] for rule in rules)
    if failed:
        return f"{failed} of {len(rules)} rules of the gate failed"
    return "the gate has no rules" if not rules else "the model did not pass its checks"
