"""Runs components one after the other, and only those whose result is not there yet.

    result = run(components(config), config, Path("data"), Path("out/shop"))

Every component writes one artifact, a directory under `artifacts/`. It is skipped when a complete
artifact lies there that was made from the same configuration, data, inputs and code. A run that
is killed therefore resumes at the step it was killed in, and leaves nothing half-made.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from pipelines.caching.planning import ARTIFACTS, Planner, check_owner
from pipelines.components.base import Component, PipelineError
from pipelines.console.progress import Display
from pipelines.failures import disk_full, is_disk_full, one_line, terminated_as_interrupted
from pipelines.metadata import Store
from pipelines.session import RunResult, Session
from pipelines.storage.directories import sweep
from pipelines.storage.locking import locked
from tfmtl.config import Config

METADATA = "metadata.sqlite"
SERVING = "serving"


def run(
    components: Sequence[Component],
    config: Config,
    data: Path,
    output: Path,
    console: Console | None = None,
    published: Mapping[str, str] | None = None,
    serving: Path | None = None,
    reuse: Sequence[Path] = (),
    experiment: str | None = None,
) -> RunResult:
    """Runs a pipeline.

    Args:
        components: the steps; each consumes artifacts of those before it.
        config: the whole configuration.
        data: directory of the raw files.
        output: the run's directory, made if there is none.
        console: where progress is shown; stdout if it is not given.
        published: what to copy to the run's directory when all steps are done, from names there
            to paths below `artifacts/`.
        serving: where models are pushed to; `serving` in the run's directory if not given.
        reuse: directories of other runs; an artifact that one of them has made from the same is
            taken over instead of made.
        experiment: name of what the run is a part of, for the metadata store.

    Returns:
        What each step did.

    Raises:
        PipelineError: one line; finished steps are kept.
        ConfigError: one line about the configuration or the data it describes.
    """
    _check(components)
    try:
        with locked(output), Store(output / METADATA) as store, terminated_as_interrupted():
            sweep(output)
            sweep(output / ARTIFACTS)
            check_owner(config, output)
            target = serving or output / SERVING
            session = Session(
                data,
                output,
                target,
                store,
                Display(console or Console()),
                Planner(data, output, target),
                tuple(reuse),
            )
            return session.run(components, config, published or {}, experiment)
    except (OSError, sqlite3.Error) as error:
        if is_disk_full(error):
            raise disk_full(output) from error
        raise PipelineError(f"output {output}: {one_line(error)}") from error


def _check(components: Sequence[Component]) -> None:
    produced: set[str] = set()
    for component in components:
        for name in component.consumes:
            if name not in produced:
                raise ValueError(
                    f"`{component.name}` should consume what a component before it produces. "
                    f"Received: {name}"
                )
        produced.add(component.produces)
