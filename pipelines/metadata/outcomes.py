"""What a run came to: its verdict, the version it ended with, its metrics."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipelines.metadata.reader import Reader
from pipelines.metadata.records import RAW_FILE, Artifact, Run

Metrics = Mapping[str, Mapping[str, Any]]
"""Task -> metric -> figure."""


class Outcome(NamedTuple):
    """A run's result.

    Attributes:
        blessed: the gate's verdict; None for a run that did not get to it.
        version: the pushed version that the run ended with, made by it or by an earlier one.
        pushed: whether this run pushed it.
        metrics: overall figures of each task.
        executed: how many steps did their work.
        steps: how many steps there were, those that were skipped included.
        stopped_in: the component that failed or was killed.
    """

    blessed: bool | None
    version: int | None
    pushed: bool
    metrics: Metrics
    executed: int
    steps: int
    stopped_in: str | None


def outcome(reader: Reader, run: Run) -> Outcome:
    """Reads the outcome of a run.

    Args:
        reader: the store.
        run: the run.
    """
    results = reader.results(run.number)
    evaluation, pushed = (_properties(results.get(name)) for name in ("evaluation", "pushed"))
    state = {step.component: step.state for step in run.executions}
    return Outcome(
        blessed=evaluation.get("blessed"),
        version=pushed.get("version"),
        pushed=state.get("Pusher") == "COMPLETE" and pushed.get("version") is not None,
        metrics=evaluation.get("metrics", {}),
        executed=sum(one == "COMPLETE" for one in state.values()),
        steps=len(state),
        stopped_in=next((name for name, one in state.items() if one == "FAILED"), None),
    )


def raw_files(reader: Reader, run: Run) -> dict[str, str]:
    """Identity of every raw file that a run read, by its path."""
    inputs = (one for step in run.executions for one in reader.inputs(step.id))
    return {one.name: one.identity or "" for one in inputs if one.type == RAW_FILE}


def _properties(artifact: Artifact | None) -> dict[str, Any]:
    return artifact.properties if artifact else {}
