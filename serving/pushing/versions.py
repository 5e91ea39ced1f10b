"""Versions of a served model on disk: `BASE/NUMBER/`, where the largest number is the latest.

A server may read a version as soon as its directory has a number for a name, so a push writes to
a `.tmp-*` sibling, makes that durable and renames it: a version is there completely or not at all.
Every version tells in `assets.extra/manifest.json` where it comes from.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from serving.pushing.durable import locked, sync, sync_tree
from serving.pushing.manifest import read_manifest, write_manifest
from serving.pushing.model_config import FILE, version_labels, write_labels

_TEMPORARY = ".tmp-"
_GRAPH_FILES = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")

KERAS_MODEL = "assets.extra/keras_model"
"""Where a version keeps the Keras model it was made from, relative to its directory."""


def version_directories(base_path: Path) -> dict[int, Path]:
    """The version directories below a base path, by number, ascending.

    A child counts when its name is a number that an int64 holds, as TF Serving's are; nothing
    checks that it is complete. Of two names of one number (`1` and `001`) the last in order of
    names is taken.

    Raises:
        FileNotFoundError: When the base path does not exist.
    """
    found = {
        int(child.name): child
        for child in sorted(Path(base_path).iterdir())
        if re.fullmatch(r"0*[0-9]{1,19}", child.name) and child.is_dir()
    }
    return {number: path for number, path in sorted(found.items()) if number < 2**63}


def versions(base_path: Path) -> list[int]:
    """The version numbers below a base path, ascending; empty when it does not exist."""
    try:
        return list(version_directories(base_path))
    except FileNotFoundError:
        return []


def latest(base_path: Path) -> int | None:
    """The largest version number below a base path, `None` when there is none."""
    return max(versions(base_path), default=None)


def newest_model(base_path: str | Path) -> Path | None:
    """Directory of the Keras model that the latest version was made from.

    Args:
        base_path: directory of a served model's versions, e.g. `out/shop/serving/shop`.

    Returns:
        The directory, for `tfmtl.load_model`; None when there is no version.
    """
    version = latest(Path(base_path)) if Path(base_path).is_dir() else None
    return None if version is None else Path(base_path) / str(version) / KERAS_MODEL


def push(
    source_dir: Path,
    base_path: Path,
    keep: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> int:
    """Copies a SavedModel below a base path as its next version.

    Pushes to one base path wait for one another. What a killed push left behind is removed.

    Args:
        source_dir: A SavedModel directory; stays as it is.
        base_path: The model's base path; made when it does not exist.
        keep: How many of the newest versions stay, the new one included; all when not given. A
            version that a label points to stays in any case.
        about: What the manifest shall say beside the name, the number and the files.

    Returns:
        The new version's number, one more than the largest there is.

    Raises:
        ValueError: When `source_dir` is not a SavedModel, or the labels cannot be read.

    Example:
        >>> push(Path("export/shop"), Path("serving/shop"))
        1
    """
    source_dir, base_path = Path(source_dir), Path(base_path)
    if not any((source_dir / name).is_file() for name in _GRAPH_FILES):
        raise ValueError(f"a SavedModel should hold saved_model.pb. Received: {source_dir}")
    base_path.mkdir(parents=True, exist_ok=True)
    with locked(base_path):
        return add_version(
            base_path,
            lambda directory: shutil.copytree(source_dir, directory, dirs_exist_ok=True),
            about or {},
            keep,
        )


def add_version(
    base_path: Path,
    fill: Callable[[Path], Any],
    about: Mapping[str, Any],
    keep: int | None,
) -> int:
    """Makes the next version of a base path that the caller holds locked.

    Args:
        base_path: The model's base path.
        fill: Writes the version's files into a directory.
        about: What the manifest shall say.
        keep: How many of the newest versions stay; all when not given.

    Returns:
        The new version's number.
    """
    version_labels(base_path)  # What cannot be read is said before anything is written.
    _sweep(base_path)
    number = (latest(base_path) or 0) + 1
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=base_path))
    try:
        fill(temporary)
        write_manifest(temporary, base_path.name, number, about)
        # Readable to its owner only, where the server may be another user.
        temporary.chmod(0o755)
        sync_tree(temporary)
        temporary.rename(base_path / str(number))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _settle(base_path, keep)
    return number


def prune(base_path: Path, keep: int | None) -> None:
    """Does what a push still has to do when its version is there, as one that was killed then.

    Args:
        base_path: The model's base path.
        keep: How many of the newest versions stay; all when not given.
    """
    with locked(base_path):
        _sweep(base_path)
        _settle(base_path, keep)


def latest_versions(serving: Path) -> dict[str, int]:
    """The latest version of every model in a directory of served models, by name."""
    found = {path.name: latest(path) for path in sorted(serving.iterdir()) if path.is_dir()}
    return {name: version for name, version in found.items() if version is not None}


def pushed_last(base_path: Path) -> int | None:
    """The version of the last push, which is not the latest one after a rollback.

    A rollback withdraws a version; the verdict that led to it is still the last one there was.
    """
    version = latest(base_path)
    while version is not None:
        try:
            rolled_back = read_manifest(base_path / str(version)).get("rolled_back")
        except ValueError:
            return version
        if rolled_back is None:
            return version
        version = rolled_back["from"]
    return None


def _sweep(base_path: Path) -> None:
    """Removes what killed pushes have left behind."""
    for leftover in base_path.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(leftover)


def _settle(base_path: Path, keep: int | None) -> None:
    """Makes the latest version known, and removes the oldest."""
    sync(base_path)
    if (base_path.parent / FILE).is_file():
        write_labels(base_path.parent, latest_versions(base_path.parent), {})
    _remove_all_but(base_path, keep, set(version_labels(base_path).values()))


def _remove_all_but(base_path: Path, keep: int | None, labelled: set[int]) -> None:
    """Removes the oldest versions; a rename takes each from the server's sight at once."""
    numbered = version_directories(base_path)
    for number in sorted(numbered)[: -keep if keep else 0]:
        if number not in labelled:
            gone = base_path / f"{_TEMPORARY}{number}"
            numbered[number].rename(gone)
            shutil.rmtree(gone)
