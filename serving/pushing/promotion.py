"""Labels on versions: clients ask for `stable` or `canary`, and a promotion moves the label."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.pushing.durable import locked
from serving.pushing.manifest import read_manifest
from serving.pushing.model_config import (
    check_label,
    read_model_config,
    version_labels,
    write_labels,
)
from serving.pushing.versions import latest_versions, version_directories, versions


@dataclass(frozen=True)
class Described:
    """A version as `tfmtl promote DIR` lists it.

    Attributes:
        version: its number.
        labels: those that point to it.
        manifest: what it says about itself; empty where that is absent.
        damaged: why the manifest cannot be read, if so.
    """

    version: int
    labels: list[str]
    manifest: dict[str, Any]
    damaged: str | None


def promote(base_path: Path, version: int, label: str, base: str | None = None) -> int | None:
    """Lets a label point to a version.

    Args:
        base_path: the model's base path.
        version: which version.
        label: its name, `stable` or `canary` by custom.
        base: directory of the models as the server sees it, where that is another one.

    Returns:
        The version the label pointed to before, if it did.

    Raises:
        ValueError: there is no such version, the label is none, or the version's manifest or the
            file of the labels is damaged.
    """
    check_label(label)
    base_path = Path(base_path)
    if version not in versions(base_path):
        listed = ", ".join(map(str, versions(base_path))) or "none"
        raise ValueError(f"{base_path}: there is no version {version}; there is {listed}")
    with locked(base_path):
        read_manifest(version_directories(base_path)[version])
        labels = version_labels(base_path)
        before = labels.get(label)
        _write(base_path, {**labels, label: version}, base)
    return before


def remove_label(base_path: Path, label: str, base: str | None = None) -> int:
    """Takes a label away.

    Returns:
        The version it pointed to.

    Raises:
        ValueError: the model has no such label.
    """
    base_path = Path(base_path)
    with locked(base_path):
        labels = version_labels(base_path)
        if label not in labels:
            listed = ", ".join(labels) or "none"
            raise ValueError(f"{base_path}: there is no label '{label}'; there is {listed}")
        before = labels.pop(label)
        _write(base_path, labels, base)
    return before


def describe(base_path: Path) -> list[Described]:
    """Every version of a model with its labels and its manifest, the newest first."""
    labels = version_labels(base_path)
    described = []
    for version, directory in sorted(version_directories(base_path).items(), reverse=True):
        own = [label for label, number in labels.items() if number == version]
        manifest, damaged = {}, None
        try:
            manifest = read_manifest(directory)
        except ValueError as error:
            damaged = str(error)
        described.append(Described(version, own, manifest, damaged))
    return described


def served_versions(base_path: Path) -> set[int]:
    """The versions that a server of the labels' file loads by it; empty where it has no labels."""
    for entry in read_model_config(base_path.parent).model_config_list.config:
        if entry.name == base_path.name:
            return set(entry.model_version_policy.specific.versions)
    return set()


def _write(base_path: Path, labels: dict[str, int], base: str | None) -> None:
    serving = base_path.parent
    write_labels(serving, latest_versions(serving), {base_path.name: labels}, base)
