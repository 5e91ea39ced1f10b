"""The interference report as one HTML page that opens offline, in the look of a run's report."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.interference.gradients import cosine
from pipelines.report.charts import line_chart
from pipelines.report.heat_map import heat_map
from pipelines.report.html import Markup, details, element, join, note, section, table
from pipelines.report.numbers import shown, span
from pipelines.report.page import document
from pipelines.report.whiskers import Axis, whisker

Found = Mapping[str, Any]
Changes = Mapping[str, Mapping[str, Any] | None]
_PLACES = 4
_TONES = {"gain": "good", "loss": "bad", "unclear": "idle"}
_ADVICE = {"keep": "good", "split": "bad", "shrink": "idle"}


def page(found: Found) -> str:
    """The page as text.

    Args:
        found: as `interference.json` has it.
    """
    count = len(found["seeds"])
    seeds = f"seed {found['seeds'][0]}" if count == 1 else f"means of {count} seeds"
    head = element(
        "header",
        element("h1", f"{found['name']}: interference"),
        note(f"The joint model minus models that know less, on the test rows, {seeds}."),
    )
    parts = (_advice, _tasks, _scenarios, _gradients, _gates)
    return document(
        f"{found['name']} - interference", head, *(made for p in parts if (made := p(found)))
    )


def _advice(found: Found) -> Markup:
    lines = [
        element(
            "li",
            element("b", one["advice"], class_=_ADVICE[one["advice"]]),
            element("span", one["text"]),
        )
        for one in found["advice"]
    ]
    body = element("ul", *lines, class_="rules")
    if not lines:
        body = element("p", "Nothing: no interval excludes zero, and every expert is used.")
    return section("What to share, what to split", body, *(note(text) for text in found["notes"]))


def _tasks(found: Found) -> Markup:
    parts = [
        _table(
            f"{task}: {measured['metric']}, {_direction(measured)} is better",
            "alone",
            {"all rows": measured["overall"], **measured["scenarios"]},
        )
        for task, measured in found["tasks"].items()
    ]
    return section("Each task, beside a model of it alone", *parts)


def _scenarios(found: Found) -> Markup | None:
    parts = [_table(value, "its own", tasks) for value, tasks in found["scenarios"].items()]
    return section("Each scenario, beside a model of its rows", *parts) if parts else None


def _direction(measured: Mapping[str, Any]) -> str:
    return "less" if measured["lower_is_better"] else "more"


def _table(title: str, alone: str, rows: Changes) -> Markup:
    known = [change for change in rows.values() if change is not None]
    ends = [abs(c[e]) for c in known for e in ("low", "high", "difference") if c[e] is not None]
    reach = max(ends, default=0.0) or 1.0
    axis = Axis(-reach, reach)
    header = ("", "change", "", alone, "joint", "95 % interval", "%")
    return join((element("h3", title), table(header, (_row(n, c, axis) for n, c in rows.items()))))


def _row(name: str, change: Mapping[str, Any] | None, axis: Axis) -> Sequence[object]:
    if change is None:
        return (name, *(shown(None) for _ in range(6)))
    tone = _TONES[change["verdict"]]
    delta, low, high = change["difference"], change["low"], change["high"]
    return (
        name,
        element("span", shown(delta, _PLACES, signed=True), class_=tone),
        whisker(delta, low, high, axis, mark=0.0, tone=tone),
        shown(change["alone"], _PLACES),
        shown(change["joint"], _PLACES),
        shown(None) if low is None else span(low, high, _PLACES, signed=True),
        shown(change["percent"], 2, signed=True),
    )


def _gradients(found: Found) -> Markup | None:
    cosines, of = found["cosines"], found["names"]
    titles = {
        "pairs": ("Tasks, on the shared representation", of["tasks"]),
        "tables": ("Tasks, on the embedding tables", of["tasks"]),
        "scenarios": ("Scenarios, on the dense parameters", of["scenarios"]),
    }
    parts: list[Markup] = []
    for kind, (title, names) in titles.items():
        if cosines[kind]:
            parts += [element("h3", title), _matrix(cosines[kind], names)]
        if kind == "pairs" and cosines["by_scenario"]:
            by_scenario = [
                join((element("h3", value), _matrix(pairs, names)))
                for value, pairs in cosines["by_scenario"].items()
                if pairs
            ]
            parts.append(details("By scenario", *by_scenario))
    if not parts:
        return None
    steps = cosines["by_step"]
    names = list(dict.fromkeys(pair for step in steps for pair in step["pairs"]))
    series = {n.replace("|", ", "): [step["pairs"].get(n) for step in steps] for n in names}
    if series:
        chart = line_chart("Tasks, over training", series, "measurement")
        parts.append(element("div", chart, style="max-width:460px"))
    about = note("Cosines of gradients, means over training: below 0 two pull apart.")
    return section("Gradients", about, *parts)


def _matrix(pairs: Mapping[str, float], names: Sequence[str]) -> Markup:
    known = [name for name in names if any(name in pair.split("|") for pair in pairs)]
    rows = ((one, [cosine(pairs, one, other) for other in known]) for one in known)
    return heat_map(rows, known, diverging=True)


def _gates(found: Found) -> Markup | None:
    gates = found["gates"]
    tasks = gates.get("tasks", {})
    if not tasks:
        return None
    experts, reaches = gates["experts"], gates["reaches"]

    def weights(task: str, mean: Sequence[float]) -> list[float | None]:
        by_name = zip(experts, mean, strict=True)
        return [weight if name in reaches[task] else None for name, weight in by_name]

    overall = heat_map(
        ((t, weights(t, use["overall"])) for t, use in tasks.items()), experts, "task"
    )
    effective = table(
        ("task", "experts", "effective number"),
        ((t, len(reaches[t]), shown(use["effective"], 1)) for t, use in tasks.items()),
    )
    by_scenario = [
        join(
            (
                element("h3", task),
                heat_map(
                    ((value, weights(task, mean)) for value, mean in use["scenarios"].items()),
                    experts,
                    "scenario",
                ),
            )
        )
        for task, use in tasks.items()
        if use["scenarios"]
    ]
    about = note(f"Mean gate weights on {gates['rows']:,} {gates['split']} rows.")
    more = [details("By scenario", *by_scenario)] if by_scenario else []
    return section("Experts", about, overall, effective, *more)
