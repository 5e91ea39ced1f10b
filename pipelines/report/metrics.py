"""Every task's figures on the test rows, overall and by slice, with intervals."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pipelines.report.classes import classes
from pipelines.report.estimates import Estimate, Place, TaskFigures, clearly_better
from pipelines.report.facts import Facts
from pipelines.report.glossary import UNSEEN, glossary, main_metric, meaning
from pipelines.report.html import Markup, breakable, details, element, join, note, section, table
from pipelines.report.numbers import decimals, percent, shown, span
from pipelines.report.ticks import widened
from pipelines.report.whiskers import Axis, whisker

_NUMBER = re.compile(r"[0-9]{1,18}")
_COLUMNS = {
    "scenario": "scenario",
    "new_user": "user not in the training rows",
    "new_item": "item not in the training rows",
    "history": "items in the user's history",
}


def metrics(facts: Facts) -> Markup | None:
    """A table for each task; its slices, drawn on one axis, to be opened."""
    if not facts.tasks:
        return None
    version = facts.baseline.get("version")
    parts: list[object] = [note(_introduction(facts.tasks, version))]
    if facts.baseline.get("reason"):
        parts.append(element("p", f"Not compared: {facts.baseline['reason']}", class_="idle"))
    for task in facts.tasks:
        parts += _task(task)
    names = [name for task in facts.tasks for name in task.overall.metrics]
    meanings = table(("metric", "meaning"), glossary(names), class_="words")
    parts.append(details("What the metrics mean", meanings))
    return section("Metrics on the test rows", *parts, id_="metrics")


def _introduction(tasks: Sequence[TaskFigures], version: object) -> str:
    text = "Measured on rows that training has not seen."
    if any(figure.bounded for task in tasks for figure in task.overall.figures.values()):
        text += (
            " Below each figure stands the range in which it lies with 95\N{NO-BREAK SPACE}% "
            "confidence; the line is the same as a picture."
        )
    if any(task.overall.changes for task in tasks):
        text += (
            f" The last column is the difference to version {version} on the same rows: ▲ better "
            "and ▼ worse where that is beyond chance."
        )
    return text


def _task(task: TaskFigures) -> Iterator[Markup]:
    yield element(
        "h3", task.name, element("span", _rows(task.overall, share=True), class_="soft aside")
    )
    yield from _overall(task.overall)
    found = classes(task.name, task.classes)
    if found is not None:
        yield found
    for column, values in task.slices.items():
        if values:
            title = f"{task.name} by {_COLUMNS.get(column, column)}"
            yield details(title, *_slices(task, column), open_=column == "scenario")


def _rows(place: Place, share: bool = False) -> str:
    rows, positives = place.count("rows"), place.count("positives")
    if rows is None:
        return ""
    text = f"{rows:,} rows"
    if positives is not None:
        text += f", {positives:,} positive"
        text += f" ({percent(positives / max(rows, 1))})" if share else ""
    return text


def _overall(place: Place) -> Iterator[Markup]:
    """The metrics one looks at first; then those of larger cut-offs and of unseen items."""
    first = _first(place.metrics)
    rest = [metric for metric in place.metrics if metric not in first]
    yield _listed(place, first)
    if rest:
        yield details("More metrics", _listed(place, rest))


def _listed(place: Place, metrics: Sequence[str]) -> Markup:
    compared = bool(place.changes)
    header = ("metric", "figure", *(("change",) if compared else ()))

    def row(metric: str) -> list[object]:
        figure = place.figure(metric)
        places = decimals([figure.value])
        picture = _picture(figure, _axis(metric, [figure])) if figure.bounded else None
        cells: list[object] = [breakable(metric), _figure(figure, places, picture)]
        return [*cells, _change(metric, place.change(metric), places)] if compared else cells

    return table(header, (row(metric) for metric in metrics), class_="figures")


def _first(metrics: Sequence[str]) -> list[str]:
    """Of metrics with a cut-off the first one, and none of unseen items."""
    found: dict[str, str] = {}
    for metric in metrics:
        if not metric.endswith(UNSEEN):
            found.setdefault(metric.partition("@")[0], metric)
    return list(found.values())


def _slices(task: TaskFigures, column: str) -> Iterator[Markup]:
    """The main metric of every value on one axis; then all metrics."""
    values = _ordered(task.slices[column])
    metric = main_metric(task.overall.metrics)
    if metric is not None:
        figures = [place.figure(metric) for place in values.values()]
        whole = task.overall.figure(metric)
        axis = _axis(metric, [*figures, whole])
        places = decimals([figure.value for figure in (*figures, whole)])
        compared = any(place.changes for place in values.values())
        header = (column, metric, *(("change",) if compared else ()))

        def row(value: str, place: Place) -> list[object]:
            figure = place.figure(metric)
            picture = _picture(figure, axis, whole.value) if figure.value is not None else None
            cells: list[object] = [_named(value, place), _figure(figure, places, picture)]
            return [*cells, _change(metric, place.change(metric), places)] if compared else cells

        rows = (row(value, place) for value, place in values.items())
        yield table(header, rows, class_="figures")
        yield note(f"The upright mark is {metric} of all rows, {shown(whole.value, places)}.")
    yield details("All metrics", _every_metric(column, values))


def _named(value: str, place: Place) -> Markup:
    """A slice's value, and below it how many rows it has."""
    words = [element("span", value or "(missing)")]
    if (told := _rows(place)) != "":
        words.append(element("small", told))
    return element("span", *words, class_="stack")


