"""What the functions of the signatures are made of."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from serving.served_model.filters import Filters
from serving.served_model.items import HeldItems
from serving.served_model.sides import Sides, divide
from serving.signatures import PREDICT_METHOD
from tfmtl.config import Config
from tfmtl.models.compression import Compression
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.identifiers import id_numbers, id_texts
from tfmtl.preprocessing.preprocessor import Preprocessor

Raw = Mapping[str, tf.Tensor]
"""A request's tensors by input."""


@dataclass(frozen=True)
class Served:
    """A signature.

    Attributes:
        function: of the request's tensors by input, `[rows, ...]`, to the answer's by output.
        spec: what the inputs are.
        defaults: what stands for inputs that a request leaves out, of one row.
        method: name of the method that TF Serving runs it for.
    """

    function: Callable[[Raw], dict[str, tf.Tensor]]
    spec: Mapping[str, tf.TensorSpec]
    defaults: Mapping[str, np.ndarray] = field(default_factory=dict)
    method: str = PREDICT_METHOD


@dataclass(frozen=True)
class Parts:
    """What the functions of the signatures are made of.

    Attributes:
        model: the trained model.
        preprocessor: makes the model's inputs of raw values.
        items: the catalogue.
        filters: what requests may filter its items by.
        index: finds the items nearest to a vector; None where nothing is retrieved.
        compression: the model's weights as they are stored; None where they are as they were
            trained.
    """

    model: MultiTaskModel
    preprocessor: Preprocessor
    items: HeldItems
    filters: Filters
    index: Any = None
    compression: Compression | None = None

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.model.config

    @property
    def user_key(self) -> str | None:
        """Raw column of the user's key; None where the log knows no users."""
        return self.config.source.log.user

    @property
    def item_key(self) -> str:
        """Raw column of the item's key."""
        return self.config.source.log.item

    @property
    def key_dtype(self) -> tf.DType:
        """Type of the items' keys in requests and answers."""
        return key_dtype(self.config)

    @cached_property
    def sides(self) -> Sides:
        """The inputs of the ranking tasks, divided between user and item."""
        return divide(self.config, self.preprocessor, self.model.ranked_inputs)

    @cached_property
    def ranking_raw(self) -> dict[str, tf.TensorSpec]:
        """What a request gives for the ranking tasks, in rows."""
        return self.preprocessor.raw_spec(self.model.ranked_inputs)

    @cached_property
    def query_raw(self) -> dict[str, tf.TensorSpec]:
        """What a request gives for the query tower."""
        return self.preprocessor.raw_spec(self.config.query_features)

    @cached_property
    def predictions(self) -> Any:
        """Raw rows to the predictions of the ranking tasks; traced once for all signatures."""
        names = self.model.ranked_inputs
        return self.traced(
            lambda raw: self.model.rank(self.preprocessor(raw, names)), self.ranking_raw
        )

    @cached_property
    def of_candidates(self) -> Any:
        """What a request says of users, `[batch, ...]`, the model's inputs of candidates, `[rows,
        ...]`, and the user of each, `[rows]`, to the predictions, `{task: [rows]}`; traced once for
        all signatures."""
        spec, encoding = self.model.inputs_spec, self.model.encoding.spec
        texts = {n: tf.TensorSpec([None, encoding.projected[n]], name=n) for n in encoding.texts}

        def ranked(raw: Raw, items: Raw, user_of: tf.Tensor) -> dict[str, tf.Tensor]:
            # Where constants stand in for all of the users' inputs, one user is as any other.
            users = self.preprocessor(raw or {"": tf.zeros([1])}, self.sides.user)
            of = user_of if raw else tf.zeros_like(user_of)
            return self.model.rank_candidates(users, items, of)

        return self._traced(
            ranked,
            self.sides.user_raw,
            {name: texts.get(name, spec[name]) for name in self.sides.item},
            tf.TensorSpec([None], tf.int32),
        )

    def made(self, raw: Raw, name: str) -> tf.Tensor:
        """An input of candidates, of raw values; of texts that the model encodes their vectors, as
        the catalogue holds them."""
        made = self.preprocessor(raw, [name])
        return {**made, **self.model.encoding.text_vectors(made)}[name]

    @cached_property
    def _query_vectors(self) -> Any:
        names = self.config.query_features
        return self.traced(
            lambda raw: self.model.query_vectors(self.preprocessor(raw, names)), self.query_raw
        )

    def query_vectors(self, raw: Raw, batch: tf.Tensor) -> tf.Tensor:
        """Vectors of users and queries, `[batch, dim]`, of raw values of as many rows."""
        if self.query_raw:
            return self._query_vectors(**raw)
        # Where constants stand in for all inputs, they say nothing of the batch.
        names = self.config.query_features
        return self.model.query_vectors(self.preprocessor({"": tf.zeros([batch])}, names))

    def traced(self, function: Callable[[Raw], Any], spec: Mapping[str, tf.TensorSpec]) -> Any:
        """A function of named arguments, as a signature's inputs need to be."""
        return self._traced(lambda **inputs: function(inputs), **spec)

    def _traced(self, function: Callable[..., Any], *specs: Any, **named: Any) -> Any:
        def of_stored_weights(*given: Any, **inputs: tf.Tensor) -> Any:
            with self.compression.reading() if self.compression else nullcontext():
                return function(*given, **inputs)

        traced = tf.function(of_stored_weights, autograph=False)
        return traced.get_concrete_function(*specs, **named)

    @property
    def weights(self) -> list[tf.Variable]:
        """The variables that the model's weights are stored in."""
        if self.compression:
            return self.compression.variables_
        return [variable.value for variable in self.model.variables]

    def places(self, keys: tf.Tensor) -> tf.Tensor:
        """Places of items in the catalogue, by keys as requests have them, int32 of their shape;
        -1 where a key is unknown."""
        return self.items.places(id_texts(keys))

    def item_ids(self, places: tf.Tensor) -> tf.Tensor:
        """Keys of items as answers have them, of the shape of `places`."""
        keys = self.items.keys(places)
        return id_numbers(keys) if self.key_dtype == tf.int64 else keys


def key_dtype(config: Config) -> tf.DType:
    """Type of the items' keys in requests and answers."""
    return tf.int64 if config.source.log.item in config.features.int64_columns else tf.string
