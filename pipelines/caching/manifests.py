"""The files of an artifact: what tells one content from another, and whether someone changed it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

MARKER = ".complete"
"""File of an artifact that is written last; no part of its content."""

Manifest = dict[str, tuple[int, int, str]]
"""Path of each file below the directory -> size, time of modification (ns) and hash."""


def manifest(directory: Path, known: Mapping[str, tuple[int, int, str]] | None = None) -> Manifest:
    """The files of a directory. Only those are read that are not as they are known.

    Args:
        directory: the artifact.
        known: an earlier manifest of it.
    """
    found: Manifest = {}
    for path in sorted(directory.rglob("*")):
        if not path.is_file() or path.name == MARKER:
            continue
        name, status = path.relative_to(directory).as_posix(), path.stat()
        before = (known or {}).get(name)
        if before is not None and tuple(before[:2]) == (status.st_size, status.st_mtime_ns):
            found[name] = (before[0], before[1], before[2])
        else:
            found[name] = (status.st_size, status.st_mtime_ns, file_hash(path))
    return found


def identity(files: Mapping[str, tuple[int, int, str]]) -> str:
    """Identity of a content: 32 hexadecimal digits, equal for equal files of equal names."""
    hashes = sorted((name, digest) for name, (_, _, digest) in files.items())
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:32]


def differences(
    before: Mapping[str, tuple[int, int, str]], now: Mapping[str, tuple[int, int, str]]
) -> Iterator[tuple[str, str]]:
    """Path of every file that is another one, and what became of it."""
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            yield name, "was deleted"
        elif name not in before:
            yield name, "was added"
        elif before[name][2] != now[name][2]:
            yield name, "was edited"


def file_hash(path: Path) -> str:
    """Hash of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
