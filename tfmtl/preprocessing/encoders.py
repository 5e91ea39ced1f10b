"""The pretrained encoders that an analysis keeps a copy of, as files.

DIRECTORY/encoders/index.json     {checkpoint: {"fingerprint": ..., "width": n}}, by the name that
                                  the configuration has for the checkpoint
DIRECTORY/encoders/FINGERPRINT/   a copy of it: configuration, word pieces and weights
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfmtl.config import Config, Pretrained, TextFeature

ENCODERS = "encoders"
"""Directory of the copies, beside that of the vocabularies."""
INDEX = "index.json"


def checkpoints(config: Config) -> list[str]:
    """Checkpoints that the configuration's features of text name, each once."""
    return list(dict.fromkeys(encoder.checkpoint for _, encoder in pretrained_texts(config)))


def pretrained_texts(config: Config) -> list[tuple[TextFeature, Pretrained]]:
    """Features of text with a pretrained encoder, and that encoder."""
    texts = [feature for feature in config.features if isinstance(feature, TextFeature)]
    return [(text, text.pretrained) for text in texts if text.pretrained is not None]


def frozen_texts(config: Config) -> list[TextFeature]:
    """Features of text whose encoder is frozen."""
    return [feature for feature, _ in pretrained_texts(config) if feature.frozen]


def encodings(config: Config) -> dict[str, list[str]]:
    """What decides the inputs that pretrained texts give a model: checkpoint and tuning, and the
    pooling of frozen ones."""
    return {
        feature.name: [
            encoder.checkpoint,
            encoder.tuning,
            *([encoder.pooling] if feature.frozen else []),
        ]
        for feature, encoder in pretrained_texts(config)
    }


def write_encoders(directory: Path, known: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes which copy is whose; the copies lie there already."""
    (directory / ENCODERS / INDEX).write_text(json.dumps(known, indent=2), encoding="utf-8")


def read_encoders(directory: Path) -> dict[str, dict[str, Any]]:
    """Reads fingerprint and width by checkpoint; empty where there is no encoder."""
    path = directory / ENCODERS / INDEX
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def encoder_path(directory: Path, checkpoint: str) -> Path:
    """The copy of a checkpoint.

    Raises:
        FileNotFoundError: the analysis did not know the checkpoint.
    """
    known = read_encoders(directory)
    if checkpoint not in known:
        raise FileNotFoundError(
            f"{directory / ENCODERS}: there is no copy of checkpoint '{checkpoint}', only of "
            f"{', '.join(known) or 'none'}; run the pipeline from StatisticsGen on"
        )
    return directory / ENCODERS / str(known[checkpoint]["fingerprint"])


def encoding_name(directory: Path, feature: TextFeature) -> str:
    """What decides the vector of a text, as the name of a file: features of one name share it."""
    encoder = feature.pretrained
    assert encoder is not None, feature.name
    mark = read_encoders(directory)[encoder.checkpoint]["fingerprint"]
    return f"{mark[:16]}-{encoder.pooling}-{feature.length}-{feature.max_bytes}"
