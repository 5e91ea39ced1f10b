"""Many texts encoded by a model's own encoders, each text once."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.traced import traced

_TEXTS_AT_ONCE = 64
"""Texts of like lengths that are encoded together: there is little padding among them."""

Inputs = dict[str, np.ndarray]


def encoded_texts(model: MultiTaskModel, inputs: Mapping[str, np.ndarray]) -> Inputs:
    """Inputs of a model, vectors in place of the texts that its pretrained encoders read.

    Args:
        model: the model.
        inputs: `{input: [rows, ...]}`.

    Returns:
        As `inputs`; of texts float32 `[rows, dim]`.
    """
    texts = [name for name in model.encoding.texts.texts if name in inputs]
    return {**inputs, **{name: _encoded(model, name, inputs[name]) for name in texts}}


def _encoded(model: MultiTaskModel, name: str, ids: np.ndarray) -> np.ndarray:
    distinct, places = np.unique(ids, axis=0, return_inverse=True)
    lengths = np.count_nonzero(distinct, axis=1)
    order = np.argsort(-lengths, kind="stable")
    spec = {name: tf.TensorSpec(ids.shape, tf.int32)}
    encode = traced(lambda own: model.encoding.text_vectors(own)[name], spec)
    dim = model.encoding.spec.projected[name]
    vectors = np.empty((len(distinct), dim), np.float32)
    for start in range(0, len(order), _TEXTS_AT_ONCE):
        rows = order[start : start + _TEXTS_AT_ONCE]
        vectors[rows] = encode({name: distinct[rows]}).numpy()
    return vectors[places.reshape(-1)]
