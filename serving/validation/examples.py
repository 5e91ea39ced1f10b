"""Requests for every signature of a model, as clients might send them.

They are made of rows of the log where there are some, and of values of the vocabularies: infra
validation asks them, and a version's warm-up replays them.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from serving import signatures
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_preprocessor
from tfmtl.preprocessing.tables import vocabulary_name, vocabulary_path

_K = 5


def example_requests(
    model: MultiTaskModel,
    home: Path,
    batch: int,
    rows: Mapping[str, np.ndarray] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """One request a signature.

    Args:
        model: the model that is served.
        home: its directory, with the vocabularies.
        batch: rows of a request.
        rows: rows of the log by raw column, `[n]`, lists `[n, k]`. Of a column that is not there,
            and of all if it is not given: known, missing and unknown values by turns.

    Returns:
        `{signature: {input: array}}`.
    """
    preprocessor = load_preprocessor(home)
    known = _known_values(model, home)
    requests = {}
    if model.config.ranking_tasks:
        spec = preprocessor.raw_spec(list(model.inputs_spec))
        requests[signatures.RANK] = _raw(spec, known, rows or {}, batch)
    if model.retrieval:
        spec = preprocessor.raw_spec(model.config.query_features)
        k = {signatures.K: np.full(batch, _K, np.int32)}
        requests[signatures.RETRIEVE] = {**_raw(spec, known, rows or {}, batch), **k}
    return {**requests, signatures.DEFAULT: next(iter(requests.values()))}


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
    spec: Mapping[str, Any],
    known: Mapping[str, list[str]],
    rows: Mapping[str, np.ndarray],
    batch: int,
) -> dict[str, np.ndarray]:
    raw = {}
    for name, tensor in spec.items():
        shape = [batch, *(size or 2 for size in tensor.shape[1:])]
        given = rows.get(name)
        if given is not None and _fits(given, tensor):
            cast = given.astype(tensor.dtype.as_numpy_dtype)
            raw[name] = cast[np.arange(batch) % len(cast)]
        elif tensor.dtype.is_floating:
            numbers = np.array([1.5, np.nan, -2.0, 1.6e9], tensor.dtype.as_numpy_dtype)
            raw[name] = np.resize(numbers, shape)
        else:
            values = [value.encode() for value in (*known[name], "", "never seen")]
            raw[name] = np.resize(np.array(values, object), shape)
    return raw


def _fits(values: np.ndarray, tensor: Any) -> bool:
    texts = values.dtype.kind == "O"
    return texts != tensor.dtype.is_floating and values.ndim == len(tensor.shape)
