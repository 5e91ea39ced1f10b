"""What a component is: a name, typed inputs and output, and a function that does the work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tfmtl.config import Config

Summary = dict[str, Any]
"""What a component says about its work: plain JSON data, kept in the metadata store. `headline` is
printed on the component's line, `lines` below it."""


class PipelineError(RuntimeError):
    """A run that cannot go on. One line: what was expected, what came, what to do."""


class Progress(Protocol):
    """Where a component reports how far it has come."""

    def __call__(self, done: int, total: int | None, unit: str, note: str = "") -> None:
        """Shows `done` of `total` (None: unknown) rows, examples or files, and a short note."""


@dataclass(frozen=True)
class Context:
    """What the runner hands a component.

    Attributes:
        config: the whole configuration.
        data: directory that the configuration's paths are relative to.
        inputs: directories of the artifacts the component consumes, by artifact name.
        output: empty directory to write the artifact to; it is renamed into place afterwards, so
            a killed run leaves nothing half-made.
        run: the run's own directory.
        serving: directory of the pushed models, `serving/NAME/VERSION`.
        progress: callback for the live line.
        work: directory for what is to survive a kill, the same one when the step is run again from
            the same inputs; made by the step if it needs one, removed when the step is done.
    """

    config: Config
    data: Path
    inputs: Mapping[str, Path]
    output: Path
    run: Path
    serving: Path
    progress: Progress
    work: Path | None = None


@dataclass(frozen=True)
class Component:
    """One step of the pipeline.

    Attributes:
        name: the component's name, as TFX has it: `Transform`.
        produces: name of its artifact, a directory under `artifacts/`.
        consumes: names of the artifacts it reads.
        reads: the parts of the configuration that decide its result, as plain data; a change of
            anything else does not run it again.
        execute: does the work. Raises `PipelineError` when the run cannot go on.
        raw: reads the data directory too.
        cached: may be skipped when nothing it reads has changed.
        valid: whether an artifact made earlier still holds, for one that speaks of something
            outside itself. Receives the artifact and the base path of the served model, whose
            versions are its directories.
        by_content: what follows runs again only if the artifact's content is another one, for a
            step that may come to another result from the same inputs.
    """

    name: str
    produces: str
    consumes: tuple[str, ...]
    reads: Callable[[Config], Any]
    execute: Callable[[Context], Summary]
    raw: bool = False
    cached: bool = True
    valid: Callable[[Path, Path], bool] = lambda artifact, base_path: True
    by_content: bool = False
