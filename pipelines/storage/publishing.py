"""Copies artifacts to the places of a run's directory that scripts rely on."""

import shutil
from pathlib import Path

from pipelines.storage.directories import read_marker, replace_file, replacing


def publish(source: Path, target: Path) -> None:
    """Copies a file or directory to `target`, which is the old one or the new one, never a half.

    A complete artifact that was published before is not copied again. It is a copy, not a link:
    fine-tuning may write to the published model, and the artifact stays what was trained.

    Args:
        source: a text file or a directory.
        target: where it shall lie.
    """
    if not source.is_dir():
        replace_file(target, source.read_text(encoding="utf-8"))
        return
    marker = read_marker(source)
    published = read_marker(target)
    if marker and published and marker.identity == published.identity:
        return
    with replacing(target) as temporary:
        shutil.copytree(source, temporary, dirs_exist_ok=True)
