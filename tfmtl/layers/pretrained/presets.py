"""KerasHub presets, written in Hugging Face layout."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tfmtl.layers.pretrained import checkpoint as files

_SCHEMES = ("kaggle://", "hf://", "modelscope://")
_BACKBONES = ("BertBackbone", "DistilBertBackbone", "ElectraBackbone")
_WORDS, _POSITIONS = "word_embeddings.weight", "position_embeddings.weight"


def is_preset(name: str) -> bool:
    """Whether a checkpoint is one of KerasHub's: a directory that it wrote, an address, or a name
    that it knows."""
    if name.startswith(_SCHEMES):
        return True
    directory = Path(name)
    if directory.is_dir():
        config = directory / files.CONFIG
        return config.is_file() and b'"registered_name"' in config.read_bytes()
    return directory.name == name and name in _known()


def _known() -> Any:
    try:
        import keras_hub
    except ImportError:
        return ()
    return keras_hub.models.Backbone.presets


def converted(name: str, directory: Path) -> None:
    """Loads a preset and writes it to a directory in Hugging Face layout.

    Args:
        name: of the preset, its address, or its directory.
        directory: where to; it is there.

    Raises:
        ImportError: the extra `text` is not installed.
        CheckpointError: it cannot be loaded, or is of an architecture that is not known here.
    """
    try:
        import keras_hub
        from safetensors.numpy import save_file
    except ImportError:
        raise ImportError(
            'KerasHub presets need an extra; run: pip install "tfmtl[text]"'
        ) from None
    try:
        backbone = keras_hub.models.Backbone.from_preset(name)
        tokenizer = keras_hub.models.Tokenizer.from_preset(name)
    except Exception as error:  # downloads and old files fail in many ways
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise files.CheckpointError(
            f"preset '{name}' cannot be loaded ({reason}); without internet give the directory of "
            "a checkpoint that is there"
        ) from None
    kind = type(backbone).__name__
    if kind not in _BACKBONES:
        raise files.CheckpointError(
            f"preset '{name}': expected {', '.join(_BACKBONES)}, got a {kind}"
        )
    weights = _weights(backbone)
    config = {
        "model_type": "bert",
        "vocab_size": len(weights[f"embeddings.{_WORDS}"]),
        "hidden_size": weights[f"embeddings.{_WORDS}"].shape[1],
        "num_hidden_layers": backbone.num_layers,
        "num_attention_heads": backbone.num_heads,
        "intermediate_size": backbone.intermediate_dim,
        "hidden_act": "gelu_new",  # as KerasHub computes it
        "max_position_embeddings": len(weights[f"embeddings.{_POSITIONS}"]),
        "layer_norm_eps": float(backbone.get_layer("embeddings_layer_norm").epsilon),
    }
    if config["hidden_size"] != backbone.hidden_dim:
        raise files.CheckpointError(
            f"preset '{name}': its embeddings should be as wide as its blocks, "
            f"{backbone.hidden_dim}, got {config['hidden_size']}"
        )
    (directory / files.CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    known = {"do_lower_case": bool(tokenizer.lowercase)}
    (directory / files.TOKENIZER).write_text(json.dumps(known), encoding="utf-8")
    pieces = "".join(f"{piece}\n" for piece in tokenizer.get_vocabulary())
    (directory / files.VOCABULARY).write_text(pieces, encoding="utf-8")
    save_file(weights, directory / files.WEIGHTS)


def _weights(backbone: Any) -> dict[str, np.ndarray]:
    """The weights by the names that BERT has for them."""
    names = [layer.name for layer in backbone.layers]
    if "token_and_position_embedding" in names:
        both = backbone.get_layer("token_and_position_embedding")
        words, positions = both.token_embedding, both.position_embedding
    else:
        words, positions = (backbone.get_layer(f"{n}_embedding") for n in ("token", "position"))
    words, positions = np.asarray(words.embeddings), np.asarray(positions.position_embeddings)
    segments = np.zeros((1, words.shape[1]), np.float32)
    if "segment_embedding" in names:
        segments = np.asarray(backbone.get_layer("segment_embedding").embeddings)
    norm = backbone.get_layer("embeddings_layer_norm")
    weights = {
        _WORDS: words,
        _POSITIONS: positions,
        "token_type_embeddings.weight": segments,
        **_norm(norm, "LayerNorm"),
    }
    weights = {f"embeddings.{name}": values for name, values in weights.items()}
    for block in range(backbone.num_layers):
        weights |= _block(backbone.get_layer(f"transformer_layer_{block}"), block)
    return {name: np.ascontiguousarray(v, np.float32) for name, v in weights.items()}


def _block(layer: Any, block: int) -> dict[str, np.ndarray]:
    attention, width = layer._self_attention_layer, layer._feedforward_output_dense.units
    name = f"encoder.layer.{block}"
    weights: dict[str, np.ndarray] = {}
    for part in ("query", "key", "value"):
        dense = getattr(attention, f"_{part}_dense")
        weights |= _dense(dense, f"{name}.attention.self.{part}", (width, width))
    weights |= _dense(attention._output_dense, f"{name}.attention.output.dense", (width, width))
    weights |= _norm(layer._self_attention_layer_norm, f"{name}.attention.output.LayerNorm")
    inner = layer._feedforward_intermediate_dense
    weights |= _dense(inner, f"{name}.intermediate.dense", tuple(inner.kernel.shape))
    outer = layer._feedforward_output_dense
    weights |= _dense(outer, f"{name}.output.dense", tuple(outer.kernel.shape))
    weights |= _norm(layer._feedforward_layer_norm, f"{name}.output.LayerNorm")
    return weights


def _dense(layer: Any, name: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """A dense layer; those of the attention have kernels of three dimensions."""
    kernel = np.asarray(layer.kernel).reshape(shape)
    return {f"{name}.weight": kernel.T, f"{name}.bias": np.asarray(layer.bias).reshape(-1)}


def _norm(layer: Any, name: str) -> dict[str, np.ndarray]:
    return {f"{name}.weight": np.asarray(layer.gamma), f"{name}.bias": np.asarray(layer.beta)}
