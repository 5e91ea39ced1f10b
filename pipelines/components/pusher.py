"""Pusher: a blessed model that is fit to serve becomes the next version for TF Serving."""

import json
from pathlib import Path
from typing import Any

from pipelines.artifacts import Evaluation, Infra, Output, Pushed
from pipelines.caching.fingerprints import content_fingerprint
from pipelines.components.base import Context, Summary, component
from pipelines.components.infra_validator import INFRA, SAVED_MODEL
from pipelines.pushes import PUSHED, pushed_version, served_already, weights_of, withdrawn_as
from pipelines.storage.directories import read_marker
from tfmtl.config import Config


def _reads(config: Config) -> Any:
    return [config.served_name, config.serving.keep_versions]


def _still_there(artifact: Path, base_path: Path) -> bool:
    """Whether the version that was pushed has not been removed since, or was withdrawn."""
    from serving.pushing.rollback import withdrawn_sources

    version = pushed_version(artifact)
    if version is None or (base_path / str(version)).is_dir():
        return True
    return version in [entry["version"] for entry in withdrawn_sources(base_path)]


@component(reads=_reads, valid=_still_there)
def Pusher(
    context: Context, evaluation: Evaluation, infra: Infra, pushed: Output[Pushed]
) -> Summary:
    """Pushes the SavedModel if it is blessed, fit, and neither served already nor withdrawn.

    The artifact holds `pushed.json`: the `version`, null where nothing was pushed, for the
    `reason` given, the model's `name`, and whether it was `blessed`.
    """
    from serving.pushing import versions

    verdict = json.loads((evaluation.path / "evaluation.json").read_bytes())
    fitness = json.loads((infra.path / INFRA).read_bytes())
    name, keep = context.config.served_name, context.config.serving.keep_versions
    base_path = context.serving / name
    sources = _sources(evaluation.path, infra.path, fitness)
    version, reason = None, _refusal(verdict, fitness, base_path, sources)
    if reason is None:
        version = served_already(base_path, sources)
        if version is None:
            about = _about(context, sources, verdict)
            version = versions.push(infra.path / SAVED_MODEL, base_path, keep, about)
        else:
            versions.prune(base_path, keep)
    told = {"version": version, "name": name, "blessed": verdict["blessed"], "reason": reason}
    (pushed.path / PUSHED).write_text(json.dumps(told), encoding="utf-8")
    return {**told, "headline": f"version {version}" if version else f"nothing: {reason}"}


def _sources(evaluation: Path, infra: Path, fitness: dict[str, Any]) -> dict[str, Any]:
    """Fingerprints of what a version comes from."""
    marker = read_marker(infra)
    return {
        "model": fitness.get("model"),
        "weights": weights_of(infra / SAVED_MODEL),
        "infra": marker.fingerprint if marker else content_fingerprint(infra),
        "evaluation": content_fingerprint(evaluation),
    }


def _refusal(
    verdict: dict[str, Any], fitness: dict[str, Any], base_path: Path, sources: dict[str, Any]
) -> str | None:
    """Why the model is not pushed; None where nothing speaks against it."""
    if not verdict["blessed"]:
        return "the model is not blessed"
    if not fitness["fit"]:
        return f"TF Serving would refuse the model: {fitness['reasons'][0]}"
    version = withdrawn_as(base_path, sources["weights"])
    if version is None:
        return None
    return (
        f"this model was rolled back as version {version}; "
        f"`tfmtl rollback DIR --to {version}` brings it back"
    )


def _about(context: Context, sources: dict[str, Any], verdict: dict[str, Any]) -> dict[str, Any]:
    """What the version's manifest says about where it comes from."""
    tasks = verdict.get("tasks", {})
    return {
        "sources": sources,
        "run": _run(context.run),
        "metrics": {task: metrics["overall"] for task, metrics in tasks.items()},
        "verdict": {
            "blessed": verdict["blessed"],
            "rules": [rule["text"] for rule in verdict.get("rules", [])],
        },
    }


def _run(directory: Path) -> dict[str, Any]:
    """The run that pushes, as the metadata store knows it."""
    from pipelines.metadata.opening import reading
    from pipelines.metadata.outcomes import raw_files

    path = directory / "metadata.sqlite"
    if not path.is_file():
        return {}
    with reading(path) as reader:
        run = reader.last_run()
        if run is None:
            return {}
        return {
            "number": run.number,
            "directory": directory.resolve().name,
            "config_hash": run.properties.get("config_hash"),
            "git": run.properties.get("git"),
            "data": run.data,
            "data_files": raw_files(reader, run),
        }
