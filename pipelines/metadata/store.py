"""The writer of the store: one at a time, which the lock of the run's directory sees to."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.metadata.observed import (
    code_version,
    package_versions,
    peak_memory,
    properties_of,
)
from pipelines.metadata.opening import open_to_write, translated
from pipelines.metadata.reader import Reader
from pipelines.metadata.records import RAW_FILE, DataFile, State

KILLED = "killed"
"""The error of a step whose process ended without a word."""

Named = tuple[str, Path, str]
"""Name, path and identity of an artifact."""


class Store(Reader):
    """The metadata of one run directory. One writer at a time; readers never wait for it.

    Args:
        path: file of the store, in the run's directory; made if there is none.

    Raises:
        StoreError: the file is damaged, or of a later version.
    """

    def __init__(self, path: Path):
        self._path = path
        super().__init__(open_to_write(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._db.close()

    def start_run(self, config: str, data: Path, experiment: str | None = None) -> int:
        """Records a run. Runs that were killed, and their steps, are closed as failed.

        Args:
            config: the whole configuration, YAML.
            data: directory of the raw files.
            experiment: name of what the run is a part of, with others.

        Returns:
            The run's number.
        """
        first = config.partition("\n")[0]
        name = first.removeprefix("name: ") if first.startswith("name: ") else None
        properties = {
            "state": "RUNNING",
            "config": config,
            "config_hash": hashlib.sha256(config.encode()).hexdigest(),
            "data": os.path.abspath(data),
            "git": code_version(Path.cwd()),
            "versions": package_versions(),
            "experiment": experiment,
        }
        with self._transaction():
            self._close_killed()
            (before,) = self._db.execute("SELECT COALESCE(MAX(id), 0) FROM runs").fetchone()
            number = int(before) + 1
            run = self._context("run", str(number), properties)
            for kind, parent in (("pipeline", name), ("experiment", experiment)):
                if parent is not None:
                    values = (run, self._context(kind, parent, {}))
                    self._db.execute("INSERT INTO parents VALUES (?, ?)", values)
        return number

    def end_run(self, run: int, state: State) -> None:
        """Records how a run ended."""
        with self._transaction():
            self._db.execute(
                "UPDATE contexts SET properties = json_set(properties, '$.ended', ?, '$.state', ?) "
                "WHERE id = (SELECT context FROM runs WHERE id = ?)",
                (time.time(), state, run),
            )

    def start(
        self,
        run: int,
        component: str,
        fingerprint: str,
        inputs: Iterable[Named],
        *,
        files: Iterable[DataFile] = (),
        parameters: Any = None,
        makes: tuple[str, Path] | None = None,
    ) -> int:
        """Records that a step begins.

        Args:
            run: the run's number.
            component: the component's name.
            fingerprint: what decides its result.
            inputs: name, path and identity of each artifact it reads.
            files: the raw files it reads.
            parameters: the part of the configuration it reads, as plain data.
            makes: name and path of the artifact it is to make; None where it is there already.

        Returns:
            The execution's id.
        """
        with self._transaction():
            execution = self._insert(
                "INSERT INTO executions (type, fingerprint, state, started, parameters) "
                "VALUES (?, ?, 'RUNNING', ?, ?)",
                self._type("EXECUTION", component),
                fingerprint,
                time.time(),
                json.dumps(parameters, default=str),
            )
            self._db.execute(
                "INSERT INTO associations SELECT context, ? FROM runs WHERE id = ?",
                (execution, run),
            )
            for name, path, identity in inputs:
                known = self._known(name, identity) or self._artifact(name, path, identity)
                self._event(execution, known, "INPUT")
            for file in files:
                self._event(execution, self._raw_file(file), "INPUT")
            if makes is not None:
                self._event(execution, self._artifact(*makes, None), "OUTPUT")
        return execution

    def end(self, execution: int, state: State, summary: Mapping[str, Any], output: Named) -> None:
        """Records that a step has its artifact, made or found; `output` as `start`'s inputs."""
        memory = peak_memory() if state == "COMPLETE" else None
        with self._transaction():
            self._db.execute(
                "UPDATE executions SET state = ?, ended = ?, summary = ?, peak_memory = ? "
                "WHERE id = ?",
                (state, time.time(), json.dumps(summary, default=str), memory, execution),
            )
            self._event(execution, self._output(execution, state, *output), "OUTPUT")

    def fail(self, execution: int, error: str) -> None:
        """Records why a step made nothing."""
        with self._transaction():
            self._db.execute(
                "UPDATE executions SET state = 'FAILED', ended = ?, error = ?, peak_memory = ? "
                "WHERE id = ?",
                (time.time(), error, peak_memory(), execution),
            )
            self._abandon("WHERE execution = ?", execution)

    def _output(self, execution: int, state: State, name: str, path: Path, identity: str) -> int:
        """The record of what a step has made or found."""
        found = self._pending(execution, name)
        if found is None and state == "CACHED":
            found = self._known(name, identity) or self._of_killed(execution, name)
        if found is None:
            found = self._artifact(name, path, identity)
        self._db.execute(
            "UPDATE artifacts SET state = 'DELETED', updated = ? "
            "WHERE uri = ? AND state = 'LIVE' AND id != ?",
            (time.time(), self._uri(path), found),
        )
        self._db.execute(
            "UPDATE artifacts SET state = 'LIVE', identity = ?, updated = ?, properties = ? "
            "WHERE id = ?",
            (identity, time.time(), json.dumps(properties_of(path)), found),
        )
        return found

    def _pending(self, execution: int, name: str) -> int | None:
        return self._id(
            "SELECT a.id FROM artifacts a JOIN events v ON v.artifact = a.id "
            "WHERE v.execution = ? AND v.kind = 'OUTPUT' AND a.state = 'PENDING' AND a.name = ?",
            execution,
            name,
        )

    def _known(self, name: str, identity: str) -> int | None:
        return self._id(
            "SELECT id FROM artifacts WHERE name = ? AND identity = ? "
            "ORDER BY state = 'LIVE' DESC, id DESC",
            name,
            identity,
        )

    def _of_killed(self, execution: int, name: str) -> int | None:
        """What a run made that was killed before it could record it: it is there, and whole."""
        return self._id(
            "SELECT a.id FROM artifacts a JOIN events v ON v.artifact = a.id "
            "JOIN executions e ON e.id = v.execution "
            "WHERE a.name = ? AND a.state = 'ABANDONED' AND v.kind = 'OUTPUT' AND e.error = ? "
            "AND e.fingerprint = (SELECT fingerprint FROM executions WHERE id = ?) "
            "ORDER BY a.id DESC",
            name,
            KILLED,
            execution,
        )

    def _close_killed(self) -> None:
        self._db.execute(
            "UPDATE contexts SET properties = json_set(properties, '$.state', 'FAILED') "
            "WHERE id IN (SELECT context FROM runs WHERE state = 'RUNNING')"
        )
        self._abandon("JOIN executions e ON e.id = execution WHERE e.state = 'RUNNING'")
        self._db.execute(
            "UPDATE executions SET state = 'FAILED', error = ? WHERE state = 'RUNNING'", (KILLED,)
        )

    def _abandon(self, of: str, *values: Any) -> None:
        self._db.execute(
            "UPDATE artifacts SET state = 'ABANDONED', updated = ? WHERE state = 'PENDING' "
            f"AND id IN (SELECT artifact FROM events {of})",
            (time.time(), *values),
        )

    def _artifact(self, name: str, path: Path, identity: str | None) -> int:
        """A new record. Without an identity the artifact is still to be made."""
        kind = name.title().replace("_", "")
        return self._record(kind, name, self._uri(path), identity, {})

    def _raw_file(self, file: DataFile) -> int:
        properties = {"bytes": file.size, "sha256": file.sha256}
        identity = file.sha256 or f"{file.size} bytes"
        known = self._known(file.path, identity)
        return known or self._record(RAW_FILE, file.path, file.path, identity, properties)

    def _record(
        self, kind: str, name: str, uri: str, identity: str | None, properties: Mapping[str, Any]
    ) -> int:
        now = time.time()
        return self._insert(
            "INSERT INTO artifacts (type, name, uri, state, identity, created, updated, "
            "properties) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._type("ARTIFACT", kind),
            name,
            uri,
            "PENDING" if identity is None else "LIVE",
            identity,
            now,
            now,
            json.dumps(properties),
        )

    def _event(self, execution: int, artifact: int, kind: str) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)",
            (execution, artifact, kind, time.time()),
        )
        if kind == "OUTPUT":
            self._db.execute(
                "INSERT OR IGNORE INTO attributions "
                "SELECT context, ? FROM associations WHERE execution = ?",
                (artifact, execution),
            )

    def _context(self, kind: str, name: str, properties: Mapping[str, Any]) -> int:
        """The context of a name; made if there is none."""
        type_id = self._type("CONTEXT", kind)
        self._db.execute(
            "INSERT OR IGNORE INTO contexts (type, name, created, properties) VALUES (?, ?, ?, ?)",
            (type_id, name, time.time(), json.dumps(properties)),
        )
        return self._the("SELECT id FROM contexts WHERE type = ? AND name = ?", type_id, name)

    def _type(self, kind: str, name: str) -> int:
        self._db.execute("INSERT OR IGNORE INTO types (kind, name) VALUES (?, ?)", (kind, name))
        return self._the("SELECT id FROM types WHERE kind = ? AND name = ?", kind, name)

    def _uri(self, path: Path) -> str:
        """A path relative to the run's directory where it lies there, so that it may be moved."""
        path, home = path.resolve(), self._path.parent.resolve()
        return (path.relative_to(home) if path.is_relative_to(home) else path).as_posix()

    def _insert(self, statement: str, *values: Any) -> int:
        row = self._db.execute(statement, values).lastrowid
        assert row is not None
        return row

    def _id(self, query: str, *values: Any) -> int | None:
        row = self._db.execute(f"{query} LIMIT 1", values).fetchone()
        return None if row is None else int(row[0])

    def _the(self, query: str, *values: Any) -> int:
        found = self._id(query, *values)
        assert found is not None
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing, also when the process is killed."""
        with translated(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()
