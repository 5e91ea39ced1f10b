"""Whether a step has to run: what it is about to be made from, beside what its artifact was."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.caching.contents import Contents
from pipelines.caching.fingerprints import fingerprint, step_parts
from pipelines.caching.manifests import differences, manifest
from pipelines.caching.reasons import changed_parts
from pipelines.components.base import Component, PipelineError
from pipelines.storage.directories import Marker, read_marker
from tfmtl.config import Config

ARTIFACTS = "artifacts"
_MEMORY = ".hashes.json"


@dataclass(frozen=True)
class Plan:
    """What is to be done about a step.

    Attributes:
        parts: what it is made from, see `pipelines.caching.fingerprints.step_parts`.
        fingerprint: identity of that.
        marker: that of the artifact which is there already; None where the step has to run.
        reasons: why it has to run, the gravest first; empty where it need not.
        first: there is no artifact of it at all yet.
    """

    parts: dict[str, Any]
    fingerprint: str
    marker: Marker | None
    reasons: tuple[str, ...]
    first: bool


class Planner:
    """Plans the steps of one run.

    Args:
        data: directory of the raw files.
        output: the run's directory.
        serving: directory of the pushed models.
    """

    def __init__(self, data: Path, output: Path, serving: Path):
        self._data = data
        self._output = output
        self._serving = serving
        self.contents = Contents(output / _MEMORY)

    def plan(self, component: Component, config: Config, consumed: Mapping[str, str]) -> Plan:
        """Plans a step; nothing is written.

        Args:
            component: the step.
            config: the whole configuration.
            consumed: identities of the artifacts it reads, by name.
        """
        parts = step_parts(component, config, consumed, self._data, self.contents)
        made = fingerprint(parts)
        artifact = self._output / ARTIFACTS / component.produces
        marker = read_marker(artifact)
        if marker is None:
            there = artifact.exists()
            reason = (
                f"{ARTIFACTS}/{artifact.name} is not complete"
                if there
                else "there is no artifact yet"
            )
            return Plan(parts, made, None, (reason,), not there)
        reasons = changed_parts(component, marker, parts, config)
        if not component.cached:
            reasons = (*reasons, "it runs every time")
        found = replace(marker, files=manifest(artifact, marker.files))
        damage = differences(marker.files, found.files)
        reasons += tuple(
            f"{ARTIFACTS}/{artifact.name}/{name} {what} by hand" for name, what in damage
        )
        if not reasons and not component.valid(artifact, self._base_path(config)):
            reasons = ("what it speaks of outside the run has changed",)
        return Plan(parts, made, None if reasons else found, reasons, False)

    def adoptable(
        self, component: Component, plan: Plan, config: Config, run: Path
    ) -> Marker | None:
        """The marker of another run's whole artifact of the plan's fingerprint, if there is one."""
        artifact = run / ARTIFACTS / component.produces
        marker = read_marker(artifact)
        if not component.cached or marker is None or marker.fingerprint != plan.fingerprint:
            return None
        files = manifest(artifact, marker.files)
        damaged = any(differences(marker.files, files))
        holds = not damaged and component.valid(artifact, self._base_path(config))
        return replace(marker, files=files) if holds else None

    def _base_path(self, config: Config) -> Path:
        return self._serving / config.served_name


def check_owner(config: Config, output: Path) -> None:
    """Refuses a directory that holds another configuration's run.

    Raises:
        PipelineError: one line with both names.
    """
    for artifact in sorted((output / ARTIFACTS).glob("[!.]*")):
        marker = read_marker(artifact)
        name = marker.config.get("name") if marker else None
        if name not in (None, config.name):
            raise PipelineError(
                f"{output} holds the run of '{name}', and this configuration is '{config.name}'; "
                "choose another --output"
            )
