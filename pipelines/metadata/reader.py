"""What may be asked of the store."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from pipelines.metadata.records import Artifact, Execution, Run

_RUN = "SELECT started, ended, state, config, data, id, properties FROM runs"
_STEP = (
    "SELECT component, state, started, ended, error, summary, id, run, fingerprint, parameters, "
    "peak_memory FROM steps"
)
_ARTIFACT = (
    "SELECT a.id, t.name, a.name, a.uri, a.state, a.identity, a.created, a.properties "
    "FROM artifacts a JOIN types t ON t.id = a.type"
)
_COLUMNS = ("state", "ended", "config", "data")


class Reader:
    """Questions to a store.

    Args:
        db: an open connection.
    """

    def __init__(self, db: sqlite3.Connection):
        self._db = db

    def last_run(self) -> Run | None:
        """The latest run, finished or not."""
        return next(self._runs("ORDER BY id DESC LIMIT 1"), None)

    def runs(self) -> list[Run]:
        """All runs, from the first."""
        return list(self._runs("ORDER BY id"))

    def run(self, number: int) -> Run | None:
        """A run by its number."""
        return next(self._runs("WHERE id = ?", number), None)

    def execution(self, number: int) -> Execution | None:
        """A step by its number."""
        return next(self._steps("WHERE id = ?", number), None)

    def artifact(self, number: int) -> Artifact | None:
        """An artifact by its number."""
        return next(self._artifacts("WHERE a.id = ?", number), None)

    def artifacts(self, name: str | None = None) -> list[Artifact]:
        """All artifacts, or all that ever had a name, from the first."""
        if name is None:
            return list(self._artifacts("ORDER BY a.id"))
        return list(self._artifacts("WHERE a.name = ? ORDER BY a.id", name))

    def inputs(self, execution: int) -> list[Artifact]:
        """What a step read."""
        return self._events_of(execution, "INPUT")

    def outputs(self, execution: int) -> list[Artifact]:
        """What a step made, or found made."""
        return self._events_of(execution, "OUTPUT")

    def maker(self, artifact: int) -> Execution | None:
        """The step that made an artifact; None for a raw file, and for one that an earlier store
        or another directory knows of."""
        return next(self._steps_at(artifact, "OUTPUT"), None)

    def users(self, artifact: int) -> list[Execution]:
        """The steps that read an artifact and did something with it; not those that were skipped,
        as what they stand for was made from it or its equal before."""
        return list(self._steps_at(artifact, "INPUT"))

    def results(self, run: int) -> dict[str, Artifact]:
        """The artifacts that a run has ended with, made or found, by name."""
        found = self._artifacts(
            "JOIN events v ON v.artifact = a.id JOIN steps s ON s.id = v.execution "
            "WHERE s.run = ? AND v.kind = 'OUTPUT' AND s.state IN ('COMPLETE', 'CACHED') "
            "ORDER BY s.id",
            run,
        )
        return {artifact.name: artifact for artifact in found}

    def _events_of(self, execution: int, kind: str) -> list[Artifact]:
        return list(
            self._artifacts(
                "JOIN events v ON v.artifact = a.id "
                "WHERE v.execution = ? AND v.kind = ? ORDER BY a.id",
                execution,
                kind,
            )
        )

    def _steps_at(self, artifact: int, kind: str) -> Iterator[Execution]:
        return self._steps(
            "WHERE state != 'CACHED' AND id IN "
            "(SELECT execution FROM events WHERE artifact = ? AND kind = ?) ORDER BY id",
            artifact,
            kind,
        )

    def _runs(self, rest: str, *values: Any) -> Iterator[Run]:
        for *fields, number, text in self._db.execute(f"{_RUN} {rest}", values).fetchall():
            properties = json.loads(text)
            for name in _COLUMNS:
                properties.pop(name, None)
            executions = list(self._steps("WHERE run = ? ORDER BY id", number))
            yield Run._make((*fields, executions, number, properties))

    def _steps(self, rest: str, *values: Any) -> Iterator[Execution]:
        for row in self._db.execute(f"{_STEP} {rest}", values).fetchall():
            step = Execution._make(row)
            yield step._replace(
                summary=json.loads(row[5] or "{}"), parameters=json.loads(step.parameters)
            )

    def _artifacts(self, rest: str, *values: Any) -> Iterator[Artifact]:
        for *fields, properties in self._db.execute(f"{_ARTIFACT} {rest}", values).fetchall():
            yield Artifact._make((*fields, json.loads(properties)))
