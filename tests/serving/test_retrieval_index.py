"""Indexes beside a brute-force search in numpy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.framework import op_def_registry

from serving.index.building import build_index
from serving.index.clustering import cluster, default_cells, nearest
from serving.index.describing import described
from serving.index.interface import Index
from serving.index.inverted_file import InvertedFile
from tfmtl.config import Index as IndexSpec

ITEMS, DIM, K = 3000, 8, 20
STORAGES = ("float32", "bfloat16", "int8")
KINDS = ("exact", "inverted_file")


def mixture(count: int, seed: int) -> np.ndarray:
    """Vectors around forty centres."""
    centres = np.random.default_rng(9).normal(size=(40, DIM))
    random = np.random.default_rng(seed)
    found = centres[random.integers(0, 40, count)] + 0.3 * random.normal(size=(count, DIM))
    return found.astype(np.float32)


VECTORS, QUERIES, HELD_OUT = mixture(ITEMS, 0), mixture(60, 1), mixture(200, 2)


@pytest.fixture(scope="module")
def indexes() -> dict[tuple[str, str], Index]:
    return {
        (kind, storage): build_index(
            IndexSpec(kind=kind, storage=storage, at=K, recall=0.9), VECTORS, HELD_OUT, seed=3
        )
        for kind in KINDS
        for storage in STORAGES
    }


def stored(storage: str) -> np.ndarray:
    """The vectors as a storage keeps them, by its definition."""
    if storage == "int8":
        scales = np.abs(VECTORS).max(axis=1, keepdims=True) / 127
        return (np.rint(VECTORS / scales) * scales).astype(np.float32)
    if storage == "bfloat16":
        # To the nearest of what 16 bits can hold, of two to the even one.
        bits = VECTORS.view(np.uint32)
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return (bits & np.uint32(0xFFFF0000)).view(np.float32)
    return VECTORS


def brute(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and scores of the best, by sorting all of them."""
    scores = queries @ vectors.T
    places = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return places, np.take_along_axis(scores, places, axis=1)


def allowing(mask: np.ndarray):
    """A filter as an index asks for it."""
    table = tf.constant(mask)

    def allowed(places):
        if places is None:
            return table
        inside = tf.gather(table, tf.maximum(places, 0), batch_dims=1)
        return (places >= 0) & inside

    return allowed


@pytest.mark.parametrize("storage", STORAGES)
def test_exact_is_brute_force_over_what_is_stored(indexes, storage) -> None:
    places, scores = indexes["exact", storage].search(QUERIES, tf.constant(K))
    expected, best = brute(QUERIES, stored(storage), K)
    np.testing.assert_allclose(scores, best, rtol=1e-5, atol=1e-5)
    assert np.mean(places.numpy() == expected) > 0.99  # sums that are all but equal may swap


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("storage", STORAGES)
def test_scores_are_those_of_float32_within_the_bound_of_the_storage(
    indexes, kind, storage
) -> None:
    places, scores = indexes[kind, storage].search(QUERIES, tf.constant(K))
    vectors = VECTORS[places.numpy()]
    true = np.einsum("qd,qkd->qk", QUERIES, vectors)
    bound = {
        "float32": 0.0,
        "bfloat16": 2.0**-8 * np.einsum("qd,qkd->qk", np.abs(QUERIES), np.abs(vectors)),
        "int8": np.abs(vectors).max(axis=2) / 254 * np.abs(QUERIES).sum(axis=1)[:, None],
    }[storage]
    assert np.all(np.abs(scores - true) <= bound + 1e-5)
    assert storage == "float32" or np.abs(scores - true).max() > 1e-4


@pytest.mark.parametrize("storage", STORAGES)
def test_the_recall_that_is_declared_is_reached_and_said(indexes, storage) -> None:
    index = indexes["inverted_file", storage]
    found, _ = index.search(QUERIES, tf.constant(K))
    best, _ = brute(QUERIES, VECTORS, K)
    recall = np.mean([len({*a} & {*b}) / K for a, b in zip(found.numpy(), best, strict=True)])
    said = index.about()["recall"]
    assert recall >= 0.9
    assert said["measured"] == pytest.approx(recall, abs=0.05)
    assert {key: said[key] for key in ("declared", "at", "queries", "of")} == {
        "declared": 0.9,
        "at": K,
        "queries": 100,
        "of": "held-out queries",
    }
    assert 1 <= index.probes < index.cells == default_cells(ITEMS) == 219


def test_a_higher_recall_takes_more_cells() -> None:
    probes = [
        build_index(
            IndexSpec(kind="inverted_file", cells=50, recall=recall, at=K), VECTORS, HELD_OUT
        ).probes
        for recall in (0.5, 0.9, 1.0)
    ]
    assert probes[0] < probes[1] < probes[2]


