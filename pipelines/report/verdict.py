"""The top of the report: what came of the run, its headline figures, and the gate's rules."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.console.tally import duration
from pipelines.report.estimates import Estimate, TaskFigures, clearly_better, find
from pipelines.report.facts import Facts
from pipelines.report.glossary import main_metric
from pipelines.report.html import Markup, details, element, note, section
from pipelines.report.numbers import decimals, known, shown, span
from pipelines.report.shapes import listed, mappings
from pipelines.report.whiskers import Axis, whisker

_REFUSAL = re.compile(r"^([\w.]+\.)?PipelineError: ")
_GLYPHS = {True: "✓", False: "✗"}


def head(facts: Facts) -> Markup:
    """Name, verdict, what it means, and when the run was."""
    label, tone, meaning = _verdict(facts)
    when = None
    if facts.run:
        started = time.strftime("%d %B %Y, %H:%M", time.localtime(facts.run.started))
        took = f", {duration(facts.run.ended - facts.run.started)}" if facts.run.ended else ""
        when = element("p", f"Run of {started}{took}. Data: {facts.run.data}", class_="soft")
    badge = element("span", label, class_=f"badge {tone}")
    meant = element("p", meaning, class_="lead") if meaning else None
    return element("header", element("h1", facts.name), badge, meant, *_failures(facts), when)


def tiles(facts: Facts) -> Markup | None:
    """The main figure of every task, with its interval and its change."""
    found = [tile for task in facts.tasks if (tile := _tile(task, facts.baseline))]
    return element("div", *found, class_="tiles") if found else None


def gate(facts: Facts) -> Markup | None:
    """The gate's rules, each with its figure, interval and limit."""
    if not facts.evaluation:
        return None
    rules = mappings(facts.evaluation.get("rules"))
    if not rules:
        return section(
            "Gate", note("No rules are declared under gate, so nothing is pushed."), id_="gate"
        )
    held = sum(bool(rule.get("holds")) for rule in rules)
    said = note(
        f"{held} of {len(rules)} rules hold; a model is pushed when all do. "
        "In the pictures the dot is the figure, the line its 95\N{NO-BREAK SPACE}% interval, "
        "the upright mark the limit."
    )
    failing = [rule for rule in rules if not rule.get("holds")]
    holding = [rule for rule in rules if rule.get("holds")]
    parts: list[Markup] = [_rules(failing, facts)] if failing else []
    if len(holding) > 12:
        parts.append(details(f"{len(holding)} rules that hold", _rules(holding, facts)))
    elif holding:
        parts.append(_rules(holding, facts))
    return section("Gate", said, *parts, id_="gate")


def _verdict(facts: Facts) -> tuple[str, str, str]:
    """Badge, tone and a sentence."""
    if facts.run and facts.run.state == "FAILED":
        return "Not finished", "bad", "A step failed. What is shown below may be of an earlier run."
    if not facts.evaluation:
        return "No model yet", "idle", "No model has been evaluated in this directory."
    version = facts.pushed.get("version")
    rules = len(listed(facts.evaluation.get("rules")))
    if version is not None:
        each = {1: "The one rule", 2: "Both rules"}.get(rules, f"All {rules} rules")
        where = f"serving/{facts.pushed.get('name', facts.name)}/{version}"
        text = f"{each} of the gate hold{'s' * (rules == 1)}. The model is in {where}."
        return f"Blessed, version {version}", "good", text
    if facts.evaluation.get("blessed"):
        return "Blessed, not pushed", "idle", "The gate's rules hold, but nothing was pushed."
    reasons = listed(facts.evaluation.get("reasons"))
    first = str(reasons[0]) if reasons else "A rule of the gate does not hold"
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return "Not blessed", "bad", f"Nothing was pushed: {first}{more}."


def _failures(facts: Facts) -> Iterator[Markup]:
    """Which step failed and why; figures further down may be those of an earlier run."""
    for step in facts.run.steps if facts.run else ():
        lines = (step.error or "").strip().splitlines()
        if lines:
            # A component's own words need no name of an exception before them.
            reason = _REFUSAL.sub("", lines[-1])
            yield element("p", f"{step.component} failed: {reason}", class_="bad")
            if len(lines) > 1:
                yield details("Where", element("pre", "\n".join(lines), tabindex=0))


def _tile(task: TaskFigures, baseline: Mapping[str, Any]) -> Markup | None:
    metric = main_metric(task.overall.metrics)
    if metric is None:
        return None
    figure, change = task.overall.figure(metric), task.overall.change(metric)
    places = decimals([figure.value])
    parts: list[Markup] = [
        element("span", f"{task.name} · {metric}", class_="name"),
        element("b", shown(figure.value, places)),
    ]
    if figure.bounded:
        parts.append(element("span", span(figure.low, figure.high, places), class_="soft"))
    if change.value is not None:
        against = f" vs version {baseline.get('version')}"
        parts.append(_change(metric, change, places, against))
    return element("div", *parts, class_="tile")


def _change(metric: str, change: Estimate, places: int, against: str) -> Markup:
    """A difference in words: which way, and whether it is beyond chance."""
    better = clearly_better(metric, change)
    tone = {True: "good", False: "bad", None: "soft"}[better]
    arrow = {True: "▲ ", False: "▼ ", None: ""}[better]
    text = shown(change.value, places, signed=True)
    return element("span", f"{arrow}{text}{against}", class_=f"change {tone}")


def _rules(rules: list[Mapping[str, Any]], facts: Facts) -> Markup:
    return element("ul", *(_rule(rule, facts) for rule in rules), class_="rules")


def _rule(rule: Mapping[str, Any], facts: Facts) -> Markup:
    holds = bool(rule.get("holds"))
    word = element(
        "b", f"{_GLYPHS[holds]} {'holds' if holds else 'fails'}", class_="good" if holds else "bad"
    )
    text = element("span", rule.get("text", rule.get("rule", "")))
    return element("li", word, text, _picture(rule, facts))


def _picture(rule: Mapping[str, Any], facts: Facts) -> Markup | None:
    """The rule's figure, its interval and its limit; None where there is no figure."""
    value, limit = known(rule.get("figure")), known(rule.get("limit"))
    if value is None:
        return None
    low, high = _interval(rule, value, facts)
    ends = [end for end in (value, limit, low, high) if end is not None]
    if len(ends) == 1:
        return None
    margin = 0.15 * (max(ends) - min(ends)) or abs(value) or 1.0
    axis = Axis(min(ends) - margin, max(ends) + margin)
    return whisker(value, low, high, axis, limit, "good" if rule.get("holds") else "bad")


def _interval(
    rule: Mapping[str, Any], value: float, facts: Facts
) -> tuple[float | None, float | None]:
    """The interval of a rule's figure. That of a comparison is the difference's, which is the
    narrower one, for both models answered the same rows."""
    decided = known(rule.get("low")), known(rule.get("high"))
    if None not in decided:
        return decided
    metric = str(rule.get("metric"))
    place = find(facts.tasks, str(rule.get("task")), str(rule.get("slice", "overall")))
    if place is None:
        return None, None
    if rule.get("bound") != "not_worse_by":
        figure = place.figure(metric)
        return figure.low, figure.high
    change = place.change(metric)
    if change.value is None or change.low is None or change.high is None:
        return None, None
    before = value - change.value
    return before + change.low, before + change.high
