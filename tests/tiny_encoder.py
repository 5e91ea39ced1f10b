"""A BERT of random weights, small enough for tests, in Hugging Face layout."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    *"abcdefghijklmnopqrstuvwxyz0123456789",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("red", "blue", "green", "shoes", "shoe", "hats", "hat", "one", "two", "five", "##s"),
)
"""Word pieces, the special ones left out: every Latin word can be made of them."""


def tiny_checkpoint(
    directory: Path,
    words: Sequence[str] = WORDS,
    width: int = 32,
    layers: int = 2,
    heads: int = 2,
    seed: int = 0,
) -> Path:
    """Writes the checkpoint.

    Args:
        directory: where to; made if it is not there.
        words: word pieces, which come after the special ones.
        width: of the vectors.
        layers: transformer layers.
        heads: of the attention; they divide the width.
        seed: of the weights.

    Returns:
        The directory.
    """
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = [*SPECIAL, *dict.fromkeys(words)]
    (directory / "vocab.txt").write_text("".join(f"{piece}\n" for piece in vocabulary))
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 2 * width,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2))
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    save_file(_weights(len(vocabulary), width, layers, seed), directory / "model.safetensors")
    return directory


def _weights(vocabulary: int, width: int, layers: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return random.normal(0, 0.5 / np.sqrt(width), shape).astype(np.float32)

    def dense(name: str, inputs: int, outputs: int) -> dict[str, np.ndarray]:
        return {f"{name}.weight": drawn(outputs, inputs), f"{name}.bias": drawn(outputs)}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": 1 + drawn(width), f"{name}.bias": drawn(width)}

    weights = {
        "embeddings.word_embeddings.weight": drawn(vocabulary, width),
        "embeddings.position_embeddings.weight": drawn(64, width),
        "embeddings.token_type_embeddings.weight": drawn(2, width),
        **norm("embeddings.LayerNorm"),
        **dense("pooler.dense", width, width),
    }
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            weights |= dense(f"{name}.attention.self.{part}", width, width)
        weights |= dense(f"{name}.attention.output.dense", width, width)
        weights |= norm(f"{name}.attention.output.LayerNorm")
        weights |= dense(f"{name}.intermediate.dense", width, 2 * width)
        weights |= dense(f"{name}.output.dense", 2 * width, width)
        weights |= norm(f"{name}.output.LayerNorm")
    return weights
