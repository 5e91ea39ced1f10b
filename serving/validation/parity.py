"""Whether a SavedModel answers as the model in memory does.

Both run as graphs: in bfloat16, ops that the graph optimiser has fused round otherwise than single
ones. What the SavedModel holds of items is compared with what is made of the catalogue's raw
columns.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from serving import signatures
from serving.served_model.examples import class_tasks, number_task
from serving.served_model.sides import divide
from serving.served_model.wanted import default_signature
from serving.validation.catalogue_rows import CatalogueRows
from serving.validation.retrieval_parity import retrieval_differences
from tfmtl.models.catalogue import catalogue_inputs, embed_items
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import CATALOGUE, load_preprocessor

TOLERANCE = 1e-5
"""Largest difference, absolute and relative."""

Arrays = Mapping[str, np.ndarray]


def differences(
    model: MultiTaskModel,
    home: Path,
    requests: Mapping[str, Arrays],
    outputs: Mapping[str, Arrays],
    index: Mapping[str, Any] | None = None,
) -> list[str]:
    """Compares served answers with those of the model in memory, see `Parity`."""
    return Parity(model, home, index).differences(requests, outputs)


class Parity:
    """Compares served answers with those of a model in memory.

    Args:
        model: the model in memory.
        home: its directory, with vocabularies and catalogue.
        index: what the SavedModel says about its index; an exact one in float32 where not given.
    """

    def __init__(
        self, model: MultiTaskModel, home: Path, index: Mapping[str, Any] | None = None
    ) -> None:
        self._model, self._home, self._index = model, home, index
        self._preprocessor = load_preprocessor(home)
        self._sides = divide(model.config, self._preprocessor, model.ranked_inputs)
        self._items = CatalogueRows(home, self._sides.item_raw, model.config)

    def differences(
        self, requests: Mapping[str, Arrays], outputs: Mapping[str, Arrays]
    ) -> list[str]:
        """The answers that differ.

        Args:
            requests: what was asked, by signature, as `example_requests` makes it.
            outputs: what was answered: `{signature: {output: array}}`.

        Returns:
            A line for every output that differs by more than `TOLERANCE`. What was not answered is
            passed over.
        """
        reasons = []
        for signature, request in requests.items():
            served = outputs.get(signature)
            if not served:
                continue
            if self._meant(signature) == signatures.RETRIEVE:
                reasons += [f"{signature}: {line}" for line in self._retrieved(request, served)]
                continue
            expected = self._expected(signature, request, requests, served)
            reasons += [
                f"{signature}: {name} is {served[name]} where the model in memory gives {value}"
                for name, value in expected.items()
                if name in served and not _equal(served[name], value)
            ]
        return reasons

    def _expected(
        self, signature: str, request: Arrays, requests: Mapping[str, Arrays], served: Arrays
    ) -> dict[str, np.ndarray]:
        signature = self._meant(signature)
        if signature == signatures.RANK_ROWS:
            return self._ranked(request)
        if signature == signatures.RANK:
            return self._of_candidates(request, request[self._items.key])
        if signature == signatures.RECOMMEND:
            return self._recommended(request, served)
        if signature == signatures.EMBED_USER:
            return {signatures.EMBEDDING: self._queries(request)}
        if signature == signatures.EMBED_ITEM:
            return {signatures.EMBEDDING: self._items_of(request[self._items.key])}
        # The Examples hold the rows that RANK_ROWS is asked.
        flat = requests.get(signatures.RANK_ROWS)
        return {} if flat is None else self._of_examples(signature, self._ranked(flat))

    def _of_examples(self, signature: str, predicted: Arrays) -> dict[str, np.ndarray]:
        """What a signature of Examples should give, of the predictions for the same rows."""
        config = self._model.config
        if signature == signatures.REGRESS:
            return {signatures.REGRESS_OUTPUTS: predicted[number_task(config)]}
        if signature == signatures.CLASSIFY:
            scores = [predicted[task] for task in class_tasks(config)]
            columns = [one if one.ndim == 2 else one[:, None] for one in scores]
            return {signatures.CLASSIFY_SCORES: np.concatenate(columns, axis=1)}
        return dict(predicted)

    def _meant(self, signature: str) -> str:
        """The signature that a request to the default one is for."""
        return (
            default_signature(self._model.config) if signature == signatures.DEFAULT else signature
        )

    def _ranked(self, raw: Arrays) -> dict[str, np.ndarray]:
        return {name: values.numpy() for name, values in self._rank(**_tensors(raw)).items()}

    def _of_candidates(self, users: Arrays, keys: np.ndarray) -> dict[str, np.ndarray]:
        """Predictions for items of the catalogue by key, `[batch, candidates, ...]`."""
        own = {name: users[name] for name in self._sides.user_raw}
        repeated = {name: np.repeat(values, keys.shape[1], axis=0) for name, values in own.items()}
        found = self._ranked({**repeated, **self._items(keys.ravel())})
        return {name: rows.reshape(*keys.shape, *rows.shape[1:]) for name, rows in found.items()}

    def _recommended(self, request: Arrays, served: Arrays) -> dict[str, np.ndarray]:
        keys, count = served[signatures.ITEM_ID], served[signatures.COUNT]
        if not self._model.config.ranking_tasks or not keys.size:
            return {}
        real = np.arange(keys.shape[1])[None, :] < count[:, None]
        expected = self._of_candidates(request, keys)
        return {
            name: np.where(real if rows.ndim == 2 else real[:, :, None], rows, 0)
            for name, rows in expected.items()
        }

    def _retrieved(self, request: Arrays, served: Arrays) -> list[str]:
        raw = {name: values for name, values in request.items() if name != signatures.K}
        queries = self._queries(raw or {"": request[signatures.K]})
        k, keys = int(request[signatures.K].max()), self._catalogue["key"].to_pylist()
        return retrieval_differences(served, queries, k, keys, self._vectors, self._index)

    def _items_of(self, keys: np.ndarray) -> np.ndarray:
        spec = self._preprocessor.raw_spec(self._model.config.item_features)
        raw = {name: values for name, values in self._items(keys).items() if name in spec}
        return self._item_vectors(**_tensors(raw)).numpy()

    def _queries(self, raw: Arrays) -> np.ndarray:
        if not self._preprocessor.raw_spec(self._model.config.query_features):
            names = self._model.config.query_features
            return self._model.query_vectors(self._preprocessor(_tensors(raw), names)).numpy()
        return self._query_vectors(**_tensors(raw)).numpy()

    @cached_property
    def _rank(self) -> Any:
        names = self._model.ranked_inputs
        return self._traced(names, self._model.rank)

    @cached_property
    def _query_vectors(self) -> Any:
        return self._traced(self._model.config.query_features, self._model.query_vectors)

    @cached_property
    def _item_vectors(self) -> Any:
        return self._traced(self._model.config.item_features, self._model.item_vectors)

    def _traced(self, names: list[str], function: Any) -> Any:
        def of_raw(**raw: tf.Tensor) -> Any:
            return function(self._preprocessor(raw, names))

        spec = self._preprocessor.raw_spec(names)
        return tf.function(of_raw, autograph=False).get_concrete_function(**spec)

    @cached_property
    def _catalogue(self) -> pa.Table:
        return pq.read_table(self._home / CATALOGUE)

    @cached_property
    def _vectors(self) -> np.ndarray:
        return embed_items(self._model, catalogue_inputs(self._model, self._catalogue))


def _tensors(raw: Arrays) -> dict[str, tf.Tensor]:
    return {name: tf.constant(values) for name, values in raw.items()}


def _equal(served: np.ndarray, expected: np.ndarray) -> bool:
    return served.shape == expected.shape and np.allclose(
        served, expected, rtol=TOLERANCE, atol=TOLERANCE
    )