def test_all_cells_give_what_exact_gives(indexes) -> None:
    spec = IndexSpec(kind="inverted_file", cells=7, recall=1.0, at=ITEMS)
    index = build_index(spec, VECTORS, HELD_OUT)
    assert index.probes == 7
    found, scores = index.search(QUERIES, tf.constant(K))
    expected, best = brute(QUERIES, VECTORS, K)
    np.testing.assert_allclose(scores, best, rtol=1e-5, atol=1e-5)
    assert np.mean(found.numpy() == expected) > 0.99


def test_the_same_arguments_give_the_same_index(indexes) -> None:
    again = build_index(
        IndexSpec(kind="inverted_file", at=K, recall=0.9), VECTORS, HELD_OUT, seed=3
    )
    before = indexes["inverted_file", "float32"]
    assert again.about() == before.about()
    for one, other in zip(again.variables, before.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_without_queries_items_stand_for_them() -> None:
    index = build_index(IndexSpec(kind="inverted_file", at=5), VECTORS, HELD_OUT[:3])
    assert index.about()["recall"]["of"] == "items"
    assert index.about()["recall"]["queries"] == 500


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("storage", STORAGES)
def test_no_items_and_one_item(kind, storage) -> None:
    spec = IndexSpec(kind=kind, storage=storage)
    for count in (0, 1):
        index = build_index(spec, VECTORS[:count])
        places, scores = index.search(QUERIES[:2], tf.constant(3))
        assert places.numpy().tolist() == [[0, -1, -1] if count else [-1] * 3] * 2
        assert np.isinf(scores.numpy()[:, count:]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_items_that_are_all_alike(kind) -> None:
    index = build_index(IndexSpec(kind=kind, cells=10), np.ones([30, 4], np.float32))
    places, scores = index.search(tf.ones([1, 4]), tf.constant(30))
    assert sorted(places.numpy()[0]) == list(range(30))
    assert set(scores.numpy()[0]) == {4.0}


@pytest.mark.parametrize("one", [(kind, storage) for kind in KINDS for storage in STORAGES])
def test_queries_that_are_no_numbers_and_no_queries(indexes, one) -> None:
    odd = np.full([3, DIM], np.nan, np.float32)
    odd[1], odd[2, 0] = np.inf, -3e38
    places, scores = indexes[one].search(odd, tf.constant(K))
    assert np.isfinite(scores).all()
    assert all(len({*row}) == K and min(row) >= 0 for row in places.numpy().tolist())
    places, scores = indexes[one].search(odd[:0], tf.constant(K))
    assert places.shape == scores.shape == (0, K)


def test_vectors_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="items' vectors should be finite"):
        build_index(IndexSpec(), np.array([[1.0], [np.nan]], np.float32))


@settings(max_examples=40, deadline=None)
@given(
    share=st.sampled_from([0.0, 0.001, 0.01, 0.3, 1.0]),
    count=st.integers(1, 60),
    seed=st.integers(0, 2**16),
    one=st.sampled_from([(kind, storage) for kind in KINDS for storage in STORAGES]),
)
def test_a_filter_leaves_as_many_as_there_are(indexes, share, count, seed, one) -> None:
    random = np.random.default_rng(seed)
    # The items of a filter lie together, as those of a category do, or anywhere.
    mask = random.random((2, ITEMS)) < share
    if seed % 2:
        worst = np.argsort(QUERIES[:2] @ VECTORS.T, axis=1)[:, : int(share * ITEMS)]
        mask = np.zeros((2, ITEMS), bool)
        np.put_along_axis(mask, worst, True, axis=1)
    places, scores = indexes[one].search(QUERIES[:2], tf.constant(count), allowing(mask))
    for row, values, able in zip(places.numpy(), scores.numpy(), mask, strict=True):
        there = min(count, int(able.sum()))
        real = row[:there]
        assert len({*real}) == there
        assert able[real].all()
        assert (row[there:] == -1).all()
        assert np.isneginf(values[there:]).all()
        assert np.all(np.diff(values[:there]) <= 0)


def test_a_filter_that_the_probes_cannot_meet_is_answered_exactly(indexes) -> None:
    worst = np.argsort(QUERIES[:4] @ VECTORS.T, axis=1)[:, :50]
    mask = np.zeros((4, ITEMS), bool)
    np.put_along_axis(mask, worst, True, axis=1)
    found, _ = indexes["inverted_file", "float32"].search(
        QUERIES[:4], tf.constant(10), allowing(mask)
    )
    scores = np.where(mask, QUERIES[:4] @ VECTORS.T, -np.inf)
    np.testing.assert_array_equal(found, np.argsort(-scores, axis=1)[:, :10])


def test_more_than_the_probes_hold_are_found(indexes) -> None:
    places, _ = indexes["inverted_file", "int8"].search(QUERIES[:2], tf.constant(ITEMS + 5))
    assert all(sorted(row) == [-1] * 5 + list(range(ITEMS)) for row in places.numpy().tolist())


def test_cells_are_those_of_the_nearest_centroids() -> None:
    cells = cluster(VECTORS, 30, seed=1)
    distances = ((VECTORS[:, None, :] - cells.centroids[None]) ** 2).sum(axis=2)
    own = distances[np.arange(ITEMS), cells.of]
    np.testing.assert_allclose(own, distances.min(axis=1), rtol=1e-3)
    assert len(np.unique(cells.of)) == len(cells.centroids) <= 30
    inside = own.sum() / ((VECTORS - VECTORS.mean(axis=0)) ** 2).sum()
    assert inside < 0.3  # forty centres, of which thirty cells keep most apart


def test_nearest_by_hand() -> None:
    centroids = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 10.0]], np.float32)
    vectors = np.array([[1.9, 0.0], [2.1, 0.0], [0.0, 5.1], [9.0, 1.0]], np.float32)
    assert nearest(vectors, centroids).tolist() == [0, 1, 2, 1]


