"""What becomes of bags, vectors, times and hashed ids inside the model."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.models.encoding import Encoding
from tfmtl.models.inputs import Inputs, describe

CONTEXT: list[dict[str, Any]] = [
    {"name": "street", "kind": "hashed", "buckets": 9, "dim": 5},
    {"name": "town", "kind": "categorical", "oov_buckets": 3, "buckets": 2, "dim": 5},
    {"name": "income", "kind": "numeric", "bucketize": {"buckets": 4, "dim": 3}},
    {"name": "tags", "kind": "bag", "length": 2, "weights": "scores", "dim": 3},
    {"name": "image", "kind": "vector", "size": 4, "dim": 2},
    {"name": "sound", "kind": "vector", "size": 4},
    {"name": "when", "kind": "timestamp", "parts": ["hour", "weekday", "year_day"]},
    {"name": "both", "kind": "crossed", "of": ["street", "income"], "buckets": 7, "dim": 6},
]


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    config = tiny.make_config({"features": {**tiny.RAW["features"], "context": CONTEXT}})
    return describe(config, {**tiny.sizes(), "town": 8, "tags": 4})


@pytest.fixture(scope="module")
def encoding(inputs: Inputs) -> Encoding:
    return Encoding(inputs)


def values(inputs: Inputs, **given: Any) -> dict[str, tf.Tensor]:
    made = {n: np.ones([2, *s.shape[1:]], s.dtype.name) for n, s in inputs.spec.items()}
    return {n: tf.constant(v) for n, v in {**made, **given}.items()}


def test_tables_hold_every_id(inputs: Inputs) -> None:
    rows = {name: table.rows for name, table in inputs.tables.items()}
    assert rows["street"] == 1 + 9
    assert rows["town"] == 1 + 3 + 2  # missing, unknown, shared by the known ones
    assert inputs.tables["town"].hashed_from == 4
    assert rows["income"] == 1 + 4
    assert rows["tags"] == 2 + 4
    assert rows["both"] == 1 + 7


def test_every_feature_is_one_vector(inputs: Inputs, encoding: Encoding) -> None:
    encoded = encoding(values(inputs))
    widths = {"street": 5, "income": 3, "tags": 3, "image": 2, "sound": 4, "when": 6, "both": 6}
    assert {name: encoded[name].shape[1] for name in widths} == widths
    assert "tags_weights" not in encoded
    assert list(encoded) == inputs.vectors(inputs.spec, candidate=True)


def test_a_bag_is_weighed(inputs: Inputs, encoding: Encoding) -> None:
    ids = np.array([[2, 3], [4, 0]], np.int32)
    weights = np.array([[1.0, 3.0], [5.0, 1.0]], np.float32)
    table = encoding.embedding.rows_of("tags")
    found = encoding(values(inputs, tags=ids, tags_weights=weights))["tags"]
    expected = [0.25 * table[2] + 0.75 * table[3], table[4]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_a_vector_is_projected_or_left(inputs: Inputs, encoding: Encoding) -> None:
    vectors = np.array([[1, 2, 3, 4], [0, 0, 0, 0]], np.float32)
    encoded = encoding(values(inputs, image=vectors, sound=vectors))
    np.testing.assert_array_equal(encoded["sound"], vectors)
    kernel, bias = encoding.projections["image"].weights
    np.testing.assert_allclose(encoded["image"], vectors @ kernel.numpy() + bias.numpy(), rtol=1e-5)
