"""Whether a SavedModel answers as the model in memory does.

Both run as graphs: in bfloat16, ops that the graph optimiser has fused round otherwise than single
ones.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from serving import signatures
from tfmtl.models.catalogue import catalogue_inputs, embed_items
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE, load_preprocessor

TOLERANCE = 1e-5
"""Largest difference, absolute and relative."""


def differences(
    model: MultiTaskModel,
    home: Path,
    requests: Mapping[str, Mapping[str, np.ndarray]],
    outputs: Mapping[str, Mapping[str, np.ndarray]],
) -> list[str]:
    """Compares served answers with those of the model in memory.

    Args:
        model: the model in memory.
        home: its directory, with vocabularies and catalogue.
        requests: what was asked, by signature.
        outputs: what was answered: `{signature: {output: array}}`.

    Returns:
        A line for every output that differs by more than `TOLERANCE`. What was not answered is
        passed over.
    """
    preprocessor = load_preprocessor(home)

    @tf.function
    def rank(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return model.rank(preprocessor(raw, list(model.inputs_spec)))

    @tf.function
    def query_vectors(raw: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return model.query_vectors(preprocessor(raw, model.config.query_features))

    reasons = []
    for signature, request in requests.items():
        raw = {name: tf.constant(v) for name, v in request.items() if name != signatures.K}
        served = outputs.get(signature, {})
        if signatures.K in request:
            k = int(request[signatures.K].max())
            expected = {signatures.SCORE: _best_scores(model, home, query_vectors(raw), k)}
        else:
            expected = rank(raw)
        reasons += [
            f"{signature}: {name} is {served[name]} where the model in memory gives {value.numpy()}"
            for name, value in expected.items()
            if name in served and not _equal(served[name], value.numpy())
        ]
    return reasons


def _equal(served: np.ndarray, expected: np.ndarray) -> bool:
    return served.shape == expected.shape and np.allclose(
        served, expected, rtol=TOLERANCE, atol=TOLERANCE
    )


def _best_scores(model: MultiTaskModel, home: Path, queries: tf.Tensor, k: int) -> tf.Tensor:
    """The highest scores over the catalogue, `[batch, k]`."""
    vectors = embed_items(model, catalogue_inputs(model, pq.read_table(home / CATALOGUE)))
    scores = tf.matmul(queries, vectors, transpose_b=True)
    return tf.math.top_k(scores, k=min(k, len(vectors))).values
