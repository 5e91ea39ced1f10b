"""What the store remembers, as plain tuples."""

from typing import Any, Literal, NamedTuple

State = Literal["RUNNING", "COMPLETE", "CACHED", "FAILED"]
ArtifactState = Literal["PENDING", "LIVE", "DELETED", "ABANDONED"]

RAW_FILE = "RawFile"
"""Type of the artifacts that are files of the data directory."""


class DataFile(NamedTuple):
    """A raw file that a step reads.

    Attributes:
        path: relative to the data directory where it lies there.
        size: bytes.
        sha256: hash of its content; None where it is not known.
    """

    path: str
    size: int
    sha256: str | None


class Artifact(NamedTuple):
    """Something a step has made or read.

    Attributes:
        id: number in the store.
        type: `Model`; `RawFile` for a file of the data directory.
        name: directory below `artifacts/`, or path of a raw file.
        uri: where it lies, relative to the run's directory; of a raw file, to the data's.
        state: PENDING while it is being made, LIVE when it is there, DELETED when another one has
            taken its place, ABANDONED when the step that was to make it did not.
        identity: what tells it from others of its name: the fingerprint of what it was made from,
            or the hash of its content.
        created: time of its record.
        properties: size, and what its own files say: metrics, version.
    """

    id: int
    type: str
    name: str
    uri: str
    state: ArtifactState
    identity: str | None
    created: float
    properties: dict[str, Any]


class Execution(NamedTuple):
    """One step of one run.

    Attributes:
        component: name of the component.
        state: RUNNING, COMPLETE, CACHED or FAILED.
        started: time in seconds since 1970.
        ended: the same; None while it runs, and where it was killed.
        error: why it failed.
        summary: what the component said about its work.
        id: number in the store.
        run: number of the run.
        fingerprint: what decides its result.
        parameters: the part of the configuration that it read.
        peak_memory: bytes, the most that the process has held until the step's end.
    """

    component: str
    state: State
    started: float
    ended: float | None
    error: str | None
    summary: dict[str, Any]
    id: int
    run: int
    fingerprint: str
    parameters: Any
    peak_memory: int | None


class Run(NamedTuple):
    """One run and its steps.

    Attributes:
        started: time in seconds since 1970.
        ended: the same; None while it runs, and where it was killed.
        state: RUNNING, COMPLETE or FAILED.
        config: YAML.
        data: directory of the raw files.
        executions: in their order.
        number: 1, 2, 3, ... in its directory.
        properties: `config_hash`, `git` (`commit` and `dirty`, or None), `versions`, `experiment`.
    """

    started: float
    ended: float | None
    state: State
    config: str
    data: str
    executions: list[Execution]
    number: int
    properties: dict[str, Any]
