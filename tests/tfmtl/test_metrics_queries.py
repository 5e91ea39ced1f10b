"""NDCG by query, top items, coverage and concentration against plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.evaluation import coverage, gini, list_counts, ndcg_by_query, top_items

NAN = math.nan


def ndcg_by_loop(labels: np.ndarray, predictions: np.ndarray, queries: np.ndarray, k: int) -> float:
    """The mean over all orders that fit the predictions, for each query."""
    found = []
    for query in set(queries.tolist()):
        rows = np.flatnonzero(queries == query)
        gains = np.maximum(labels[rows], 0)

        def reached(order: tuple[int, ...], gains: np.ndarray = gains) -> float:
            return sum(gains[i] / math.log2(2 + r) for r, i in enumerate(order[:k]))

        orders = list(itertools.permutations(range(len(rows))))
        best = max(map(reached, orders))
        fitting = [o for o in orders if (np.diff(predictions[rows][list(o)]) <= 0).all()]
        if best > 0:
            found.append(np.mean([reached(o) for o in fitting]) / best)
    return float(np.mean(found)) if found else NAN


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([-1.0, 0.0, 1.0, 2.0]),
            st.sampled_from([0.1, 0.2, 0.3, 0.9]),
            st.integers(0, 3),
        ),
        max_size=16,
    ),
    st.integers(1, 5),
)
def test_ndcg_is_the_mean_over_the_orders_that_fit(rows: list, k: int) -> None:
    labels, predictions, queries = np.array(rows, float).reshape(-1, 3).T
    sizes = np.bincount(queries.astype(int)) if len(rows) else [0]
    if max(sizes) > 5:
        labels, predictions, queries = labels[:5], predictions[:5], queries[:5]
    found = ndcg_by_query(labels, predictions, queries, k)
    expected = ndcg_by_loop(labels, predictions, queries, k)
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_ndcg_by_hand() -> None:
    # a: the second is the wanted one. b: both are tied. c has nothing to find.
    labels = [0, 1, 1, 0, 0, 0]
    predictions = [0.9, 0.5, 0.4, 0.4, 0.7, 0.1]
    queries = list("aabbcc")
    second = 1 / math.log2(3)
    assert ndcg_by_query(labels, predictions, queries, 2) == pytest.approx(
        (second + (1 + second) / 2) / 2
    )
    assert ndcg_by_query(labels, predictions, queries, 1) == pytest.approx((0 + 0.5) / 2)
    # Graded: 1 + 3 / log2(3) of 3 + 1 / log2(3).
    assert ndcg_by_query([1, 3], [0.9, 0.1], [7, 7], 5) == pytest.approx(
        (1 + 3 * second) / (3 + second)
    )


def test_ndcg_leaves_rows_out() -> None:
    labels, predictions = [0, 1, NAN, 1], [0.9, 0.5, 0.99, 0.1]
    assert ndcg_by_query(labels, predictions, [1] * 4, 1) == 0
    assert ndcg_by_query(labels, predictions, [1] * 4, 1, [0, 1, 1, 1]) == 1
    assert math.isnan(ndcg_by_query([], [], [], 1))
    assert math.isnan(ndcg_by_query([0, 0], [0.1, 0.2], [1, 1], 1))
    assert math.isnan(ndcg_by_query([1, 0], [NAN, 0.2], [1, 1], 1))
    with pytest.raises(ValueError, match=r"`groups` should have shape \(2,\)"):
        ndcg_by_query([1, 0], [0.1, 0.2], [1], 1)


@pytest.mark.parametrize("items", [5, 40, 3000])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_top_items_agree_with_sorting(items: int, k: int) -> None:
    random = np.random.default_rng(items + k)
    # Small whole numbers: exact, with many ties, of which the first come first.
    queries = random.integers(-3, 4, (30, 4)).astype(float)
    vectors = random.integers(-3, 4, (items, 4)).astype(float)
    left_out = [random.integers(0, items, random.integers(0, 9)) for _ in range(30)]
    exclude = np.cumsum([0, *map(len, left_out)]), np.concatenate(left_out)
    found = top_items(queries, vectors, k, exclude)
    for query, out, row in zip(queries, left_out, found, strict=True):
        scores = vectors @ query
        scores[out] = -np.inf
        best = [i for i in np.argsort(-scores, kind="stable") if scores[i] > -np.inf][:k]
        assert row.tolist() == best + [-1] * (k - len(best))


def test_top_items_of_nothing_and_of_no_numbers() -> None:
    assert top_items(np.zeros((0, 2)), np.zeros((3, 2)), 2).shape == (0, 2)
    assert top_items([[1.0]], np.zeros((0, 1)), 2).tolist() == [[-1, -1]]
    found = top_items([[NAN], [1.0], [math.inf]], [[1.0], [2.0]], 1)
    assert found.tolist() == [[-1], [1], [-1]]
    with pytest.raises(ValueError, match=r"shapes \[q, d\] and \[n, d\]. Received: \(1, 1\)"):
        top_items([[1.0]], [[1.0, 2.0]], 1)
    with pytest.raises(ValueError, match=r"`exclude` should name rows .* 0 to 0"):
        top_items([[1.0]], [[1.0]], 1, ([0, 1], [5]))


def test_coverage_and_counts_by_hand() -> None:
    lists = [[0, 3], [3, 0], [4, -1]]
    assert list_counts(lists, items=6, k=2).tolist() == [2, 0, 0, 2, 1, 0]
    assert list_counts(lists, items=6, k=1).tolist() == [1, 0, 0, 1, 1, 0]
    assert coverage(list_counts(lists, items=6, k=2)) == 0.5
    assert math.isnan(coverage([]))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_gini_is_half_the_mean_difference(counts: list[int]) -> None:
    # Its definition: the mean difference of two items, over twice the mean.
    if not sum(counts):
        assert math.isnan(gini(counts))
        return
    pairs = np.abs(np.subtract.outer(counts, counts)).mean()
    assert gini(counts) == pytest.approx(pairs / (2 * np.mean(counts)))
