"""The last run as the metadata store and the artifacts' markers tell of it."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.metadata import Reader, Run, StoreError, reading
from pipelines.metadata.records import RAW_FILE
from pipelines.storage.directories import read_marker


@dataclass(frozen=True)
class Step:
    """One component's part in a run.

    Attributes:
        component: its name.
        state: `COMPLETE`, `CACHED`, `FAILED`, ...
        started: when, in seconds since 1970.
        ended: when; None if it never did.
        error: why it made nothing.
        summary: what it said about its work.
        fingerprint: what decided its result.
        inputs: names of the artifacts it read.
        output: name of the artifact it made.
        made_in: seconds that making the artifact took, in this run or an earlier one.
        peak_memory: most bytes the process had held by its end; None where nobody measured.
    """

    component: str
    state: str
    started: float
    ended: float | None
    error: str | None
    summary: Mapping[str, Any]
    fingerprint: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    made_in: float | None = None
    peak_memory: int | None = None

    @property
    def seconds(self) -> float:
        """How long it took in this run."""
        return max((self.ended or self.started) - self.started, 0.0)


@dataclass(frozen=True)
class Recorded:
    """One run.

    Attributes:
        started: when, in seconds since 1970.
        ended: when; None if it was killed or goes on.
        state: `COMPLETE`, `FAILED` or `RUNNING`.
        config: YAML.
        data: directory of the raw files.
        steps: in their order.
        files: path, bytes and hash of each raw file.
        facts: what else is known, such as the git commit, by its name.
        number: 1, 2, 3, ... in its directory.
    """

    started: float
    ended: float | None
    state: str
    config: str
    data: str
    steps: tuple[Step, ...]
    files: tuple[tuple[str, int | None, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    number: int | None = None


def read_record(directory: Path) -> Recorded | None:
    """The last run of a directory; None where there is no store that can be read."""
    path = directory / "metadata.sqlite"
    if not path.is_file():
        return None
    try:
        with reading(path) as reader:
            run = reader.last_run()
            return _recorded(run, reader, directory / "artifacts") if run else None
    except (sqlite3.Error, StoreError):
        return None


def _recorded(run: Run, reader: Reader, artifacts: Path) -> Recorded:
    steps: list[Step] = []
    files: dict[str, tuple[str, int | None, str]] = {}
    for execution in run.executions:
        inputs = reader.inputs(execution.id)
        for raw in inputs:
            if raw.type == RAW_FILE:
                digest = raw.properties.get("sha256") or ""
                files[raw.name] = (raw.name, raw.properties.get("bytes"), digest)
        outputs = reader.outputs(execution.id)
        output = outputs[0].name if outputs else ""
        marker = read_marker(artifacts / output) if output else None
        steps.append(
            Step(
                execution.component,
                execution.state,
                execution.started,
                execution.ended,
                execution.error,
                execution.summary,
                execution.fingerprint,
                tuple(read.name for read in inputs if read.type != RAW_FILE),
                output,
                marker.seconds if marker else None,
                execution.peak_memory,
            )
        )
    return Recorded(
        run.started,
        run.ended,
        run.state,
        run.config,
        run.data,
        tuple(steps),
        tuple(files.values()),
        tuple(_identity(run.properties)),
        run.number,
    )


def _identity(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What tells this run from others, by its name."""
    if digest := properties.get("config_hash"):
        yield "configuration", str(digest)
    git = properties.get("git")
    if isinstance(git, Mapping) and git.get("commit"):
        changed = " and changes that are not committed" if git.get("dirty") else ""
        yield "git commit", f"{git['commit']}{changed}"
    if experiment := properties.get("experiment"):
        yield "experiment", str(experiment)
    versions = properties.get("versions")
    for package, version in versions.items() if isinstance(versions, Mapping) else ():
        if version:
            yield package, str(version)
