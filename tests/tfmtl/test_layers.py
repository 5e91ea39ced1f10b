"""Layers against numbers worked out by hand."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfmtl.layers.embedding import EmbeddingCollection, Table
from tfmtl.layers.factorised import Factorised
from tfmtl.layers.lookup import VocabularyLookup
from tfmtl.layers.mlp import mlp
from tfmtl.layers.pooling import mean_pooling
from tfmtl.layers.standardize import Standardize


def lookup(directory: Path, *values: str) -> VocabularyLookup:
    path = directory / "values.txt"
    path.write_text("".join(f"{value}\n" for value in values), encoding="utf-8", newline="\n")
    return VocabularyLookup(path, len(values))


def test_lookup_counts_lines_from_two(tmp_path: Path) -> None:
    colours = lookup(tmp_path, "red", "blau", "蓝")
    ids = colours(tf.constant([["blau", "", "mauve"], ["蓝", "red", "RED"]]))
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == [[3, 0, 1], [4, 2, 1]]


def test_lookup_in_an_empty_vocabulary(tmp_path: Path) -> None:
    ids = lookup(tmp_path)(tf.constant(["", "red"]))
    assert ids.dtype == tf.int32
    assert ids.numpy().tolist() == [0, 1]


def test_lookup_takes_a_line_as_it_is(tmp_path: Path) -> None:
    odd = lookup(tmp_path, " red", "red", "a\tb", "1")
    assert odd(tf.constant([" red", "red", "red ", "a\tb", "1", b"\xff"])).numpy().tolist() == [
        2,
        3,
        1,
        4,
        5,
        1,
    ]


def test_standardize_by_hand() -> None:
    values = tf.constant([20.0, 10.0, np.nan, np.inf, -np.inf, -5.0])
    assert Standardize(10.0, 5.0)(values).numpy().tolist() == [2.0, 0.0, 0.0, 0.0, 0.0, -3.0]


def test_standardize_logarithms() -> None:
    values = tf.constant([np.e - 1, 0.0, -0.5, np.nan], tf.float32)
    found = Standardize(0.5, 0.25, log=True)(values).numpy()
    np.testing.assert_allclose(found, [2.0, -2.0, 0.0, 0.0], atol=1e-6)


def test_standardize_without_deviation() -> None:
    assert Standardize(3.0, 0.0)(tf.constant([3.0, 5.0])).numpy().tolist() == [0.0, 2.0]
    assert Standardize(0.0, 1.0)(tf.constant([[2], [3]])).numpy().tolist() == [[2.0], [3.0]]


def collection() -> EmbeddingCollection:
    made = EmbeddingCollection({"item": Table(5, 2)}, {"item_id": "item", "clicked": "item"})
    made.set_weights([np.array([[9, 9], [1, 2], [3, 4], [5, 6], [7, 9]], np.float32)])
    return made


def test_embeddings_are_rows() -> None:
    inputs = {
        "item_id": tf.constant([4, 0, 1]),
        "clicked": tf.constant([[2, 3, 0], [0, 0, 0], [1, 1, 4]]),
        "price": tf.constant([1.0, 2.0, 3.0]),
    }
    found = collection()(inputs)
    assert set(found) == {"item_id", "clicked"}
    assert found["item_id"].numpy().tolist() == [[7, 9], [9, 9], [1, 2]]
    assert found["clicked"].shape == (3, 3, 2)
    means = mean_pooling(found["clicked"], inputs["clicked"])
    np.testing.assert_allclose(means, [[4, 5], [0, 0], [3, 13 / 3]], rtol=1e-6)
    assert set(collection()(inputs, names=["clicked"])) == {"clicked"}


def test_embedding_gradients_are_sparse() -> None:
    embedding = collection()
    (table,) = embedding.trainable_variables
    assert table.is_table
    with tf.GradientTape() as tape:
        clicked = tf.constant([[3, 4, 0]])
        found = embedding({"item_id": tf.constant([2]), "clicked": clicked})
        mean = mean_pooling(found["clicked"], clicked)
        loss = tf.reduce_sum(found["item_id"]) + tf.reduce_sum(mean)
    gradient = tape.gradient(loss, table.value)
    assert isinstance(gradient, tf.IndexedSlices)
    dense = np.zeros((5, 2))
    np.add.at(dense, gradient.indices.numpy(), gradient.values.numpy())
    assert dense.tolist() == [[0, 0], [0, 0], [1, 1], [0.5, 0.5], [0.5, 0.5]]


def test_factorised_by_numpy() -> None:
    layer = Factorised(users=3, items=4, dim=2, l2=0.1)
    random = np.random.default_rng(0)
    b_u, b_i, p, q = (random.normal(size=s).astype("f") for s in [(3, 1), (4, 1), (3, 2), (4, 2)])
    layer.set_weights([b_u, b_i, p, q])
    user, item = np.array([2, 0]), np.array([3, 3])
    scores = layer(tf.constant(user), tf.constant(item))
    expected = [b_u[u, 0] + b_i[i, 0] + p[u] @ q[i] for u, i in zip(user, item, strict=True)]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    penalty = [
        b_u[u, 0] ** 2 + b_i[i, 0] ** 2 + (p[u] ** 2).sum() + (q[i] ** 2).sum()
        for u, i in zip(user, item, strict=True)
    ]
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 0.1 * np.mean(penalty), rtol=1e-5)
    assert all(variable.is_table for variable in layer.variables)


def test_factorised_without_penalty() -> None:
    layer = Factorised(users=2, items=2, dim=2)
    layer(tf.constant([1]), tf.constant([1]))
    assert layer.losses == []


def test_mlp_by_hand() -> None:
    network = mlp([2, 1], name="net")
    network.build((None, 1))
    values = [[[1.0, -1.0]], [0.5, 0.0], [[2.0], [3.0]], [-1.0]]
    network.set_weights([np.array(value) for value in values])
    assert network(tf.constant([[2.0], [-2.0]])).numpy().tolist() == [[4.0], [5.0]]
    assert mlp([], name="identity")(tf.constant([[-3.0]])).numpy().tolist() == [[-3.0]]


def test_mlp_drops_in_training_only() -> None:
    network = mlp([64], name="net", dropout=0.5)
    x = tf.ones([1, 4])
    assert np.array_equal(network(x, training=False), network(x, training=False))
    assert not np.array_equal(network(x, training=True), network(x, training=False))
