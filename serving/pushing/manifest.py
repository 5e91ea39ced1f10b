"""What a version says about itself: `assets.extra/manifest.json`, written with it.

    {"name": "shop", "version": 4, "pushed_at": "2026-11-22T16:20:07+00:00",
     "tfmtl": "0.1.0", "tensorflow": "2.21.0",
     "sources": {"model": ..., "infra": ..., "evaluation": ..., "weights": ...},
     "run": {...}, "metrics": {...}, "verdict": {...},
     "rolled_back": {"from": 3, "to": 2}, "withdrawn": [{"version": 3, "sources": {...}}],
     "reindexed": {...}, "index": {...},
     "files": {"saved_model.pb": "SHA-256 in hexadecimal digits", ...}}

`sources` are the fingerprints of the artifacts it comes from, and of its weights; `run`, `metrics`
and `verdict` are what the Pusher knows. `rolled_back` and `withdrawn` are in a version that a
rollback has made, `reindexed` in one of a new catalogue; `index` is what the version's index says
of itself, see serving/index/describing.py.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from serving.index.describing import read_index

MANIFEST = "assets.extra/manifest.json"
"""Where it lies, relative to the version's directory."""


def write_manifest(directory: Path, name: str, version: int, about: Mapping[str, Any]) -> None:
    """Writes the manifest of a directory whose other files are all there.

    Args:
        directory: the version, not yet in its place.
        name: the served model's.
        version: the number it will have.
        about: what else is known of it, as JSON data.
    """
    index = read_index(directory)
    manifest = {
        "name": name,
        "version": version,
        "pushed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tfmtl": _installed("tfmtl"),
        "tensorflow": _installed("tensorflow"),
        **about,
        **({"index": index} if index else {}),
        "files": file_hashes(directory),
    }
    path = directory / MANIFEST
    path.parent.mkdir(exist_ok=True)
    # A manifest that came as a hard link would be changed in the other version too.
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def read_manifest(directory: Path) -> dict[str, Any]:
    """A version's manifest; empty for a version that was put there by hand.

    Raises:
        ValueError: it is there and damaged.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, the file is damaged: {error}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ValueError(f"{path}: expected an object with `files`, the file is damaged")
    return manifest


def damages(directory: Path) -> list[str]:
    """What is not as it was when the version was pushed.

    Args:
        directory: the version.

    Returns:
        A line for every file that is missing, changed or new; none for a version without a
        manifest, of which nothing is known.

    Raises:
        ValueError: the manifest is damaged.
    """
    manifest = read_manifest(directory)
    if not manifest:
        return []
    expected, found = manifest["files"], file_hashes(directory)
    lines = [f"{name} is missing" for name in sorted(set(expected) - set(found))]
    lines += [f"{name} was added" for name in sorted(set(found) - set(expected))]
    both = sorted(set(expected) & set(found))
    return lines + [f"{name} was changed" for name in both if expected[name] != found[name]]


def file_hashes(directory: Path) -> dict[str, str]:
    """SHA-256 of every file of a version but its manifest, by path below the directory."""
    hashes = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
