"""Runs components one after the other, and only those whose result is not there yet.

    result = run(COMPONENTS, config, Path("data"), Path("out/shop"))

Every component writes one artifact, a directory under `artifacts/`. It is skipped when a complete
artifact lies there that was made from the same configuration, data, inputs and code. A run that
is killed therefore resumes at the step it was killed in, and leaves nothing half-made.
"""

import fcntl
import os
import shutil
import sqlite3
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pipelines.components.base import Component, Context, PipelineError
from pipelines.directories import Marker, mark, read_marker, replacing, sweep
from pipelines.failures import (
    InterruptedRunError,
    disk_full,
    is_disk_full,
    one_line,
    terminated_as_interrupted,
)
from pipelines.fingerprints import content_fingerprint, step_fingerprint
from pipelines.metadata import Store
from pipelines.progress import Display
from pipelines.publishing import publish
from pipelines.tally import Tally, duration
from tfmtl.config import Config, ConfigError, dump

ARTIFACTS = "artifacts"
METADATA = "metadata.sqlite"
SERVING = "serving"


@dataclass(frozen=True)
class Step:
    """One component's part in a run.

    Attributes:
        component: the component's name.
        artifact: directory of what it made.
        cached: whether the artifact was there already.
        seconds: time it took, in the run that made it.
        summary: what the component said about its work.
    """

    component: str
    artifact: Path
    cached: bool
    seconds: float
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class RunResult:
    """A run that came to its end.

    Attributes:
        output: the run's directory.
        steps: by component name, in the order of the pipeline.
    """

    output: Path
    steps: Mapping[str, Step]


def run(
    components: Sequence[Component],
    config: Config,
    data: Path,
    output: Path,
    console: Console | None = None,
    published: Mapping[str, str] | None = None,
    serving: Path | None = None,
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

    Returns:
        What each step did.

    Raises:
        PipelineError: one line; finished steps are kept.
        ConfigError: one line about the configuration or the data it describes.
    """
    _check(components)
    try:
        with _locked(output), Store(output / METADATA) as store, terminated_as_interrupted():
            sweep(output)
            sweep(output / ARTIFACTS)
            display = Display(console or Console())
            target = serving or output / SERVING
            session = _Session(config, data, output, target, store, display)
            result = session.run(components)
            for name, source in (published or {}).items():
                publish(output / ARTIFACTS / source, output / name)
            return result
    except (OSError, sqlite3.Error) as error:
        if is_disk_full(error):
            raise disk_full(output) from error
        raise PipelineError(f"output {output}: {one_line(error)}") from error


@dataclass(frozen=True)
class _Session:
    """What the steps of one run share."""

    config: Config
    data: Path
    output: Path
    serving: Path
    store: Store
    display: Display

    def run(self, components: Sequence[Component]) -> RunResult:
        run_id = self.store.start_run(dump(self.config), self.data)
        steps: dict[str, Step] = {}
        identities: dict[str, str] = {}
        try:
            for component in components:
                steps[component.name], identity = self._step(run_id, component, identities)
                identities[component.produces] = identity
        except BaseException:
            with suppress(sqlite3.Error):
                self.store.end_run(run_id, "FAILED")
            raise
        self.store.end_run(run_id, "COMPLETE")
        return RunResult(self.output, steps)

    def _step(
        self, run_id: int, component: Component, identities: Mapping[str, str]
    ) -> tuple[Step, str]:
        """Runs or skips one component; its step, and the identity of its artifact."""
        consumed = {name: identities[name] for name in component.consumes}
        fingerprint = step_fingerprint(component, self.config, consumed, self.data)
        inputs = [(name, self._artifact(name), identities[name]) for name in component.consumes]
        execution = self.store.start(run_id, component.name, fingerprint, inputs)
        final = self._artifact(component.produces)
        found = read_marker(final)
        cached = (
            component.cached
            and found is not None
            and found.fingerprint == fingerprint
            and component.valid(final, self.serving / self.config.served_name)
        )
        if cached and found is not None:
            marker = found
            self.display.line(component.name, "cached", _headline(marker.summary), "cyan")
        else:
            marker = self._execute(component, fingerprint, execution)
        by_content = component.by_content or not component.cached
        identity = content_fingerprint(final) if by_content else fingerprint
        self.store.end(
            execution,
            "CACHED" if cached else "COMPLETE",
            marker.summary,
            (component.produces, final, identity),
        )
        step = Step(component.name, final, cached, marker.seconds, marker.summary)
        return step, identity

    def _execute(self, component: Component, fingerprint: str, execution: int) -> Marker:
        tally = Tally()
        try:
            with (
                replacing(self._artifact(component.produces)) as temporary,
                self.display.running(component.name, tally) as progress,
            ):
                context = Context(
                    config=self.config,
                    data=self.data,
                    inputs={name: self._artifact(name) for name in component.consumes},
                    output=temporary,
                    run=self.output,
                    serving=self.serving,
                    progress=progress,
                    work=self._work(component, fingerprint),
                )
                summary = component.execute(context)
                marker = Marker(fingerprint, round(tally.seconds, 3), summary)
                mark(temporary, marker)
            shutil.rmtree(self._work(component, fingerprint).parent, ignore_errors=True)
        except (Exception, KeyboardInterrupt) as error:
            self.display.line(component.name, "failed", duration(tally.seconds), "red")
            with suppress(sqlite3.Error):
                self.store.fail(execution, traceback.format_exc())
            raise self._explained(component, error) from error
        parts = (duration(marker.seconds), tally.overall(), _headline(summary))
        self.display.line(
            component.name, "done", "  ".join(part for part in parts if part), "green"
        )
        self.display.below(summary.get("lines", ()))
        return marker

    def _explained(self, component: Component, error: BaseException) -> Exception:
        """The error as the user should see it: one line that says what to do."""
        if isinstance(error, KeyboardInterrupt):
            return InterruptedRunError(
                f"interrupted in {component.name}; finished steps are kept, "
                "the same command goes on from there"
            )
        if is_disk_full(error):
            return disk_full(self.output)
        if isinstance(error, PipelineError | ConfigError):
            return type(error)(f"{component.name}: {one_line(error)}")
        if isinstance(error, OSError):
            return PipelineError(f"{component.name}: {one_line(error)}")
        return PipelineError(
            f"{component.name}: unexpected {type(error).__name__}: {one_line(error)} "
            "(TFMTL_DEBUG=1 shows where)"
        )

    def _work(self, component: Component, fingerprint: str) -> Path:
        """Where a step may keep what it goes on from after a kill; that of other inputs is gone."""
        home = self.output / ARTIFACTS / f".work-{component.produces}"
        if home.is_dir():
            for other in home.iterdir():
                if other.name != fingerprint:
                    shutil.rmtree(other, ignore_errors=True)
        return home / fingerprint

    def _artifact(self, name: str) -> Path:
        return self.output / ARTIFACTS / name


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


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Keeps a second run out of the directory; the system frees the lock of a killed one."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise PipelineError(
                f"{output} is in use by another run (process {file.read().strip() or '?'}); "
                "wait for it, or choose another --output"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _headline(summary: Mapping[str, Any]) -> str:
    return str(summary.get("headline", ""))
