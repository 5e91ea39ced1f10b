"""The report's sections, each from what is known; None where nothing is."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.figures import families
from pipelines.report.charts import line_chart
from pipelines.report.data import account_of, data
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, bar, details, element, join, section
from pipelines.report.tables import across
from pipelines.tally import duration

_NOT_DRAWN = {"epoch", "seconds", "examples_per_second"}
_BALANCE = ("weight/", "norm/", "cosine/")
_STATES = {"COMPLETE": "good", "CACHED": "idle", "FAILED": "bad", "RUNNING": "idle"}


def head(facts: Facts) -> Markup:
    """Name, verdict and when the run was."""
    label, tone = _verdict(facts)
    when = None
    if facts.run:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(facts.run.started))
        when = element("p", f"Run of {started} on {facts.run.data}", class_="soft")
    badge = element("span", label, class_=f"badge {tone}")
    return element("header", element("h1", facts.name), badge, when, _failure(facts))


def tiles(facts: Facts) -> Markup:
    """The few figures one looks for first."""
    rows = account_of(facts)
    entries: list[tuple[str, str]] = []
    if rows:
        log = rows.log
        entries += [("rows kept", f"{log.kept:,}"), ("rows rejected", f"{log.bad:,}")]
    if facts.epochs:
        entries.append(("epochs", str(len(facts.epochs))))
        speed = facts.epochs[-1].get("examples_per_second")
        if speed:
            entries.append(("examples/s", f"{speed:,.0f}"))
    if facts.run and facts.run.ended:
        entries.append(("whole run", duration(facts.run.ended - facts.run.started)))
    found = (element("div", element("b", value), name, class_="tile") for name, value in entries)
    return element("div", *found, class_="tiles")


def gate(facts: Facts) -> Markup | None:
    """The gate's rules, each with what it came to."""
    if not facts.evaluation:
        return None
    rules = facts.evaluation.get("rules", [])
    lines = (
        element(
            "li",
            element("b", "holds" if rule["holds"] else "fails", class_=_tone(rule)),
            element("span", rule["text"]),
        )
        for rule in rules
    )
    if not rules:
        return section("Gate", element("p", "No rules are declared, so nothing is pushed."))
    return section("Gate", element("ul", *lines, class_="rules"))


def learning(facts: Facts) -> Markup | None:
    """A curve for each loss and metric, training and validation in one chart; then how the
    balancer weighed the tasks, where that changed."""
    if not facts.epochs:
        return None
    names = dict.fromkeys(
        key.removeprefix("val_") for epoch in facts.epochs for key in epoch if key not in _NOT_DRAWN
    )
    measured = [name for name in names if not name.startswith(_BALANCE)]
    balance = [
        name
        for name in names
        if name.startswith(_BALANCE) and len({epoch.get(name) for epoch in facts.epochs}) > 1
    ]

    def charts(chosen: Sequence[str]) -> Markup:
        drawn = (line_chart(name, _curves(facts.epochs, name)) for name in chosen)
        return element("div", *drawn, class_="charts")

    heading = element("h3", "Weights, gradient norms and cosines of the tasks")
    return section("Learning", charts(measured), *((heading, charts(balance)) if balance else ()))


def metrics(facts: Facts) -> Markup | None:
    """Every task's figures on the test rows, overall and by slice."""
    tasks = facts.evaluation.get("tasks", {})
    if not tasks:
        return None
    overall = [across(family) for family in families(tasks)]
    slices = (
        details(f"{task} by {column}", across(values, first="value", transposed=True))
        for task, measured in tasks.items()
        for column, values in measured["slices"].items()
        if values
    )
    return section("Metrics on the test rows", *overall, element("h3", "Slices"), *slices)


def steps(facts: Facts) -> Markup | None:
    """What each component did and how long it took."""
    if not facts.run or not facts.run.executions:
        return None
    taken = [(s.ended or s.started) - s.started for s in facts.run.executions]
    longest = max(taken) or 1.0
    lines: list[Markup] = []
    for step, seconds in zip(facts.run.executions, taken, strict=True):
        state = element("span", step.state.lower(), class_=_STATES[step.state])
        note = duration(seconds) if step.state in ("COMPLETE", "FAILED") else state
        lines.append(bar(step.component, seconds / longest, note))
        headline = step.summary.get("headline")
        if headline:
            lines.append(element("p", headline, class_="soft"))
    return section("Steps", *lines)


def configuration(facts: Facts) -> Markup | None:
    """The whole configuration, every default written out."""
    if not facts.run:
        return None
    return section("Configuration", details("YAML", element("pre", facts.run.config)))


def page(facts: Facts) -> Markup:
    """All sections in their order."""
    sections = (gate, data, learning, metrics, steps, configuration)
    return join((head(facts), tiles(facts), *(make(facts) for make in sections)))


def _verdict(facts: Facts) -> tuple[str, str]:
    if facts.run and facts.run.state == "FAILED":
        return "Not finished", "bad"
    if not facts.evaluation:
        return "No model yet", "idle"
    version = facts.pushed.get("version")
    if version is not None:
        return f"Blessed, version {version}", "good"
    return "Not blessed", "bad"


def _failure(facts: Facts) -> Markup | None:
    """Which step failed and why; figures further down may be those of an earlier run."""
    for step in facts.run.executions if facts.run else []:
        if step.error:
            reason = step.error.strip().splitlines()[-1]
            return element("p", f"{step.component} failed: {reason}", class_="bad")
    return None


def _tone(rule: Mapping[str, Any]) -> str:
    return "good" if rule["holds"] else "bad"


def _curves(epochs: Sequence[Mapping[str, Any]], name: str) -> dict[str, list[float | None]]:
    return {
        "training": [epoch.get(name) for epoch in epochs],
        "validation": [epoch.get(f"val_{name}") for epoch in epochs],
    }
