"""Back to an earlier version, forwards: TF Serving serves the largest number.

A rollback therefore pushes a copy of the earlier version as the next one. Files are shared as hard
links where the file system has them, so that it costs no disk space and hardly any time.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.pushing.durable import locked
from serving.pushing.manifest import MANIFEST, damages, read_manifest
from serving.pushing.versions import add_version, latest, version_directories, versions

_KEPT = ("sources", "run", "metrics", "verdict", "reindexed")
"""What the copy's manifest takes over from the version it is a copy of."""


@dataclass(frozen=True)
class Rollback:
    """What a rollback did.

    Attributes:
        version: the new version's number.
        withdrawn: the version that was the latest before.
        to: the version it is a copy of.
    """

    version: int
    withdrawn: int
    to: int


def roll_back(base_path: Path, to: int | None = None, keep: int | None = None) -> Rollback:
    """Serves an earlier version again.

    Args:
        base_path: the model's base path.
        to: the version to go back to; the one before that which is served if not given.
        keep: how many of the newest versions stay; all when not given.

    Returns:
        What was done.

    Raises:
        ValueError: there is no version to go back to, the one that was named is served already,
            or it is not what was pushed any more.

    Example:
        >>> roll_back(Path("out/shop/serving/shop"))
        Rollback(version=4, withdrawn=3, to=2)
    """
    if not base_path.is_dir():
        raise ValueError(f"{base_path}: expected a pushed model's versions, there are none")
    with locked(base_path):
        newest = latest(base_path)
        if newest is None:
            raise ValueError(f"{base_path}: expected a pushed model's versions, there are none")
        served = original(base_path, newest)
        target = _before(base_path, served) if to is None else to
        _check_target(base_path, target, newest, served)
        source = version_directories(base_path)[target]
        about = _about(base_path, newest, target)
        version = add_version(base_path, lambda new: _link(source, new), about, keep)
    return Rollback(version, newest, target)


def withdrawn_sources(base_path: Path) -> list[dict[str, Any]]:
    """What rollbacks have taken out of service, if the latest version is one.

    Returns:
        `[{"version", "sources"}]`, as the manifests say.
    """
    newest = latest(base_path)
    manifest = {} if newest is None else _manifest(base_path, newest)
    return list(manifest.get("withdrawn", []))


def original(base_path: Path, version: int) -> int:
    """The version that a rollback's version is a copy of, however many rollbacks there were.

    Args:
        base_path: the model's versions.
        version: one of them; itself where no rollback has made it.
    """
    while True:
        rolled_back = _manifest(base_path, version).get("rolled_back")
        if rolled_back is None:
            return version
        version = rolled_back["to"]


def _before(base_path: Path, served: int) -> int:
    """The version pushed before `served`."""
    withdrawn = {entry["version"] for entry in withdrawn_sources(base_path)}
    earlier = [
        version
        for version in versions(base_path)
        if version < served
        and version not in withdrawn
        and "rolled_back" not in _manifest(base_path, version)
    ]
    if not earlier:
        raise ValueError(
            f"{base_path}: version {served} is served, and no version that was pushed before it "
            "is left"
        )
    return max(earlier)


def _check_target(base_path: Path, target: int, newest: int, served: int) -> None:
    if target not in versions(base_path):
        raise ValueError(
            f"{base_path}: there is no version {target}; there is {_listed(base_path)}"
        )
    if target in (newest, served):
        copy = f", version {newest} is a copy of it" if newest != served else ""
        raise ValueError(f"{base_path}: version {target} is served already{copy}")
    changed = damages(version_directories(base_path)[target])
    if changed:
        raise ValueError(
            f"{base_path / str(target)}: expected the files that were pushed, {changed[0]}; "
            "choose another version"
        )


def _about(base_path: Path, newest: int, target: int) -> dict[str, Any]:
    left, taken = _manifest(base_path, newest), read_manifest(base_path / str(target))
    entry = {"version": original(base_path, newest), "sources": left.get("sources", {})}
    withdrawn = [entry, *left.get("withdrawn", [])]
    first = original(base_path, target)
    return {
        **{key: taken[key] for key in _KEPT if key in taken},
        "rolled_back": {"from": newest, "to": target},
        "withdrawn": [one for one in withdrawn if one["version"] != first],
    }


def _manifest(base_path: Path, version: int) -> dict[str, Any]:
    """A version's manifest; empty where it is gone or damaged, so that one can leave it."""
    try:
        return read_manifest(base_path / str(version))
    except ValueError:
        return {}


def _link(source: Path, target: Path) -> None:
    def link_or_copy(old: str, new: str) -> None:
        try:
            os.link(old, new)
        except OSError:
            shutil.copy2(old, new)

    ignored = shutil.ignore_patterns(Path(MANIFEST).name)
    shutil.copytree(source, target, ignore=ignored, copy_function=link_or_copy, dirs_exist_ok=True)


def _listed(base_path: Path) -> str:
    return ", ".join(map(str, versions(base_path)))
