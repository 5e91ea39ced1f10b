"""The shape of a pretrained encoder's network."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_EPSILON = 1e-12


class Shape(NamedTuple):
    """The shape of a network; `_asdict()` is plain JSON, which `Shape(**json)` reads.

    Attributes:
        words: word pieces that have an embedding.
        positions: the longest text, in pieces.
        width: of the vectors.
        blocks: Transformer blocks.
        heads: of the attention; they divide the width.
        inner: width within the feed-forward halves of the blocks.
        activation: of these halves.
        epsilon: added to variances.
    """

    words: int
    positions: int
    width: int
    blocks: int
    heads: int
    inner: int
    activation: str
    epsilon: float


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape that a checkpoint's `config.json` describes.

    Raises:
        KeyError: it lacks a number.
        ValueError: a number makes no sense.
    """
    distil = config["model_type"] == "distilbert"
    width = int(config["dim" if distil else "hidden_size"])
    shape = Shape(
        words=int(config["vocab_size"]),
        positions=int(config["max_position_embeddings"]),
        width=width,
        blocks=int(config["n_layers" if distil else "num_hidden_layers"]),
        heads=int(config["n_heads" if distil else "num_attention_heads"]),
        inner=int(config["hidden_dim" if distil else "intermediate_size"]),
        activation=str(config["activation" if distil else "hidden_act"]),
        epsilon=float(config.get("layer_norm_eps", _EPSILON)),
    )
    for name, number in shape._asdict().items():
        if name not in ("activation", "epsilon") and number < 1:
            raise ValueError(f"{name} should be at least 1, got {number}")
    if width % shape.heads:
        raise ValueError(f"{shape.heads} heads should divide the width, {width}")
    if shape.activation not in ("gelu", "relu", "gelu_new", "gelu_pytorch_tanh"):
        raise ValueError(f"activation should be gelu or relu, got '{shape.activation}'")
    return shape
