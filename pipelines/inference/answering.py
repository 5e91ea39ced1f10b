"""A model's answers for batches of rows: predictions, vectors, the best items."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from pipelines.inference.best_items import BestItems, Pairs
from pipelines.inference.inputs import RowInputs
from pipelines.inference.request import input_names
from pipelines.inference.seen import Seen, gathered, joined
from pipelines.preprocess.catalogue import KEY
from pipelines.preprocess.record_batches import whole
from tfmtl.config import Config
from tfmtl.config.bulk_inference import BulkInference
from tfmtl.models.catalogue import catalogue_inputs, embed_items
from tfmtl.models.saved import CATALOGUE, load_model
from tfmtl.models.traced import traced

ITEMS, SCORES, VECTOR = "items", "scores", "vector"
"""Columns of the answers."""

Answer = tuple[str, pa.RecordBatch]
"""The name of an output, and rows of it."""


@dataclass(frozen=True)
class Question:
    """What a model is asked, small enough to be sent to every worker.

    Attributes:
        spec: what is asked for.
        home: the model's directory.
        seen: Transform's artifact, whose positives are left out of the best items; None where the
            rows' histories alone are.
    """

    spec: BulkInference
    home: Path
    seen: Path | None = None


class Answerer:
    """A loaded model, with all that its answers need.

    Args:
        question: what it is asked.
    """

    def __init__(self, question: Question) -> None:
        self._question, self._spec = question, question.spec
        self.model = load_model(question.home)
        self.config: Config = self.model.config
        self._catalogue = pq.read_table(question.home / CATALOGUE)
        self._inputs = RowInputs(
            self.config,
            question.home,
            self._catalogue,
            input_names(self.config, self._spec.outputs),
        )
        self._rank = traced(self.model.rank, self.model.inputs_spec)
        if self.model.retrieval:
            names = self.config.query_features
            spec = {name: self.model.inputs_spec[name] for name in names}
            self._query_vectors = traced(self.model.query_vectors, spec)

    @cached_property
    def vectors(self) -> np.ndarray:
        """Vectors of all items, in the catalogue's order: float32 `[items, dim]`."""
        return embed_items(self.model, catalogue_inputs(self.model, self._catalogue))

    @property
    def item_count(self) -> int:
        """Number of items."""
        return int(self._catalogue.num_rows)

    @cached_property
    def keys(self) -> pa.Array:
        """Keys of all items."""
        return whole(self._catalogue.column(KEY)).cast(pa.string())

    @cached_property
    def _best_items(self) -> BestItems:
        return BestItems(self.vectors, self._spec.top_k)

    @cached_property
    def _seen(self) -> Seen | None:
        return Seen(self._question.seen) if self._question.seen else None

    def of_rows(self, rows: pa.RecordBatch) -> Iterator[Answer]:
        """Answers for canonical rows."""
        yield from self.of_inputs(rows, self._inputs(rows))

    def of_inputs(self, rows: pa.RecordBatch, inputs: Mapping[str, np.ndarray]) -> Iterator[Answer]:
        """Answers for rows whose inputs are made.

        Args:
            rows: their keys, and the columns that are copied.
            inputs: the model's inputs, `[n]` or `[n, length]`.
        """
        log, spec = self.config.source.log, self._spec
        names = dict.fromkeys([*([log.user] if log.user else []), *spec.keep])
        keys = {name: rows.column(name) for name in names if name in rows.schema.names}
        if "scores" in spec.outputs:
            own = {**keys, log.item: rows.column(log.item)}
            yield "scores", _batch({**own, **self._scores(inputs)})
        if not {"user_vectors", "top_k"} & set(spec.outputs):
            return
        queries = self._by_batch(self._query_vectors, inputs, self.config.query_features)[VECTOR]
        if "user_vectors" in spec.outputs:
            yield "user_vectors", _batch({**keys, VECTOR: _vectors(queries)})
        if "top_k" in spec.outputs:
            yield "top_k", _batch({**keys, **self._top_k(rows, queries)})

    def of_items(self, start: int, stop: int) -> Answer:
        """Vectors of the items of the catalogue from a place to another."""
        own = {
            self.config.source.log.item: self.keys.slice(start, stop - start),
            VECTOR: _vectors(self.vectors[start:stop]),
        }
        return "item_vectors", _batch(own)

    def _scores(self, inputs: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
        """Predictions by task; of classes, a column for each: `TASK/CLASS`."""
        predictions = self._by_batch(self._rank, inputs, list(self.model.inputs_spec))
        classes = self._inputs.classes
        found = {}
        for name, values in predictions.items():
            if name in classes:
                for place, one in enumerate(classes[name]):
                    found[f"{name}/{one}"] = pa.array(values[:, place])
            else:
                found[name] = pa.array(values)
        return found

    def _top_k(self, rows: pa.RecordBatch, queries: np.ndarray) -> dict[str, pa.Array]:
        best = self._best_items(queries, self._without(rows))
        there = np.isfinite(best.scores)
        offsets = pa.array(np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32))
        items = self.keys.take(pa.array(best.places[there]))
        return {
            ITEMS: pa.ListArray.from_arrays(offsets, items),
            SCORES: pa.ListArray.from_arrays(offsets, pa.array(best.scores[there])),
        }

    def _without(self, rows: pa.RecordBatch) -> Pairs | None:
        """Items that rows leave out."""
        if not self._spec.exclude_seen:
            return None
        zeros = np.zeros(rows.num_rows, np.int64)
        found = gathered(zeros, zeros, np.zeros(0, np.int32))
        log = self.config.source.log
        if self._seen is not None and log.user in rows.schema.names:
            found = self._seen.of(rows.column(log.user))
        for history in self.config.features.history:
            for name, of in history.item_inputs.items():
                reads = self.config.features.inputs[of].reads
                if reads[0].column == log.item and name in rows.schema.names:
                    found = joined(found, self._of_lists(rows.column(name)))
        return found

    def _of_lists(self, lists: pa.ListArray) -> Pairs:
        """Known items of lists of keys."""
        places = self._inputs.places(lists.flatten())
        ends = np.cumsum(lists.value_lengths().to_numpy())
        known = np.concatenate([[0], np.cumsum(places >= 0)])
        indptr = known[np.concatenate([[0], ends])]
        return Pairs(indptr, places[places >= 0])

    def _by_batch(
        self, function: Any, inputs: Mapping[str, np.ndarray], names: list[str]
    ) -> dict[str, np.ndarray]:
        """Applies a function of the model to many rows, `batch_size` at once."""
        size = self._spec.batch_size
        rows = len(inputs[names[0]])
        parts = []
        for start in range(0, max(rows, 1), size):  # none gives an empty result of the right shape
            made = function({n: tf.constant(inputs[n][start : start + size]) for n in names})
            parts.append(made if isinstance(made, dict) else {VECTOR: made})
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def _vectors(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _batch(arrays: Mapping[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
