"""The pretrained encoders of an analysis: texts to word pieces, and to vectors where frozen."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.config import TextFeature
from tfmtl.preprocessing.encoders import encoder_path

_TEXTS_AT_ONCE = 64
"""Texts encoded together; a minibatch of texts of like lengths has little padding."""


class Encoders:
    """Loads word pieces and encoders from their copies, each once, when first asked for.

    Args:
        directory: the analysis.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pieces: dict[tuple[Any, ...], Any] = {}
        self._encoders: dict[str, Any] = {}

    def pieces(self, checkpoint: str, length: int, max_bytes: int) -> Callable[..., tf.Tensor]:
        """What splits texts `[n]` into word pieces, int32 `[n, length]`, 0 where a text ends."""
        return lambda texts: self._loaded_pieces(checkpoint, length, max_bytes)(texts)

    def frozen(self, checkpoint: str, length: int, max_bytes: int, pooling: str) -> "FrozenTexts":
        """What makes texts `[n]` vectors `[n, width]`."""
        return FrozenTexts(
            lambda: self._loaded_pieces(checkpoint, length, max_bytes),
            lambda: self._loaded_encoder(checkpoint),
            pooling,
        )

    def weights(self, features: Iterable[TextFeature]) -> list[tf.Variable]:
        """Variables of the encoders of frozen features, each once."""
        for feature in features:
            assert feature.pretrained is not None
            self._loaded_encoder(feature.pretrained.checkpoint)
        return [v.value for encoder in self._encoders.values() for v in encoder.variables]

    @property
    def tables(self) -> list[Any]:
        """What a SavedModel must track of the word pieces that were asked for."""
        return list(self._pieces.values())

    def _loaded_pieces(self, checkpoint: str, length: int, max_bytes: int) -> Any:
        from tfmtl.layers.pretrained.wordpieces import load_wordpieces

        key = checkpoint, length, max_bytes
        if key not in self._pieces:
            directory = encoder_path(self._directory, checkpoint)
            with tf.init_scope():
                self._pieces[key] = load_wordpieces(directory, length, max_bytes)
        return self._pieces[key]

    def _loaded_encoder(self, checkpoint: str) -> Any:
        from tfmtl.layers.pretrained.encoder import load_encoder

        if checkpoint not in self._encoders:
            directory = encoder_path(self._directory, checkpoint)
            with tf.init_scope():  # a traced function may be the first that asks
                self._encoders[checkpoint] = load_encoder(directory)
        return self._encoders[checkpoint]


class FrozenTexts:
    """Texts to vectors, by an encoder that stays as it is.

    Args:
        pieces: loads what splits texts into word pieces.
        encoder: loads what makes these one vector.
        pooling: how it does so.

    Call arguments:
        texts: strings `[n]`.

    Returns:
        float32 `[n, width]`.
    """

    def __init__(
        self, pieces: Callable[[], Any], encoder: Callable[[], Any], pooling: str = "mean"
    ) -> None:
        self._load_pieces, self._load_encoder = pieces, encoder
        self._pooling = pooling

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        ids = self._load_pieces()(texts)
        longest = tf.reduce_max(tf.math.count_nonzero(ids, axis=1, dtype=tf.int32))
        return self._load_encoder()(ids[:, : tf.maximum(longest, 1)], pooling=self._pooling)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of many texts, float32 `[n, width]`, the longest texts first."""
        ids = self._split(texts)
        lengths = np.count_nonzero(ids, axis=1)
        order = np.argsort(-lengths, kind="stable")
        found = None
        for start in range(0, max(len(order), 1), _TEXTS_AT_ONCE):
            rows = order[start : start + _TEXTS_AT_ONCE]
            longest = int(lengths[rows].max(initial=1))
            made = self._encode(tf.constant(ids[rows, :longest])).numpy()
            if found is None:
                found = np.empty((len(texts), made.shape[1]), np.float32)
            found[rows] = made
        assert found is not None
        return found

    def _split(self, texts: Sequence[str]) -> np.ndarray:
        given = tf.constant([text.encode() for text in texts], tf.string, [len(texts)])
        return self._load_pieces()(given).numpy()

    @cached_property
    def _encode(self) -> Any:
        encoder = self._load_encoder()
        return tf.function(
            lambda ids: encoder(ids, pooling=self._pooling),
            input_signature=[tf.TensorSpec([None, None], tf.int32)],
        )
