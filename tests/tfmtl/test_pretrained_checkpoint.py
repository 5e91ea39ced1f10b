"""Checkpoints that are missing, damaged, or not of one encoder: one line that says so."""

import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_encoder import tiny_checkpoint

pytest.importorskip("safetensors", reason='needs the extra: pip install "tfmtl[text]"')

from safetensors.numpy import load_file, save_file

from tfmtl.layers.pretrained.checkpoint import CheckpointError, open_checkpoint
from tfmtl.layers.pretrained.weights import weights_by_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "bert")


@pytest.fixture
def checkpoint(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "own"))


def _config(**changes: Any) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        path = directory / "config.json"
        config = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))

    return change


def _truncate(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def _other_words(directory: Path) -> None:
    path = directory / "vocab.txt"
    path.write_text(path.read_text() + "more\n")


def _no_marks(directory: Path) -> None:
    path = directory / "vocab.txt"
    path.write_text(path.read_text().replace("[CLS]", "<s>"))


def _no_padding(directory: Path) -> None:
    path = directory / "vocab.txt"
    path.write_text(path.read_text().replace("[PAD]\n[UNK]", "[UNK]\n[PAD]"))


def _not_utf8(directory: Path) -> None:
    (directory / "vocab.txt").write_bytes(b"\xff\xfe\n")


def _not_json(directory: Path) -> None:
    (directory / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "vocab.txt").unlink(), "own lacks vocab.txt; copy the whole checkpoint"),
        (lambda d: (d / "model.safetensors").unlink(), "own lacks model.safetensors"),
        (lambda d: (d / "config.json").unlink(), "own lacks config.json"),
        (_truncate, r"model.safetensors: no whole weights file .*; copy it anew"),
        (_not_json, "config.json: expected JSON with model_type"),
        (_config(model_type="t5"), "model_type should be bert, distilbert, electra, got 't5'"),
        (_config(num_hidden_layers=None), "config.json: lacks num_hidden_layers"),
        (_config(num_attention_heads=5), "5 heads should divide the width, 32"),
        (_config(hidden_act="swish"), "activation should be gelu or relu, got 'swish'"),
        (_config(embedding_size=16), "embedding_size should be hidden_size"),
        (_config(position_embedding_type="relative_key"), "position_embedding_type"),
        (
            _other_words,
            r"has \d+ word pieces and the encoder \d+ embeddings; the tokenizer is of another",
        ),
        (_no_padding, r"vocab.txt: expected \[PAD\] in the first line, got \[UNK\]"),
        (_no_marks, r"vocab.txt: lacks \[CLS\]; it is of another encoder"),
        (_not_utf8, "vocab.txt: expected UTF-8"),
    ],
)
def test_damaged_checkpoints(
    checkpoint: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(checkpoint)
    with pytest.raises(CheckpointError, match=message) as raised:
        open_checkpoint(checkpoint)
    assert "\n" not in str(raised.value)


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no directory .*nothing, nor a KerasHub"):
        open_checkpoint(tmp_path / "nothing")


def test_a_preset_that_cannot_be_had(tmp_path: Path) -> None:
    pytest.importorskip("keras_hub", reason='needs the extra: pip install "tfmtl[text]"')
    (tmp_path / "config.json").write_text('{"registered_name": "keras_hub>BertBackbone"}')
    with pytest.raises(CheckpointError, match=r"cannot be loaded .*without internet give the dir"):
        open_checkpoint(tmp_path)


def test_a_weight_of_another_shape(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    weights = load_file(path)
    weights["encoder.layer.1.output.dense.bias"] = np.zeros(7, np.float32)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"layer.1.output.dense.bias should be 32, .* got 7"):
        weights_by_path(open_checkpoint(checkpoint))
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"lacks encoder\.layer.1.output.dense.bias"):
        weights_by_path(open_checkpoint(checkpoint))


def test_a_copy_has_the_fingerprint_and_every_file_counts(checkpoint: Path, tmp_path: Path) -> None:
    opened = open_checkpoint(checkpoint)
    opened.save(tmp_path / "copies" / "one")
    assert open_checkpoint(tmp_path / "copies" / "one").fingerprint == opened.fingerprint
    (checkpoint / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    changed = open_checkpoint(checkpoint)
    assert changed.fingerprint != opened.fingerprint
    assert not changed.lower_case


def test_without_the_extra(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("safetensors"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r'pip install "tfmtl\[text\]"'):
        open_checkpoint(checkpoint)
