"""The tiny shop with titles and queries that one pretrained encoder reads."""

from pathlib import Path
from typing import Any

import tiny

from tests.tiny_encoder import tiny_checkpoint
from tfmtl.config import Config
from tfmtl.layers.pretrained.checkpoint import open_checkpoint
from tfmtl.preprocessing.encoders import ENCODERS, write_encoders

VOCABULARIES = {name: own for name, own in tiny.VOCABULARIES.items() if name != "words"}


def make_config(encoder: dict[str, Any], **changes: Any) -> Config:
    """The shop's configuration; what an encoder has beside its checkpoint is given."""
    raw = tiny.make_raw(changes)
    spec = {"kind": "pretrained", "checkpoint": "encoder", **encoder}
    title = {"name": "title_words", "column": "title", "kind": "text", "dim": 3, "length": 8}
    query = {"name": "query", "kind": "text", "dim": 4, "length": 6}
    raw["features"]["item"][-1] = {**title, "encoder": spec}
    raw["features"]["query"] = [{**query, "encoder": spec}]
    return tiny.parse(raw)


def write_transformed(directory: Path, config: Config) -> Path:
    """What Transform leaves of it, a copy of the encoder included."""
    checkpoint = open_checkpoint(tiny_checkpoint(directory / "given", width=16, layers=2))
    transformed = directory / "transformed"
    checkpoint.save(transformed / ENCODERS / checkpoint.fingerprint)
    write_encoders(transformed, {"encoder": checkpoint.about()})
    return tiny.write_transformed(transformed, config, VOCABULARIES)
