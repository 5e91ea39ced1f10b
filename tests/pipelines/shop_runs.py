"""Runs over the simulated shop's logs, compared byte by byte."""

import hashlib
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "pipelines" / "configs" / "shop.yaml"


def contents(directory: Path) -> dict[str, str]:
    """Hash of every file of the artifacts, by its path below them."""
    artifacts = directory / "artifacts"
    return {
        str(path.relative_to(artifacts)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(artifacts.rglob("*"))
        if path.is_file()
    }