def _ordered(values: Mapping[str, Place]) -> dict[str, Place]:
    """Values that begin with a number in its order; others as they come."""
    starts = {value: int(m[0]) for value in values if (m := _NUMBER.match(value))}
    if len(starts) < len(values):
        return dict(values)
    return {value: values[value] for value in sorted(values, key=starts.__getitem__)}


def _every_metric(column: str, values: Mapping[str, Place]) -> Markup:
    names = list(dict.fromkeys(name for place in values.values() for name in place.figures))
    places = {n: decimals([p.figure(n).value for p in values.values()]) for n in names}
    rows = (
        [value or "(missing)", *(_figure(place.figure(name), places[name]) for name in names)]
        for value, place in values.items()
    )
    return table((column, *names), rows, class_="figures")


def _figure(figure: Estimate, places: int, picture: Markup | None = None) -> Markup:
    """The figure, its interval below, a picture beside."""
    words: list[Markup] = [element("span", shown(figure.value, places))]
    if figure.bounded:
        words.append(element("small", span(figure.low, figure.high, places)))
    text = element("span", *words, class_="stack")
    return element("span", picture, text, class_="measured")


def _change(metric: str, change: Estimate, places: int) -> Markup:
    if change.value is None:
        return element("span", shown(None))
    better = clearly_better(metric, change)
    arrow = {True: "▲ ", False: "▼ ", None: ""}[better]
    tone = {True: "good", False: "bad", None: None}[better]
    words = [element("span", f"{arrow}{shown(change.value, places, True)}", class_=tone)]
    if change.bounded:
        words.append(element("small", span(change.low, change.high, places, True)))
    return element("span", join(words), class_="stack")


def _picture(figure: Estimate, axis: Axis, mark: float | None = None) -> Markup:
    return whisker(figure.value, figure.low, figure.high, axis, mark)


def _axis(metric: str, figures: Sequence[Estimate]) -> Axis:
    """From what chance reaches to what is perfect, further where the figures go further."""
    ends = [e for f in figures for e in (f.value, f.low, f.high) if e is not None]
    if not ends:
        return Axis(0.0, 1.0)
    told = meaning(metric)
    if told is not None and told.top is not None:
        return Axis(min(told.floor, *ends), max(told.top, *ends))
    low, high = widened(min(0.0, *ends), max(ends))
    return Axis(min(low, 0.0), high)
