"""When a step may be skipped: a fingerprint of everything that decides its result."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from glob import escape, glob
from importlib import metadata
from pathlib import Path

from pipelines.components.base import Component
from pipelines.directories import MARKER
from pipelines.sources import source_hash
from tfmtl.config import Config

_PACKAGES = ("tfmtl", "tensorflow", "keras", "apache-beam", "pyarrow")
"""Whose versions may change a result."""


def step_fingerprint(
    component: Component, config: Config, consumed: Mapping[str, str], data: Path
) -> str:
    """Fingerprint of what a component is about to make.

    Args:
        component: the step.
        config: the whole configuration; only what the step reads counts.
        consumed: fingerprints of the artifacts it reads, by name.
        data: the data directory; counts for a step that reads raw files.

    Returns:
        32 hexadecimal digits, equal if and only if the step would do the same work again.
    """
    parts = {
        "component": component.name,
        "config": component.reads(config),
        "consumed": dict(consumed),
        "data": list(data_files(config, data)) if component.raw else None,
        "code": [_versions(), source_hash(component.execute)],
    }
    return _digest(json.dumps(parts, sort_keys=True).encode())


def content_fingerprint(directory: Path) -> str:
    """Fingerprint of the files in a directory.

    It stands for the artifact of a step that always runs, so that what follows runs again only if
    the step came to another result.
    """
    hashes = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != MARKER:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            hashes.append([path.relative_to(directory).as_posix(), content])
    return _digest(json.dumps(hashes).encode())


def data_files(config: Config, data: Path) -> Iterator[tuple[str, int, int]]:
    """Path, size and modification time of every raw file the configuration names.

    A path is relative to the data directory where the configuration's is.
    """
    for table in config.source.tables.values():
        for path in _matches(data, table.path):
            status = path.stat()
            inside = path.is_relative_to(data)
            name = (path.relative_to(data) if inside else path).as_posix()
            yield name, status.st_size, status.st_mtime_ns


def _matches(data: Path, pattern: str) -> list[Path]:
    path = data / pattern
    if path.is_file():
        return [path]
    # The data directory is no pattern, whatever its name; an absolute pattern replaces it.
    everywhere = os.path.join(escape(str(data)), pattern)
    found = path.rglob("*") if path.is_dir() else map(Path, glob(everywhere, recursive=True))
    return sorted(file for file in found if file.is_file())


@cache
def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
