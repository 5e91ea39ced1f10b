"""How tasks and scenarios divide themselves among the model's experts."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.report.facts import Facts
from pipelines.report.heat_map import heat_map
from pipelines.report.html import Markup, element, note, section
from pipelines.report.shapes import listed, mapping


def experts(facts: Facts) -> Markup | None:
    """A heat map of the gates' mean weights by task and scenario."""
    names, tasks = listed(facts.gates.get("experts")), mapping(facts.gates.get("tasks"))
    if not (names and tasks):
        return None
    text = note(
        "Mean weight that each task's gate gives to each expert; a row adds up to 1. Tasks whose "
        "rows are alike share; an expert that one task uses alone is that task's own."
    )
    drawn = heat_map(_rows(tasks), _short([str(name) for name in names]), "task, by expert")
    return section("Use of the experts", text, drawn, id_="experts")


def _short(names: list[str]) -> list[str]:
    """Names without the word that they all begin with: `expert_0` is 0."""
    starts = {name.rpartition("_")[0] for name in names}
    return [name.rpartition("_")[2] for name in names] if len(starts) == 1 else names


def _rows(tasks: Mapping[str, Any]) -> Iterator[tuple[object, list[object]]]:
    for task, use in tasks.items():
        yield element("b", task), listed(mapping(use).get("overall"))
        for scenario, weights in mapping(mapping(use).get("scenarios")).items():
            yield element("span", scenario, class_="inner"), listed(weights)
