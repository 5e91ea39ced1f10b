"""What the tasks that a tuned model had before have lost or gained."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.console.figures import figure
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, note, section, table
from pipelines.report.shapes import listed, mapping

_TITLES = {"new": "new test rows", "run": "test rows of the run that was tuned"}


def finetuning(facts: Facts) -> Markup | None:
    """A row a task and kind of rows: before and after."""
    told = mapping(facts.evaluation.get("finetuning"))
    if not told:
        return None
    text = (
        f"The model goes on from version {told.get('version')}. Both were measured on the same "
        "rows; a limit under finetuning.limit says how much a task may lose."
    )
    rest = [note(f"Not compared: {reason}.") for reason in listed(told.get("reasons"))]
    heading = ("task", "metric", "rows", "before", "after", "change", "may lose")
    rows = [row for task, one in mapping(told.get("tasks")).items() for row in _rows(task, one)]
    return section("Fine-tuning", note(text), table(heading, rows), *rest, id_="finetuning")


def _rows(task: str, one: Any) -> Iterator[list[object]]:
    told = mapping(one)
    for name, title in _TITLES.items():
        figures: Mapping[str, Any] = mapping(mapping(told.get("rows")).get(name))
        before, after = figures.get("before"), figures.get("after")
        if before is None or after is None:
            continue
        limit = told.get("limit")
        yield [
            task,
            told.get("metric"),
            title,
            figure(before),
            figure(after),
            f"{after - before:+.4f}",
            "" if limit is None else f"{limit:g}",
        ]
