"""A served model's catalogue is made anew and pushed with it; nothing is trained."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.components.base import PipelineError, Progress
from pipelines.components.infra_validator import checked
from pipelines.preprocess.writing import write_parquet
from pipelines.pushes import weights_of
from pipelines.reindexing.catalogue import Change, compared, make_catalogue
from pipelines.reindexing.items import described_by, read_items
from serving.pushing import versions
from serving.pushing.manifest import read_manifest
from serving.warmup_records import WARMUP_FILE
from tfmtl.config import Config, load
from tfmtl.models.saved import CATALOGUE, CONFIG, load_model

_KEPT = ("run", "metrics", "verdict", "withdrawn")
"""What the new version's manifest takes over: the model is the one that was measured."""


@dataclass(frozen=True)
class Reindexed:
    """What came of it.

    Attributes:
        version: number of the version that was pushed.
        before: number of the one that its model is taken from.
        change: what is new in the catalogue, and what is gone.
        duplicates: rows that were left out, for another has their key.
        kept: which of two rows with one key counts, `last` or `first`.
        index: what the index says of itself; None where nothing is retrieved.
    """

    version: int
    before: int
    change: Change
    duplicates: int
    kept: str
    index: dict[str, Any] | None


def reindex(base_path: Path, items: Path, changes: Sequence[str], progress: Progress) -> Reindexed:
    """Pushes the latest version's model with another catalogue.

    Args:
        base_path: the served model's versions.
        items: a file of the items that there are now, or a directory of files.
        changes: `key=value` pairs of the configuration below `serving`.
        progress: callback for the live line.

    Raises:
        PipelineError: the items cannot be read, or TF Serving would refuse the version.
        ConfigError: a change is wrong.
    """
    before = versions.latest(base_path)
    served = base_path / str(before)
    if before is None or not (served / versions.KERAS_MODEL / CONFIG).is_file():
        raise PipelineError(
            f"{base_path}: expected a version with its Keras model, there is none; "
            "`tfmtl run` pushes one"
        )
    config = load(served / versions.KERAS_MODEL / CONFIG, changes)
    # Beside the versions, so that what a kill leaves is not taken for one of them.
    with tempfile.TemporaryDirectory(dir=base_path.parent, prefix=".reindex-") as scratch:
        home, saved_model = Path(scratch) / "model", Path(scratch) / "saved_model"
        shutil.copytree(served / versions.KERAS_MODEL, home)
        known = pq.read_table(home / CATALOGUE)
        source, work = described_by(config, items), Path(scratch) / "work"
        rows, duplicates = read_items(config, items, work, progress)
        catalogue = make_catalogue(config, source, rows, known, home)
        change = compared(config, catalogue, known, items)
        told = _checked(config, home, saved_model, catalogue, None if changes else served, progress)
        about = _about(served, saved_model, before, items, change)
        version = versions.push(saved_model, base_path, config.serving.keep_versions, about)
    return Reindexed(version, before, change, duplicates, source.duplicates, told["index"])


def _checked(
    config: Config,
    home: Path,
    saved_model: Path,
    catalogue: pa.Table,
    like: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Writes the SavedModel and asks it in the place of TF Serving.

    Args:
        config: the configuration.
        home: a copy of the model's directory, which gets the catalogue.
        saved_model: where to write.
        catalogue: the new one.
        like: a version whose warm-up requests this one takes over.
        progress: callback for the live line.
    """
    write_parquet(catalogue, home / CATALOGUE)
    model = load_model(home, config.serving)
    if like is not None and (like / WARMUP_FILE).is_file():
        (saved_model / WARMUP_FILE).parent.mkdir(parents=True)
        shutil.copyfile(like / WARMUP_FILE, saved_model / WARMUP_FILE)
    told = checked(model, home, saved_model, {}, progress)
    if told["reasons"]:
        raise PipelineError(
            f"nothing is pushed, TF Serving would refuse the version: {told['reasons'][0]}"
        )
    return told


def _about(
    served: Path, saved_model: Path, before: int, items: Path, change: Change
) -> dict[str, Any]:
    """What the version's manifest says about where it comes from."""
    try:
        manifest = read_manifest(served)
    except ValueError as error:
        raise PipelineError(str(error)) from None
    sources = {**manifest.get("sources", {}), "weights": weights_of(saved_model)}
    files = (
        sorted(path for path in items.rglob("*") if path.is_file()) if items.is_dir() else [items]
    )
    return {
        **{key: manifest[key] for key in _KEPT if key in manifest},
        "sources": sources,
        "reindexed": {
            "from": before,
            **asdict(change),
            "files": {path.name: _hash(path) for path in files},
        },
    }


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
