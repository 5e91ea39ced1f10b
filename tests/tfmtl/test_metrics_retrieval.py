"""Ranks against a full sort, and the metrics that read them by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.evaluation import mrr, ndcg_at, ranks, recall_at

Csr = tuple[np.ndarray, np.ndarray]


def csr(rows: list[list[int]]) -> Csr:
    flat = [item for row in rows for item in row]
    return np.cumsum([0] + [len(row) for row in rows]), np.array(flat, np.int64)


def ranks_by_sorting(
    queries: np.ndarray, items: np.ndarray, positives: np.ndarray, excluded: list[list[int]]
) -> list[float]:
    """Sort the items of each query; a tie shares the mean of the places it takes."""
    found = []
    for query, positive, out in zip(queries, positives, excluded, strict=True):
        scores = {i: float(query @ item) for i, item in enumerate(items)}
        left = [i for i in scores if i == positive or i not in out]
        places = sorted((scores[i] for i in left), reverse=True)
        tied = [place for place, score in enumerate(places, 1) if score == scores[positive]]
        found.append(sum(tied) / len(tied))
    return found


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    queries=st.integers(1, 12),
    items=st.integers(1, 15),
    batch=st.sampled_from([8, 16, 1024]),
)
def test_ranks_agree_with_sorting(seed: int, queries: int, items: int, batch: int) -> None:
    rng = np.random.default_rng(seed)
    # Small whole numbers: exact in float32, with many ties.
    query_vectors = rng.integers(-2, 3, (queries, 3)).astype(float)
    item_vectors = rng.integers(-2, 3, (items, 3)).astype(float)
    positives = rng.integers(0, items, queries)
    excluded = [rng.integers(0, items, rng.integers(0, 6)).tolist() for _ in range(queries)]
    found = ranks(query_vectors, item_vectors, positives, csr(excluded), batch)
    assert found.tolist() == ranks_by_sorting(query_vectors, item_vectors, positives, excluded)
    nothing: list[list[int]] = [[]] * queries
    found = ranks(query_vectors, item_vectors, positives, batch=batch)
    assert found.tolist() == ranks_by_sorting(query_vectors, item_vectors, positives, nothing)


@pytest.mark.parametrize("items", [2047, 2048, 2049, 4100])
def test_catalogues_of_several_tiles_agree_with_sorting(items: int) -> None:
    rng = np.random.default_rng(items)
    query_vectors = rng.integers(-3, 4, (6, 3)).astype(float)
    item_vectors = rng.integers(-3, 4, (items, 3)).astype(float)
    positives = np.append(rng.integers(0, items, 5), items - 1)
    # Many of one tile, some twice, the first and the last.
    excluded = [[0, 5, 5, items - 1, *rng.integers(0, 200, count)] for count in range(0, 120, 20)]
    found = ranks(query_vectors, item_vectors, positives, csr(excluded), batch=8)
    assert found.tolist() == ranks_by_sorting(query_vectors, item_vectors, positives, excluded)


def test_an_excluded_item_never_counts_however_it_is_rounded() -> None:
    rng = np.random.default_rng(0)
    # Copies of one item, longer by up to the width of a tie.
    item_vectors = np.outer(1 + 1e-6 * rng.random(3000), rng.normal(size=64))
    query_vectors = np.repeat(item_vectors[:1], 5, axis=0)
    everything = np.tile(np.arange(3000), 5)
    exclude = (np.arange(6) * 3000, everything)
    assert ranks(query_vectors, item_vectors, [0, 1, 2, 1500, 2999], exclude).tolist() == [1] * 5


def test_ranks_by_hand() -> None:
    items = [[5.0], [4.0], [4.0], [4.0], [1.0]]
    assert ranks([[1.0]] * 4, items, [0, 1, 3, 4]).tolist() == [1, 3, 3, 5]
    assert ranks([[-1.0]], items, [4]).tolist() == [1]
    # Without 0 and 2, item 1 ties with 3 for places 1 and 2; 4 excludes itself to no effect.
    exclude = ([0, 3, 4], [0, 2, 2, 4])
    assert ranks([[1.0], [1.0]], items, [1, 4], exclude).tolist() == [1.5, 5]


@pytest.mark.parametrize("items", [7, 33, 1003])
@pytest.mark.parametrize("queries", [1, 2, 37])
def test_a_constant_model_ranks_in_the_middle(items: int, queries: int) -> None:
    rng = np.random.default_rng(0)
    item_vectors = np.repeat(rng.normal(size=(1, 64)), items, axis=0)
    query_vectors = rng.normal(size=(queries, 64))
    found = ranks(query_vectors, item_vectors, rng.integers(0, items, queries))
    assert found.tolist() == [(items + 1) / 2] * queries
    zeros = ranks(np.zeros((2, 64)), item_vectors, [0, items - 1])
    assert zeros.tolist() == [(items + 1) / 2] * 2


def test_vectors_that_are_not_finite_have_no_rank() -> None:
    items = [[1.0], [2.0]]
    found = ranks([[math.nan], [1.0], [math.inf]], items, [0, 0, 0])
    assert np.isnan(found).tolist() == [True, False, True]
    assert np.isnan(ranks([[1.0]], [[1.0], [math.nan]], [0])).all()
    assert math.isnan(recall_at(found, 1))
    assert math.isnan(ndcg_at(found, 1))
    assert math.isnan(mrr(found))


def test_no_queries() -> None:
    assert ranks(np.zeros((0, 2)), np.zeros((3, 2)), []).shape == (0,)


def test_metrics_by_hand() -> None:
    found = [1, 2, 3, 20]
    assert recall_at(found, 2) == 0.5
    assert recall_at(found, 2, [1, 1, 2, 4]) == 0.25
    assert ndcg_at(found, 3) == pytest.approx((1 + 1 / math.log2(3) + 0.5) / 4)
    assert ndcg_at(found, 3, [0, 0, 1, 3]) == pytest.approx(0.125)
    assert mrr(found) == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 20) / 4)
    assert mrr(found, [1, 0, 0, 1]) == pytest.approx(0.525)


def test_fewer_items_than_k() -> None:
    found = ranks([[1.0]], [[2.0], [1.0]], [1])
    assert recall_at(found, 100) == 1.0
    assert ndcg_at(found, 100) == pytest.approx(1 / math.log2(3))


@pytest.mark.parametrize(
    "metric",
    [lambda r, w=None: recall_at(r, 5, w), lambda r, w=None: ndcg_at(r, 5, w), mrr],
    ids=["recall_at", "ndcg_at", "mrr"],
)
def test_undefined_and_weight_zero(metric: Callable[..., float]) -> None:
    assert math.isnan(metric([]))
    assert math.isnan(metric([1.0], [0]))
    assert metric([1.0, math.nan], [1, 0]) == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [[1.0, 2.0]], [0]), r"shapes \[q, d\] and \[n, d\]. Received: \(1, 1\)"),
        (([[1.0]], [[1.0]], [0, 0]), r"`positives` should have shape \(1,\). Received: \(2,\)"),
        (([[1.0]], [[1.0]], [1]), "`positives` should name rows .* 0 to 0"),
        (([[1.0]], [[1.0]], [-1]), "`positives` should name rows .* from -1 to -1"),
        (([[1.0]], [[1.0]], [0], ([0, 1], [5])), "`exclude` should name rows .* from 5 to 5"),
        (([[1.0]], [[1.0]], [0], ([0, 1, 1], [0])), "with 2 ascending offsets from 0"),
        (([[1.0]], [[1.0]], [0], ([0, 0], [0])), "to the number of indices, 1"),
    ],
)
def test_bad_input_is_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranks(*arguments)
