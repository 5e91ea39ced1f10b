"""Whether a SavedModel answers as the model in memory does.

Both run as graphs: in bfloat16, ops that the graph optimiser has fused round otherwise than single
ones.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from serving import signatures
from tfmtl.models.catalogue import catalogue_inputs, embed_items
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE, load_preprocessor
from tfmtl.preprocessing.tables import vocabulary_name, vocabulary_path

TOLERANCE = 1e-5
"""Largest difference, absolute and relative."""
_K = 5


def example_requests(
    model: MultiTaskModel, home: Path, batch: int
) -> dict[str, dict[str, np.ndarray]]:
    """One request a signature, of known, missing and unknown values by turns.

    Args:
        model: the model that is served.
        home: its directory, with the vocabularies.
        batch: rows of a request.

    Returns:
        `{signature: {input: array}}`.
    """
    preprocessor = load_preprocessor(home)
    known = _known_values(model, home)
    requests = {}
    if model.config.ranking_tasks:
        spec = preprocessor.raw_spec(list(model.inputs_spec))
        requests[signatures.RANK] = _raw(spec, known, batch)
    if model.retrieval:
        spec = preprocessor.raw_spec(model.config.query_features)
        k = {signatures.K: np.full(batch, _K, np.int32)}
        requests[signatures.RETRIEVE] = {**_raw(spec, known, batch), **k}
    return requests


def _known_values(model: MultiTaskModel, home: Path) -> dict[str, list[str]]:
    """Values of the vocabularies by raw input, a few each; texts are single words. Of what has no
    vocabulary, any."""
    config = model.config
    by_feature: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for made in config.features.inputs.values():
        name = vocabulary_name(config.features.by_name[made.feature])
        values = ["some", "other"]
        if name in model.vocabulary_sizes:
            with vocabulary_path(home, name).open("rb") as file:
                values = [line.decode().rstrip("\n") for line in islice(file, 3)]
        by_feature[made.name] = values
        for raw in made.reads:
            if raw.column not in known or name in model.vocabulary_sizes:
                known[raw.column] = values
    for history in config.features.history:
        known |= {name: by_feature[of] for name, of in history.item_inputs.items()}
        if history.behaviour_input:
            known[history.behaviour_input] = history.where
    if config.scenario:
        known[config.scenario.column] = list(config.scenario.values)
    return known


def _raw(
    spec: Mapping[str, Any], known: Mapping[str, list[str]], batch: int
) -> dict[str, np.ndarray]:
    raw = {}
    for name, tensor in spec.items():
        shape = [batch, *(size or 2 for size in tensor.shape[1:])]
        if tensor.dtype.is_floating:
            numbers = np.array([1.5, np.nan, -2.0, 1.6e9], tensor.dtype.as_numpy_dtype)
            raw[name] = np.resize(numbers, shape)
        else:
            values = [value.encode() for value in (*known[name], "", "never seen")]
            raw[name] = np.resize(np.array(values, object), shape)
    return raw


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
        A line for every output that differs by more than `TOLERANCE`.
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
        served = outputs[signature]
        if signature == signatures.RANK:
            expected = rank(raw)
        else:
            queries = query_vectors(raw)
            expected = {signatures.SCORE: _best_scores(model, home, queries)}
        reasons += [
            f"{signature}: {name} is {served[name]} where the model in memory gives {value.numpy()}"
            for name, value in expected.items()
            if not np.allclose(served[name], value.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
        ]
    return reasons


def _best_scores(model: MultiTaskModel, home: Path, queries: tf.Tensor) -> tf.Tensor:
    """The highest scores over the catalogue, `[batch, k]`."""
    vectors = embed_items(model, catalogue_inputs(model, pq.read_table(home / CATALOGUE)))
    scores = tf.matmul(queries, vectors, transpose_b=True)
    return tf.math.top_k(scores, k=min(_K, len(vectors))).values