def test_items_stand_cell_by_cell() -> None:
    cells = cluster(VECTORS, 5, seed=1)
    index = InvertedFile(VECTORS, cells, "float32")
    by_name = {variable.name.split(":")[0]: variable.numpy() for variable in index.variables}
    starts, order = by_name["cell_starts"], by_name["item_order"]
    for cell in range(5):
        inside = order[starts[cell] : starts[cell + 1]]
        assert inside.tolist() == np.flatnonzero(cells.of == cell).tolist()
    np.testing.assert_array_equal(by_name["item_vectors"], VECTORS[order])


def test_bytes_of_the_storages(indexes) -> None:
    sizes = {one: index.about()["bytes"] for one, index in indexes.items()}
    vectors = ITEMS * DIM
    assert sizes["exact", "float32"] == 4 * vectors
    assert sizes["exact", "bfloat16"] == 2 * vectors
    assert sizes["exact", "int8"] == vectors + 4 * ITEMS
    besides = 4 * (219 * DIM + 219 + 1 + ITEMS)  # centroids, where cells begin, the order
    assert sizes["inverted_file", "int8"] == sizes["exact", "int8"] + besides


@pytest.mark.parametrize("one", [("inverted_file", "int8"), ("exact", "bfloat16")])
def test_it_loads_in_a_v1_session_of_stock_ops(indexes, tmp_path, one) -> None:
    index = indexes[one]

    def search(queries: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        mask = tf.range(ITEMS)[None, :] < 2000 + tf.zeros([tf.shape(queries)[0], 1], tf.int32)

        def allowed(places):
            return mask if places is None else (places >= 0) & (places < 2000)

        places, scores = index.search(queries, tf.reduce_max(count), allowed)
        return {"places": places, "scores": scores}

    traced = tf.function(search).get_concrete_function(
        tf.TensorSpec([None, DIM], tf.float32, "queries"), tf.TensorSpec([None], tf.int32, "count")
    )
    tf.saved_model.save(index, str(tmp_path), {"search": traced})
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = meta.signature_def["search"]
        options = config_pb2.CallableOptions(
            feed=[signature.inputs[name].name for name in ("queries", "count")],
            fetch=[signature.outputs[name].name for name in ("places", "scores")],
        )
        call = session._make_callable_from_options(options)
        found = {count: call(QUERIES, np.array([count], np.int32)) for count in (K, 2500)}
    scores = QUERIES @ stored(one[1]).T
    for count, (places, values) in found.items():
        there = min(count, 2000)
        own = np.take_along_axis(scores, places[:, :there], axis=1)
        np.testing.assert_allclose(values[:, :there], own, rtol=1e-4, atol=1e-5)
        assert np.all((places[:, :there] >= 0) & (places[:, :there] < 2000))
        assert np.all(places[:, there:] == -1)
    nodes = [*meta.graph_def.node]
    for function in meta.graph_def.library.function:
        nodes += function.node_def
    functions = {function.signature.name for function in meta.graph_def.library.function}
    ops = {node.op for node in nodes} - functions
    assert {"TopKV2", "MatMul"} <= ops
    assert all(op_def_registry.get(op) is not None for op in ops)
    assert not [op for op in ops if "PyFunc" in op or op.startswith("Xla")]


def test_what_is_printed_of_an_index() -> None:
    about = {
        "kind": "inverted_file",
        "cells": 4000,
        "probes": 52,
        "storage": "int8",
        "items": 1_000_000,
        "dim": 64,
        "bytes": 73_000_000,
    }
    recall = {"declared": 0.98, "at": 100, "measured": 0.984, "queries": 500}
    line = described({**about, "recall": {**recall, "of": "held-out queries"}})
    assert line == (
        "index inverted file of 1,000,000 items in 4,000 cells, 52 looked into, int8, 73.0 MB; "
        "recall@100 0.984 on 500 held-out queries, declared 0.98"
    )
    line = described({**about, "recall": {**recall, "measured": 0.97, "of": "items"}})
    assert line.endswith("recall@100 0.970 on 500 items, BELOW the declared 0.98")
    exact = {"kind": "exact", "storage": "float32", "items": 1682, "dim": 32, "bytes": 215_296}
    assert described(exact) == "index exact over 1,682 items, float32, 0.2 MB"
