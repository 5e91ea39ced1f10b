"""What was pushed: which version, on whose verdict, and whether it is there already."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.artifacts import Pushed
from pipelines.caching.manifests import identity, manifest

PUSHED = "pushed.json"


def pushed_version(artifact: Path) -> int | None:
    """The version that a Pusher's artifact tells of; None where nothing was pushed."""
    path = artifact / PUSHED
    version: int | None = json.loads(path.read_bytes())["version"] if path.is_file() else None
    return version


def led_to_latest(evaluation: Path, base_path: Path) -> bool:
    """Whether the last push has come from a verdict.

    So it has also where the run was killed before it could say so, and where the version was rolled
    back since: what is served then is of no consequence for the verdict.

    Args:
        evaluation: the Evaluator's artifact.
        base_path: the served model's.
    """
    from serving.pushing.manifest import read_manifest
    from serving.pushing.versions import pushed_last

    version = pushed_last(base_path)
    if version is None:
        return False
    if version == pushed_version(evaluation.parent / Pushed.name):
        return True
    try:
        sources = read_manifest(base_path / str(version)).get("sources", {})
    except ValueError:
        return False
    return sources.get("evaluation") == identity(manifest(evaluation))


def weights_of(saved_model: Path) -> str:
    """Identity of what a model has learnt: training it again from the same gives it again, also
    where code has changed that makes no difference to it."""
    from serving.pushing.manifest import file_hashes

    hashes = file_hashes(saved_model)
    learnt = {n: one for n, one in hashes.items() if n.startswith(("variables/", "assets/"))}
    return hashlib.sha256(json.dumps(learnt or hashes, sort_keys=True).encode()).hexdigest()


def withdrawn_as(base_path: Path, weights: str) -> int | None:
    """The version with these weights that a rollback has taken out of service; None without."""
    from serving.pushing.rollback import withdrawn_sources

    for entry in withdrawn_sources(base_path):
        if entry["sources"].get("weights") == weights:
            return int(entry["version"])
    return None


def served_already(base_path: Path, sources: Mapping[str, Any]) -> int | None:
    """The latest version, if it is this very model: a killed run has pushed it.

    Args:
        base_path: the served model's.
        sources: what it comes from; `infra` names the SavedModel.
    """
    from serving.pushing.manifest import damages, read_manifest
    from serving.pushing.versions import latest

    version = latest(base_path) if base_path.is_dir() else None
    if version is None:
        return None
    directory = base_path / str(version)
    try:
        same = read_manifest(directory).get("sources", {}).get("infra") == sources["infra"]
        return version if same and not damages(directory) else None
    except ValueError:
        return None
