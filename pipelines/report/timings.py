"""What each component did, how long it took and how much memory it held."""

from pipelines.console.tally import duration
from pipelines.report.bars import Bar, bars
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, element, note, section
from pipelines.report.numbers import size
from pipelines.report.recorded import Step


def timings(facts: Facts) -> Markup | None:
    """Time and peak memory of every component."""
    if not facts.run or not facts.run.steps:
        return None
    steps = facts.run.steps
    parts = [element("h3", "Time"), bars([_time(step) for step in steps])]
    if any(step.state == "CACHED" for step in steps):
        parts.append(
            note("A pale bar is what a component took when it made what this run found unchanged.")
        )
    measured = [step for step in steps if step.peak_memory]
    if measured:
        parts += [
            element("h3", "Peak memory"),
            bars([Bar(s.component, s.peak_memory, size(s.peak_memory)) for s in measured]),
            note(
                "The most that the process has held by the end of each component. What stays the "
                "same was held by a component before."
            ),
        ]
    return section("Time and memory", *parts, id_="timings")


def _time(step: Step) -> Bar:
    if step.state == "CACHED":
        return Bar(step.component, step.made_in, _state("cached", "idle"), "pale")
    if step.state == "FAILED":
        return Bar(step.component, step.seconds, _state(f"failed, {duration(step.seconds)}", "bad"))
    return Bar(step.component, step.seconds, duration(step.seconds))


def _state(text: str, tone: str) -> Markup:
    return element("span", text, class_=tone)
