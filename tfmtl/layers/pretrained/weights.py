"""The weights of a checkpoint, by the paths that they have in `PretrainedEncoder`."""

from typing import NamedTuple

import numpy as np

from tfmtl.layers.pretrained.checkpoint import WEIGHTS, Checkpoint, CheckpointError


class _Names(NamedTuple):
    """What an architecture calls the parts of a block; `{}` stands for the block's number."""

    query: str
    key: str
    value: str
    attended: str
    attention_norm: str
    inner: str
    outer: str
    norm: str


_BERT = _Names(
    query="encoder.layer.{}.attention.self.query",
    key="encoder.layer.{}.attention.self.key",
    value="encoder.layer.{}.attention.self.value",
    attended="encoder.layer.{}.attention.output.dense",
    attention_norm="encoder.layer.{}.attention.output.LayerNorm",
    inner="encoder.layer.{}.intermediate.dense",
    outer="encoder.layer.{}.output.dense",
    norm="encoder.layer.{}.output.LayerNorm",
)
_DISTILBERT = _Names(
    query="transformer.layer.{}.attention.q_lin",
    key="transformer.layer.{}.attention.k_lin",
    value="transformer.layer.{}.attention.v_lin",
    attended="transformer.layer.{}.attention.out_lin",
    attention_norm="transformer.layer.{}.sa_layer_norm",
    inner="transformer.layer.{}.ffn.lin1",
    outer="transformer.layer.{}.ffn.lin2",
    norm="transformer.layer.{}.output_layer_norm",
)
_NORMS = ("attention_norm", "norm")


def weights_by_path(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """Reads the weights.

    The embedding of the first segment is part of the positions': texts have one segment.

    Returns:
        float32 `{path: values}`.

    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    given, shape = _Given(checkpoint), checkpoint.shape
    names = _DISTILBERT if checkpoint.kind == "distilbert" else _BERT
    width = shape.width
    positions = given.take("embeddings.position_embeddings.weight", (shape.positions, width))
    if checkpoint.kind != "distilbert":
        segments = given.take("embeddings.token_type_embeddings.weight", (None, width))
        positions = positions + segments[0]
    weights = {
        "words": given.take("embeddings.word_embeddings.weight", (shape.words, width)),
        "positions": positions,
        **given.norm("embeddings.LayerNorm", "norm", width),
    }
    for block in range(shape.blocks):
        for part, pattern in names._asdict().items():
            name, path = pattern.format(block), f"block_{block}/{part}"
            if part in _NORMS:
                weights |= given.norm(name, path, width)
            else:
                inputs = shape.inner if part == "outer" else width
                outputs = shape.inner if part == "inner" else width
                weights |= given.dense(name, path, inputs, outputs)
    return weights


class _Given:
    """The weights of a checkpoint, each checked when it is taken."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._weights, self._file = checkpoint.weights(), checkpoint.directory / WEIGHTS

    def take(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
        if name not in self._weights:
            raise CheckpointError(f"{self._file}: lacks {name}; copy the whole checkpoint")
        values = self._weights[name]
        if len(values.shape) != len(shape) or any(
            size not in (None, found) for size, found in zip(shape, values.shape, strict=True)
        ):
            wanted = " x ".join("any" if size is None else f"{size}" for size in shape)
            raise CheckpointError(
                f"{self._file}: {name} should be {wanted}, as config.json says, got "
                f"{' x '.join(map(str, values.shape))}; the files are of different encoders"
            )
        return np.asarray(values, np.float32)

    def dense(self, name: str, path: str, inputs: int, outputs: int) -> dict[str, np.ndarray]:
        return {
            f"{path}/kernel": self.take(f"{name}.weight", (outputs, inputs)).T,
            f"{path}/bias": self.take(f"{name}.bias", (outputs,)),
        }

    def norm(self, name: str, path: str, width: int) -> dict[str, np.ndarray]:
        return {
            f"{path}/scale": self.take(f"{name}.weight", (width,)),
            f"{path}/shift": self.take(f"{name}.bias", (width,)),
        }
