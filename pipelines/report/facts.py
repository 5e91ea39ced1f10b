"""What a report tells, read from a run's directory. Every part may be missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.report.estimates import TaskFigures, read_tasks
from pipelines.report.recorded import Recorded, read_record
from pipelines.report.shapes import mapping, mappings
from pipelines.storage.directories import read_json


@dataclass(frozen=True)
class Facts:
    """A run as its directory shows it.

    Attributes:
        name: the configuration's name, or the directory's.
        directory: the run's directory.
        run: the last run and its steps; None without metadata.
        evaluation: metrics, verdict and rules.
        pushed: version that was pushed.
        infra: what loading and asking the SavedModel came to.
        history: figures of each training epoch.
        gates: how tasks and scenarios use the experts.
    """

    name: str
    directory: Path
    run: Recorded | None
    evaluation: dict[str, Any]
    pushed: dict[str, Any]
    infra: dict[str, Any]
    history: dict[str, Any]
    gates: dict[str, Any]

    @property
    def epochs(self) -> list[Mapping[str, Any]]:
        """Figures of each training epoch."""
        return mappings(self.history.get("epochs"))

    @cached_property
    def tasks(self) -> list[TaskFigures]:
        """What was measured of each task."""
        return read_tasks(self.evaluation)

    @property
    def baseline(self) -> Mapping[str, Any]:
        """The pushed model that this one was compared with."""
        return mapping(self.evaluation.get("baseline"))

    def summary(self, component: str) -> Mapping[str, Any]:
        """What a component of the last run said about its work; empty if it did not get to."""
        for step in self.run.steps if self.run else ():
            if step.component == component:
                return step.summary
        return {}


def read_facts(directory: Path) -> Facts:
    """Reads what there is in a run's directory."""
    run = read_record(directory)
    artifacts = directory / "artifacts"
    return Facts(
        name=_name(run) or directory.resolve().name,
        directory=directory,
        run=run,
        evaluation=_either(artifacts / "evaluation", directory, "evaluation.json"),
        pushed=read_json(artifacts / "pushed" / "pushed.json"),
        infra=read_json(artifacts / "infra" / "infra.json"),
        history=_either(artifacts / "model", directory / "model", "history.json"),
        gates=_either(artifacts / "model", directory / "model", "gates.json"),
    )


def _either(artifact: Path, published: Path, name: str) -> dict[str, Any]:
    """A file of an artifact, or its copy beside the artifacts: a run that fails later on has not
    published it yet."""
    return read_json(artifact / name) or read_json(published / name)


def _name(run: Recorded | None) -> str | None:
    first = run.config.partition("\n")[0] if run else ""
    return first.removeprefix("name: ") if first.startswith("name: ") else None
