"""How training went: losses and metrics by epoch, and how the balancer weighed the tasks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipelines.report.charts import Series, line_chart
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, element, note, section
from pipelines.report.numbers import known
from pipelines.report.shapes import mapping, mappings

_NOT_DRAWN = {"epoch", "seconds", "examples_per_second"}
_LINES = 8
_BALANCE = {
    "weight/": ("Weights of the tasks", "What the balancer multiplies each task's loss by."),
    "norm/": ("Gradient norms", "How hard each task pulls at what the tasks share."),
    "cosine/": (
        "Gradient cosines",
        "Whether two tasks pull the same way: 1 the same, 0 at right angles, below 0 against each "
        "other.",
    ),
}


def learning(facts: Facts) -> Markup | None:
    """A curve for each loss and metric, training and validation in one chart."""
    names = _names(facts.epochs)
    measured = [name for name in names if not name.startswith(tuple(_BALANCE))]
    if not measured:
        return None
    epochs = len(facts.epochs)
    trained = facts.summary("Trainer") or facts.summary("Distiller")
    best = trained.get("best_epoch")
    text = f"{epochs:,} epoch{'s' * (epochs != 1)} over the training rows."
    if isinstance(best, int) and best != epochs:
        text += f" The model is that of epoch {best}."
    text += (
        " A validation loss that rises while the training loss falls means the model learns rows "
        "by heart."
    )
    charts = _charts((name, _pair(facts.epochs, name)) for name in measured)
    return section("Learning", note(text), charts, id_="learning")


def balance(facts: Facts) -> Markup | None:
    """Weights, gradient norms and cosines of the tasks over time, where they change."""
    parts: list[Markup] = []
    for prefix, (title, text) in _BALANCE.items():
        lines = _together(facts.epochs, prefix)
        if any(len(set(line)) > 1 for line in lines.values()):
            parts += [
                element("h3", title),
                note(text),
                _charts(_split(title, lines), captioned=len(lines) > _LINES),
            ]
    parts += _cosines(facts.history.get("cosines"))
    return section("Balance of the tasks", *parts, id_="balance") if parts else None


def _names(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = (key.removeprefix("val_") for epoch in epochs for key in epoch)
    return [key for key in dict.fromkeys(keys) if key not in _NOT_DRAWN]


def _pair(epochs: Sequence[Mapping[str, Any]], name: str) -> Series:
    return {
        "training": [known(epoch.get(name)) for epoch in epochs],
        "validation": [known(epoch.get(f"val_{name}")) for epoch in epochs],
    }


def _together(epochs: Sequence[Mapping[str, Any]], prefix: str) -> dict[str, list[float | None]]:
    names = [name for name in _names(epochs) if name.startswith(prefix)]
    return {
        name.removeprefix(prefix): [known(epoch.get(name)) for epoch in epochs]
        for name in sorted(names)
    }


def _cosines(records: Any) -> Iterator[Markup]:
    """What training measured between its epochs: pairs of tasks, then of scenarios."""
    for key, of in (("pairs", "tasks"), ("scenarios", "scenarios")):
        found = [mapping(record.get(key)) for record in mappings(records)]
        pairs = list(dict.fromkeys(pair for record in found for pair in record))
        lines = {
            " and ".join(pair.split("|")): [known(record.get(pair)) for record in found]
            for pair in pairs
        }
        if lines:
            title = f"Gradient cosines of {of}"
            yield element("h3", title)
            yield note(_BALANCE["cosine/"][1].replace("tasks", of))
            yield _charts(_split(title, lines), "measurement", captioned=len(lines) > _LINES)


def _split(title: str, lines: Series) -> Iterator[tuple[str, Series]]:
    """No more lines a chart than there are colours."""
    names = list(lines)
    for start in range(0, len(names), _LINES):
        part = f"{title}, part {start // _LINES + 1}" if len(names) > _LINES else title
        yield part, {name: lines[name] for name in names[start : start + _LINES]}


def _charts(
    drawn: Iterable[tuple[str, Series]], across: str = "epoch", captioned: bool = True
) -> Markup:
    charts = (line_chart(title, series, across, captioned) for title, series in drawn)
    return element("div", *charts, class_="charts")
