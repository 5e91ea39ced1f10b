"""Where this run's artifacts came from: components, raw files, configuration, commit."""

from pipelines.report.facts import Facts
from pipelines.report.graph import Node, graph
from pipelines.report.html import Markup, details, element, note, section, table
from pipelines.report.numbers import size
from pipelines.report.recorded import Recorded, Step

_SHORT = 10
_STATES = {
    "COMPLETE": ("made", "good"),
    "CACHED": ("cached", "idle"),
    "FAILED": ("failed", "bad"),
    "RUNNING": ("not finished", "idle"),
}


def lineage(facts: Facts) -> Markup | None:
    """The graph of the run, and what identifies its inputs."""
    run = facts.run
    if run is None or not run.steps:
        return None
    text = note(
        "From the raw files at the top to what was pushed. A line leads from the component that "
        "made an artifact to those that read it. The number is the artifact's fingerprint: equal "
        "when its inputs, its part of the configuration and its code are."
    )
    drawn = graph(f"Lineage of {facts.name}", _nodes(run))
    parts: list[Markup] = [element("div", drawn, class_="lineage")]
    if run.facts:
        parts.append(table(("what", "which"), run.facts, class_="words"))
    if run.files:
        rows = ((path, size(amount), digest) for path, amount, digest in run.files)
        count = f"{len(run.files):,} raw file{'s' * (len(run.files) != 1)}"
        parts.append(details(count, table(("file", "size", "hash"), rows)))
    return section("Lineage", text, *parts, id_="lineage")


def _nodes(run: Recorded) -> list[Node]:
    count = f"{len(run.files):,} file{'s' * (len(run.files) != 1)}" if run.files else run.data
    nodes = [Node("Raw data", count, "", "raw")]
    makers: dict[str, int] = {}
    for step in run.steps:
        reads = tuple(sorted({makers[name] for name in step.inputs if name in makers}))
        nodes.append(_node(step, reads or (0,) * (not step.inputs)))
        makers[step.output] = len(nodes) - 1
    return nodes


def _node(step: Step, reads: tuple[int, ...]) -> Node:
    word, tone = _STATES.get(step.state, (step.state.lower(), "idle"))
    told = " · ".join(part for part in (step.output, step.fingerprint[:_SHORT]) if part)
    return Node(step.component, told, word, tone, reads)
