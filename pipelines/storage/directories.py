"""Directories that appear whole or not at all, and the marker that says they are whole.

A directory is written as a temporary sibling, marked and renamed into place. Whoever is killed on
the way leaves a sibling that `sweep` removes; the directory itself is the old one or the new one.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.caching.manifests import MARKER, Manifest, identity
from pipelines.storage.exchanging import exchange

_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<kind>tmp|old)-\d+")


@dataclass(frozen=True)
class Marker:
    """What is known about a complete artifact.

    Attributes:
        fingerprint: identity of everything it was made from.
        seconds: time it took.
        summary: what its component said about it.
        parts: what the fingerprint is made of, see `pipelines.caching.fingerprints.step_parts`.
        config: the whole configuration of the run that made it.
        files: what it consists of.
    """

    fingerprint: str
    seconds: float
    summary: dict[str, Any]
    parts: dict[str, Any]
    config: dict[str, Any]
    files: Manifest

    @property
    def identity(self) -> str:
        """Identity of its content."""
        return identity(self.files)


@contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """An empty sibling of `final` to write to, which takes its place when the block succeeds.

    Args:
        final: directory to replace or to make.

    Yields:
        The temporary directory; it is removed when the block raises.
    """
    temporary = _sibling(final, "tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _put_in_place(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, final: Path) -> None:
    """Renames a directory; what lay there before has the temporary's name afterwards, or none."""
    if not final.exists():
        temporary.rename(final)
    elif not exchange(temporary, final):
        # For a moment there is neither; `sweep` brings the old one back if it is the last.
        old = _sibling(final, "old")
        final.rename(old)
        temporary.rename(final)
        shutil.rmtree(old, ignore_errors=True)


def replace_file(path: Path, text: str) -> None:
    """Writes a text file that is never seen half-written."""
    temporary = _sibling(path, "tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where the file is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def sweep(parent: Path) -> None:
    """Clears away what killed runs left in `parent`.

    An old directory that was moved aside and has no successor is put back.
    """
    if not parent.is_dir():
        return
    for path in parent.iterdir():
        leftover = _LEFTOVER.fullmatch(path.name)
        if not leftover:
            continue
        final = path.with_name(leftover["name"])
        if leftover["kind"] == "old" and not final.exists():
            path.rename(final)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def mark(directory: Path, marker: Marker) -> None:
    """Marks a directory as complete. The last thing written to it.

    The file is a new one, for an older one of that name may be another directory's too.
    """
    replace_file(directory / MARKER, json.dumps(asdict(marker), default=_plain))


def read_marker(directory: Path) -> Marker | None:
    """The marker of a complete directory; None for one that is absent, foreign or half-made."""
    try:
        marker = Marker(**json.loads((directory / MARKER).read_text(encoding="utf-8")))
        files = {name: (int(s), int(t), str(h)) for name, (s, t, h) in marker.files.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return replace(marker, files=files)


def refresh(directory: Path, marker: Marker) -> None:
    """Marks a directory anew if something else is known of it now."""
    if read_marker(directory) != marker:
        mark(directory, marker)


def adopt(source: Path, final: Path, marker: Marker) -> None:
    """Makes a complete directory of another one's files, without a copy where links are possible.

    Args:
        source: a complete directory.
        final: directory to replace or to make.
        marker: what is known of it.
    """
    with replacing(final) as temporary:
        shutil.copytree(
            source, temporary, copy_function=_linked, ignore=_marker, dirs_exist_ok=True
        )
        mark(temporary, marker)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _marker(directory: str, names: list[str]) -> set[str]:
    return {MARKER}.intersection(names)


def _sibling(final: Path, kind: str) -> Path:
    return final.with_name(f".{final.name}.{kind}-{os.getpid()}")


def _plain(value: Any) -> Any:
    # A numpy number in a summary should not cost the user an hour of training.
    return value.item() if hasattr(value, "item") else str(value)
