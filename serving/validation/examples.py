"""Requests for every signature of a model, as clients might send them.

They are made of rows of the log where there are some, and of values of the vocabularies: infra
validation asks them, and a version's warm-up replays them.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from serving import signatures
from serving.served_model.examples import class_tasks, number_task
from serving.served_model.sides import divide
from serving.served_model.wanted import default_signature, is_wanted
from serving.validation.serialized import serialized
from tfmtl.config.scored import formulas
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE, load_preprocessor
from tfmtl.preprocessing.tables import vocabulary_name, vocabulary_path

_K = 5


def example_requests(
    model: MultiTaskModel,
    home: Path,
    batch: int,
    rows: Mapping[str, np.ndarray] | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """One request a signature that the model is served with.

    Args:
        model: the model that is served.
        home: its directory, with the vocabularies.
        batch: rows of a request; candidates of the one user of RANK.
        rows: rows of the log by raw column, `[n]`, lists `[n, k]`. Of a column that is not there,
            and of all if it is not given: known, missing and unknown values by turns.

    Returns:
        `{signature: {input: array}}`.
    """
    maker = _Maker(model, home, rows or {})
    requests: dict[str, dict[str, np.ndarray]] = {}
    if model.config.ranking_tasks:
        flat = maker.rows(model.ranked_inputs, batch)
        requests |= {signatures.RANK_ROWS: flat, signatures.RANK: maker.rank(batch)}
        examples = {signatures.INPUTS: serialized(flat)}
        named = (signatures.CLASSIFY, signatures.REGRESS, signatures.PREDICT_EXAMPLES)
        possible = (class_tasks(model.config), number_task(model.config), True)
        requests |= {name: examples for name, one in zip(named, possible, strict=True) if one}
    k = {signatures.K: np.full(batch, _K, np.int32)}
    if model.retrieval:
        queries = maker.rows(model.config.query_features, batch)
        requests[signatures.RETRIEVE] = {**queries, **k}
        requests[signatures.RECOMMEND] = {**maker.users(batch), **queries, **k}
        if queries:
            requests[signatures.EMBED_USER] = queries
        requests[signatures.EMBED_ITEM] = maker.keys(batch)
    elif formulas(model.config) and _are_few(model, home):
        requests[signatures.RECOMMEND] = {**maker.users(batch), **k}
    config = model.config
    wanted = {name: one for name, one in requests.items() if is_wanted(name, config)}
    return {**wanted, signatures.DEFAULT: requests[default_signature(config)]}


def timed_requests(
    model: MultiTaskModel, home: Path, batch: int, rows: Mapping[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Requests whose latency says what serving costs: those of one user or many rows, as they are
    asked most. Arguments as of `example_requests`."""
    named = [signatures.RANK_ROWS, signatures.RANK, signatures.RETRIEVE]
    named += [signatures.RECOMMEND] if batch == 1 else []
    requests = example_requests(model, home, batch, rows)
    return {name: requests[name] for name in named if name in requests}


def _are_few(model: MultiTaskModel, home: Path) -> bool:
    """Whether all items can be ranked."""
    items = pq.read_metadata(home / CATALOGUE).num_rows
    return items <= model.config.serving.recommend.candidates


class _Maker:
    """Makes requests of real rows and known values.

    Args:
        model: the model that is served.
        home: its directory.
        rows: rows of the log by raw column.
    """

    def __init__(self, model: MultiTaskModel, home: Path, rows: Mapping[str, np.ndarray]) -> None:
        self._config = model.config
        self._preprocessor = load_preprocessor(home)
        self._names = model.ranked_inputs
        self._sides = divide(self._config, self._preprocessor, self._names)
        self._known = _known_values(model, home)
        self._rows = rows

    def rows(self, names: list[str], batch: int) -> dict[str, np.ndarray]:
        """What the model's inputs are made of, in rows."""
        return self._raw(self._preprocessor.raw_spec(names), batch)

    def users(self, batch: int) -> dict[str, np.ndarray]:
        """What is alike for all candidates of a user."""
        return self._raw(self._sides.user_raw, batch)

    def rank(self, candidates: int) -> dict[str, np.ndarray]:
        """A user beside candidates of the catalogue."""
        keys = {name: values[None, :] for name, values in self.keys(candidates).items()}
        return {**self.users(1), **keys}

    def keys(self, batch: int) -> dict[str, np.ndarray]:
        """Keys of items."""
        key = self._config.source.log.item
        spec = self._sides.item_raw.get(key, tf.TensorSpec([None], tf.string, key))
        return self._raw({key: spec}, batch)

    def _raw(self, spec: Mapping[str, tf.TensorSpec], batch: int) -> dict[str, np.ndarray]:
        return {name: self._column(name, tensor, batch) for name, tensor in spec.items()}

    def _column(self, name: str, tensor: tf.TensorSpec, batch: int) -> np.ndarray:
        shape = [batch, *(size or 2 for size in tensor.shape[1:])]
        given = self._rows.get(name)
        if given is not None and _fits(given, tensor):
            return _cast(given, tensor.dtype)[np.arange(batch) % len(given)]
        if tensor.dtype.is_floating:
            whole = [1.0, np.nan, -2.0, 1.6e9]  # as times are in Examples
            numbers = whole if tensor.dtype == tf.float64 else [1.5, *whole[1:]]
            return np.resize(np.array(numbers, tensor.dtype.as_numpy_dtype), shape)
        known = self._known.get(name, ["some", "other"])
        values = [value.encode() for value in (*known, "", "never seen")]
        return np.resize(_cast(np.array(values, object), tensor.dtype), shape)


def _cast(values: np.ndarray, dtype: tf.DType) -> np.ndarray:
    """Values of a column as a request has them; times are whole seconds, and ids
    that are no numbers missing."""
    if dtype == tf.float64:
        return np.floor(values.astype(np.float64))
    if dtype != tf.int64:
        return values.astype(dtype.as_numpy_dtype)
    numbers = [int(text) if text.isdigit() and len(text) < 19 else -1 for text in values.ravel()]
    return np.array(numbers, np.int64).reshape(values.shape)


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
        own = {**history.item_inputs, **history.context_inputs}
        known |= {name: by_feature[of] for name, of in own.items()}
        if history.behaviour_input:
            known[history.behaviour_input] = history.where
    if config.scenario:
        known[config.scenario.column] = list(config.scenario.values)
    return known


def _fits(values: np.ndarray, tensor: tf.TensorSpec) -> bool:
    texts = values.dtype.kind == "O"
    return texts != tensor.dtype.is_floating and values.ndim == len(tensor.shape)
