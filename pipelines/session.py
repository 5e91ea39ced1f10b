"""The steps of one run: each is skipped, taken over from another run, or carried out."""

import shutil
import sqlite3
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.artifacts import Hyperparameters
from pipelines.caching.fingerprints import data_files
from pipelines.caching.manifests import manifest
from pipelines.caching.planning import ARTIFACTS, Plan, Planner
from pipelines.caching.reasons import in_short
from pipelines.components.base import Component, Context
from pipelines.console.progress import Display
from pipelines.console.tally import Tally, duration
from pipelines.failures import explained
from pipelines.metadata import DataFile, Store
from pipelines.storage.directories import Marker, adopt, mark, refresh, replacing
from pipelines.storage.publishing import publish
from pipelines.tuner import best
from tfmtl.config import Config, dump


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


@dataclass(frozen=True)
class Session:
    """What the steps of one run share."""

    data: Path
    output: Path
    serving: Path
    store: Store
    display: Display
    planner: Planner
    reuse: tuple[Path, ...]

    def run(
        self,
        components: Sequence[Component],
        config: Config,
        published: Mapping[str, str],
        experiment: str | None,
    ) -> RunResult:
        run_id = self.store.start_run(dump(config), self.data, experiment)
        steps: dict[str, Step] = {}
        identities: dict[str, str] = {}
        reuse = self.reuse
        try:
            for component in components:
                step, identity = self._step(run_id, component, config, identities, reuse)
                steps[component.name] = step
                identities[component.produces] = identity
                if component.artifact is Hyperparameters:
                    config = best.apply(config, step.artifact)
                    reuse = (*reuse, step.artifact / best.RUN)
            for name, source in published.items():
                publish(self.output / ARTIFACTS / source, self.output / name)
        except BaseException:
            with suppress(sqlite3.Error):
                self.store.end_run(run_id, "FAILED")
            raise
        self.store.end_run(run_id, "COMPLETE")
        return RunResult(self.output, steps)

    def _step(
        self,
        run_id: int,
        component: Component,
        config: Config,
        identities: Mapping[str, str],
        reuse: Sequence[Path],
    ) -> tuple[Step, str]:
        """Runs or skips one component; its step, and the identity of its artifact."""
        consumed = {name: identities[name] for name in component.consumes}
        try:
            plan = self.planner.plan(component, config, consumed)
        except Exception as error:
            raise explained(component.name, error, self.output) from error
        self.planner.contents.save()
        final = self._artifact(component.produces)
        marker, word = plan.marker, "cached"
        if marker is not None:
            refresh(final, marker)
        else:
            marker, word = self._adopt(component, config, plan, reuse), "reused"
        execution = self.store.start(
            run_id,
            component.name,
            plan.fingerprint,
            [(name, self._artifact(name), identities[name]) for name in component.consumes],
            files=self._raw_files(component, config, plan),
            parameters=plan.parts["config"],
            makes=None if marker is not None else (component.produces, final),
        )
        cached = marker is not None
        if marker is not None:
            self.display.line(component.name, word, _headline(marker.summary), "cyan")
        else:
            marker = self._execute(component, config, plan, execution)
        self.store.end(
            execution,
            "CACHED" if cached else "COMPLETE",
            marker.summary,
            (component.produces, final, marker.identity),
        )
        step = Step(component.name, final, cached, marker.seconds, marker.summary)
        return step, marker.identity

    def _adopt(
        self, component: Component, config: Config, plan: Plan, reuse: Sequence[Path]
    ) -> Marker | None:
        """Takes the artifact over from the first run that has it."""
        for run in reuse:
            marker = self.planner.adoptable(component, plan, config, run)
            if marker is not None:
                own = replace(marker, config=config.model_dump(mode="json"))
                adopt(run / ARTIFACTS / component.produces, self._artifact(component.produces), own)
                return own
        return None

    def _execute(self, component: Component, config: Config, plan: Plan, execution: int) -> Marker:
        tally = Tally()
        work = self._work(component, plan.fingerprint)
        if not plan.first:
            self.display.line(component.name, "", f"because {in_short(plan.reasons)}")
        try:
            with (
                replacing(self._artifact(component.produces)) as temporary,
                self.display.running(component.name, tally) as progress,
            ):
                context = Context(config, self.data, self.output, self.serving, progress, work)
                summary = component.execute(context, self.output / ARTIFACTS, temporary)
                marker = Marker(
                    plan.fingerprint,
                    round(tally.seconds, 3),
                    summary,
                    plan.parts,
                    config.model_dump(mode="json"),
                    manifest(temporary),
                )
                mark(temporary, marker)
            shutil.rmtree(work.parent, ignore_errors=True)
        except (Exception, KeyboardInterrupt) as error:
            self.display.line(component.name, "failed", duration(tally.seconds), "red")
            with suppress(sqlite3.Error):
                self.store.fail(execution, traceback.format_exc())
            raise explained(component.name, error, self.output) from error
        parts = (duration(marker.seconds), tally.overall(), _headline(summary))
        self.display.line(
            component.name, "done", "  ".join(part for part in parts if part), "green"
        )
        self.display.below(summary.get("lines", ()))
        return marker

    def _raw_files(self, component: Component, config: Config, plan: Plan) -> list[DataFile]:
        return [
            DataFile(name, path.stat().st_size, plan.parts["data"][name])
            for name, path in data_files(config, self.data, component.tables(config))
        ]

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


def _headline(summary: Mapping[str, Any]) -> str:
    return str(summary.get("headline", ""))
