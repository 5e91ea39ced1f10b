"""What a Pusher's artifact tells of: which version was pushed, and on whose verdict."""

import json
from pathlib import Path

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
