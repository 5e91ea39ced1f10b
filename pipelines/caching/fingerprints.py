"""When a step may be skipped: everything that decides its result, and a fingerprint of it."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from glob import escape, glob
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines.caching.contents import Contents
from pipelines.caching.manifests import identity, manifest
from pipelines.caching.sources import Sources
from pipelines.components.base import Component
from tfmtl.config import Config, TableSource

_PACKAGES = ("tfmtl", "tensorflow", "keras", "apache-beam", "pyarrow")
"""Whose versions may change a result."""


def step_parts(
    component: Component,
    config: Config,
    consumed: Mapping[str, str],
    data: Path,
    contents: Contents,
) -> dict[str, Any]:
    """Everything that decides what a component makes.

    Args:
        component: the step.
        config: the whole configuration; only what the step reads counts.
        consumed: identities of the artifacts it reads, by name.
        data: the data directory; counts for a step that reads raw files.
        contents: hashes of files.

    Returns:
        Plain data: `component`, its name; `config`, what it reads of it; `inputs`, as `consumed`;
        `data`, the hash of each raw file by its path; `packages`, versions by name; `code`, the
        hash of each file by its path.
    """
    raw = data_files(config, data, component.tables(config))
    parts = {
        "component": component.name,
        "config": component.reads(config),
        "inputs": dict(consumed),
        "data": {name: _hash(path, contents) for name, path in raw},
        "packages": _versions(),
        "code": Sources(contents).of(component.function),
    }
    plain: dict[str, Any] = json.loads(json.dumps(parts, sort_keys=True))
    return plain


def fingerprint(parts: Mapping[str, Any]) -> str:
    """32 hexadecimal digits, equal if and only if a step would do the same work again."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def content_fingerprint(directory: Path) -> str:
    """Fingerprint of the files in a directory."""
    return identity(manifest(directory))


def data_files(
    config: Config, data: Path, tables: Iterable[TableSource] | None = None
) -> Iterator[tuple[str, Path]]:
    """Name and path of every raw file of some tables.

    A name is relative to the data directory where the configuration's path is.

    Args:
        config: the configuration.
        data: the data directory.
        tables: the tables; those of the configuration's `source` where not given.
    """
    for table in config.source.tables.values() if tables is None else tables:
        for path in _matches(data, table.path):
            inside = path.is_relative_to(data)
            yield (path.relative_to(data) if inside else path).as_posix(), path


def _hash(path: Path, contents: Contents) -> str | None:
    try:
        return contents.sha256(path)
    except OSError:
        return None  # the component that reads it says what is wrong with it


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
