"""What the store finds out by itself: the code's version, memory, and what artifacts say."""

import os
import resource
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines.caching.manifests import MARKER
from pipelines.storage.directories import read_json

_PACKAGES = ("tfmtl", "tensorflow", "keras", "apache-beam")
_SECONDS_FOR_GIT = 10


@cache
def package_versions() -> dict[str, str | None]:
    """Versions of what decides a run's result; None where it is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def code_version(directory: Path) -> dict[str, Any] | None:
    """The git commit that a directory is at.

    Returns:
        `commit`, and `dirty`: whether tracked files differ from it, None where git cannot be
        asked. None for a directory that is in no repository, or in one without a commit.
    """
    commit = _git(directory, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        found = _commit_by_hand(directory)
        return {"commit": found, "dirty": None} if found else None
    if not commit:
        return None
    changed = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def peak_memory() -> int:
    """The most bytes that this process has held so far."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        # What `getrusage` tells may be of the process that started this one.
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def properties_of(artifact: Path) -> dict[str, Any]:
    """Size of an artifact, and what is asked of those that others have replaced: the metrics and
    the verdict of an evaluation, the version of a push."""
    files = (path for path in artifact.rglob("*") if path.is_file() and path.name != MARKER)
    sizes = [path.stat().st_size for path in files]
    properties: dict[str, Any] = {"files": len(sizes), "bytes": sum(sizes)}
    evaluation = read_json(artifact / "evaluation.json")
    if isinstance(evaluation.get("tasks"), dict):
        tasks = evaluation["tasks"].items()
        properties["metrics"] = {task: found.get("overall", {}) for task, found in tasks}
        properties["blessed"] = evaluation.get("blessed")
    pushed = read_json(artifact / "pushed.json")
    properties |= {key: pushed[key] for key in ("name", "version") if key in pushed}
    return properties


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(directory: Path, *words: str) -> str | None:
    """What git answers; empty where it says no, None where it cannot be asked."""
    try:
        answer = subprocess.run(
            ["git", *words],
            cwd=directory,
            # The run must not wait for a lock on the index, nor take one.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_GIT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _commit_by_hand(directory: Path) -> str | None:
    """The commit that `.git/HEAD` names, for a machine without git."""
    for parent in (directory, *directory.parents):
        home = parent / ".git"
        if not home.exists():
            continue
        try:
            if home.is_file():
                home = parent / home.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            head = (home / "HEAD").read_text(encoding="utf-8").strip()
            if not head.startswith("ref: "):
                return head
            return _resolved(home, head.removeprefix("ref: "))
        except OSError:
            return None
    return None


def _resolved(home: Path, reference: str) -> str | None:
    shared = home / "commondir"
    places = [home]
    if shared.is_file():
        places.append(home / shared.read_text(encoding="utf-8").strip())
    for place in places:
        if (place / reference).is_file():
            return (place / reference).read_text(encoding="utf-8").strip()
        packed = place / "packed-refs"
        lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
        for line in lines:
            commit, _, name = line.partition(" ")
            if name == reference:
                return commit
    return None
