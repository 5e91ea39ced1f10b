"""What made an artifact and what was made from it: the part of the store's graph around it."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pipelines.metadata.reader import Reader
from pipelines.metadata.records import RAW_FILE, Artifact, Execution, Run


class Lineage(NamedTuple):
    """An artifact's ancestors and descendants.

    Attributes:
        artifact: id of the one that was asked for.
        artifacts: by id, all that are in it.
        executions: by id.
        maker: execution that made an artifact; none for raw files.
        inputs: artifacts that an execution read.
        users: executions that read an artifact.
        outputs: artifacts that an execution made.
        runs: by number, those the executions belong to.
    """

    artifact: int
    artifacts: dict[int, Artifact]
    executions: dict[int, Execution]
    maker: dict[int, int]
    inputs: dict[int, list[int]]
    users: dict[int, list[int]]
    outputs: dict[int, list[int]]
    runs: dict[int, Run]

    def as_json(self) -> dict[str, Any]:
        """The graph as plain data: nodes, and edges by the nodes' ids."""
        return {
            "artifact": self.artifact,
            "artifacts": [one._asdict() for one in self.artifacts.values()],
            "executions": [one._asdict() for one in self.executions.values()],
            "events": [
                {"execution": execution, "artifact": artifact, "kind": kind}
                for execution, artifact, kind in sorted(self._events())
            ],
            "runs": [
                {
                    "run": run.number,
                    "state": run.state,
                    "started": run.started,
                    "ended": run.ended,
                    "config": run.config,
                    "data": run.data,
                    **run.properties,
                }
                for run in self.runs.values()
            ],
        }

    def _events(self) -> set[tuple[int, int, str]]:
        events = {(maker, artifact, "OUTPUT") for artifact, maker in self.maker.items()}
        for kind, found in (("INPUT", self.inputs), ("OUTPUT", self.outputs)):
            events |= {(step, artifact, kind) for step in found for artifact in found[step]}
        return events | {
            (step, artifact, "INPUT") for artifact in self.users for step in self.users[artifact]
        }


def lineage(reader: Reader, artifact: Artifact) -> Lineage:
    """Follows the events from an artifact to where it comes from and to what came of it.

    Args:
        reader: the store.
        artifact: the one to start from.
    """
    graph = Lineage(artifact.id, {artifact.id: artifact}, {}, {}, {}, {}, {}, {})
    _walk(artifact, lambda one: _upstream(reader, graph, one))
    _walk(artifact, lambda one: _downstream(reader, graph, one))
    for execution in graph.executions.values():
        if execution.run not in graph.runs:
            run = reader.run(execution.run)
            assert run is not None
            graph.runs[run.number] = run
    return graph


def _walk(start: Artifact, following: Callable[[Artifact], Iterable[Artifact]]) -> None:
    pending, seen = [start], {start.id}
    while pending:
        for found in following(pending.pop()):
            if found.id not in seen:
                seen.add(found.id)
                pending.append(found)


def _upstream(reader: Reader, graph: Lineage, artifact: Artifact) -> list[Artifact]:
    maker = None if artifact.type == RAW_FILE else reader.maker(artifact.id)
    if maker is None:
        return []
    inputs = reader.inputs(maker.id)
    graph.executions[maker.id] = maker
    graph.maker[artifact.id] = maker.id
    graph.inputs[maker.id] = [one.id for one in inputs]
    graph.artifacts.update((one.id, one) for one in inputs)
    return inputs


def _downstream(reader: Reader, graph: Lineage, artifact: Artifact) -> list[Artifact]:
    users, found = reader.users(artifact.id), []
    graph.users[artifact.id] = [one.id for one in users]
    for user in users:
        outputs = [one for one in reader.outputs(user.id) if one.state != "ABANDONED"]
        graph.executions[user.id] = user
        graph.outputs[user.id] = [one.id for one in outputs]
        graph.artifacts.update((one.id, one) for one in outputs)
        found += outputs
    return found
