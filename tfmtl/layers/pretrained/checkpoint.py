"""Checkpoints of BERT-like encoders: directories in Hugging Face layout, or KerasHub presets.

DIRECTORY/config.json            the network's shape
DIRECTORY/vocab.txt              word pieces, one a line, in the order of their ids
DIRECTORY/model.safetensors      the weights
DIRECTORY/tokenizer_config.json  whether texts are lower-cased; they are where it is not there
"""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfmtl.layers.pretrained.shape import Shape, shape_of

CONFIG, VOCABULARY, WEIGHTS = "config.json", "vocab.txt", "model.safetensors"
TOKENIZER = "tokenizer_config.json"
KINDS = ("bert", "distilbert", "electra")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_WORDS = "embeddings.word_embeddings.weight"


class CheckpointError(ValueError):
    """A checkpoint that is not there or cannot be used. One line: what is wrong, what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """An encoder's files.

    Attributes:
        directory: where they are.
        config: what `config.json` holds.
        shape: of the network.
        kept: what removes the files when the checkpoint is no longer used; None where they stay.
    """

    directory: Path
    config: dict[str, Any]
    shape: Shape
    kept: Any = None

    @property
    def kind(self) -> str:
        """The architecture, one of `KINDS`."""
        return str(self.config["model_type"])

    @property
    def width(self) -> int:
        """Width of the vectors."""
        return self.shape.width

    @property
    def lower_case(self) -> bool:
        """Whether texts are lower-cased and their accents taken off."""
        path = self.directory / TOKENIZER
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return bool(known.get("do_lower_case", True))

    @cached_property
    def vocabulary(self) -> list[str]:
        """The word pieces by id."""
        text = (self.directory / VOCABULARY).read_text(encoding="utf-8")
        return [piece.removesuffix("\r") for piece in text.removesuffix("\n").split("\n")]

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits, equal for equal files."""
        marks = []
        for name in self._files:
            with (self.directory / name).open("rb") as file:
                marks.append((name, hashlib.file_digest(file, "sha256").hexdigest()))
        return hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:32]

    def about(self) -> dict[str, Any]:
        """What a model is built by: fingerprint, width and shape, as plain JSON."""
        return {
            "fingerprint": self.fingerprint,
            "width": self.width,
            "shape": self.shape._asdict(),
        }

    @property
    def _files(self) -> list[str]:
        names = (CONFIG, VOCABULARY, WEIGHTS, TOKENIZER)
        return [name for name in names if (self.directory / name).is_file()]

    def weights(self) -> dict[str, np.ndarray]:
        """The weights by their names, without the prefix of the architecture.

        Raises:
            ImportError: the extra `text` is not installed.
            CheckpointError: the file is damaged.
        """
        with _opened(self.directory / WEIGHTS) as file:
            named = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return {name.removeprefix(f"{self.kind}."): own for name, own in named.items()}

    def save(self, directory: Path) -> None:
        """Copies the files, all or none of them."""
        if directory.exists():
            return
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".copy-") as scratch:
            copy = Path(scratch) / directory.name
            copy.mkdir()
            for name in self._files:
                shutil.copyfile(self.directory / name, copy / name)
            copy.rename(directory)


def open_checkpoint(checkpoint: str | Path) -> Checkpoint:
    """Opens a checkpoint and checks that its files belong together.

    Args:
        checkpoint: directory in Hugging Face layout, or a KerasHub preset: its directory or name.

    Raises:
        ImportError: the extra `text` is not installed.
        CheckpointError: it is not there, is damaged, or is of an architecture not known here.

    Example:
        >>> open_checkpoint("all-MiniLM-L6-v2").shape.blocks
        6
    """
    from tfmtl.layers.pretrained.presets import converted, is_preset

    directory = Path(checkpoint)
    if is_preset(str(checkpoint)):
        kept = tempfile.TemporaryDirectory(prefix="preset-")
        directory = Path(kept.name)
        converted(str(checkpoint), directory)
        return _read(directory, kept)
    if not directory.is_dir():
        raise CheckpointError(
            f"there is no directory {directory}, nor a KerasHub preset of this name; give a "
            f"directory with {CONFIG}, {VOCABULARY} and {WEIGHTS}"
        )
    return _read(directory)


def _read(directory: Path, kept: Any = None) -> Checkpoint:
    for name in (CONFIG, VOCABULARY, WEIGHTS):
        if not (directory / name).is_file():
            raise CheckpointError(f"{directory} lacks {name}; copy the whole checkpoint")
    path = directory / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config["model_type"]
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(f"{path}: expected JSON with model_type; copy it anew") from None
    if kind not in KINDS:
        raise CheckpointError(f"{path}: model_type should be {', '.join(KINDS)}, got '{kind}'")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise CheckpointError(f"{path}: position_embedding_type should be absolute")
    if config.get("embedding_size", config.get("hidden_size")) != config.get("hidden_size"):
        raise CheckpointError(f"{path}: embedding_size should be hidden_size")
    try:
        shape = shape_of(config)
    except KeyError as error:
        raise CheckpointError(f"{path}: lacks {error.args[0]}; copy it anew") from None
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    checkpoint = Checkpoint(directory, config, shape, kept)
    _check_pieces(checkpoint)
    return checkpoint


def _check_pieces(checkpoint: Checkpoint) -> None:
    """That the word pieces are those of the weights."""
    path = checkpoint.directory / VOCABULARY
    try:
        pieces = checkpoint.vocabulary
    except UnicodeDecodeError:
        raise CheckpointError(f"{path}: expected UTF-8, one word piece a line") from None
    lacking = [piece for piece in SPECIAL if piece not in pieces]
    if lacking:
        raise CheckpointError(f"{path}: lacks {', '.join(lacking)}; it is of another encoder")
    if pieces[0] != "[PAD]":
        raise CheckpointError(f"{path}: expected [PAD] in the first line, got {pieces[0]}")
    weights = checkpoint.directory / WEIGHTS
    with _opened(weights) as file:
        names = [name for name in file.keys() if name.endswith(_WORDS)]  # noqa: SIM118
        rows = file.get_slice(names[0]).get_shape()[0] if names else None
    if rows is None:
        raise CheckpointError(f"{weights}: lacks {_WORDS}; it is of another encoder")
    if len(pieces) != rows:
        raise CheckpointError(
            f"{path}: has {len(pieces):,} word pieces and the encoder {rows:,} embeddings; the "
            "tokenizer is of another encoder"
        )


def _opened(path: Path) -> Any:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ImportError(
            'pretrained encoders need an extra; run: pip install "tfmtl[text]"'
        ) from None
    try:
        return safe_open(path, framework="np")
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: no whole weights file ({error}); copy it anew") from None
