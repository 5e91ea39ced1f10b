"""Whom the model has learnt from: its teachers, their size and what they reach."""

from collections.abc import Iterator

from pipelines.console.figures import figure
from pipelines.report.facts import Facts
from pipelines.report.glossary import main_metric
from pipelines.report.html import Markup, note, section, table
from pipelines.report.shapes import listed, mapping, mappings


def teachers(facts: Facts) -> Markup | None:
    """A row a teacher and task, the student's figure beside the teacher's."""
    told = mappings(facts.summary("Teachers").get("teachers"))
    if not told:
        return None
    parameters = facts.summary("Distiller").get("parameters")
    text = "The model has learnt the predictions of these models beside the labels."
    if isinstance(parameters, int):
        text += f" It has {parameters:,} parameters."
    heading = ("teacher", "parameters", "task", "metric", "teacher's", "this model's")
    rows = [row for one in told for row in _rows(one, facts)]
    return section("Teachers", note(text), table(heading, rows), id_="teachers")


def _rows(teacher: object, facts: Facts) -> Iterator[list[object]]:
    told = mapping(teacher)
    own = {task.name: task.overall for task in facts.tasks}
    for task in listed(told.get("tasks")):
        figures = mapping(mapping(told.get("metrics")).get(task))
        metric, student = main_metric(list(figures)), own.get(str(task))
        if metric is not None:
            yield [
                told.get("name"),
                figure(told.get("parameters")),
                task,
                metric,
                figure(figures.get(metric)),
                figure(student.figure(metric).value if student else None),
            ]
