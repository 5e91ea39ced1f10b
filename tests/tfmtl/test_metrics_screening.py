"""Counts by bfloat16 screening against counts in float64, with ties and vectors of all lengths."""

from __future__ import annotations

import numpy as np
import pytest

from tfmtl.evaluation._counting import Pairs, Thresholds
from tfmtl.evaluation._screening import Screen


def vectors(seed: int, queries: int, items: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(items, dim)) * rng.uniform(0.5, 2, (items, 1))
    return (
        rng.normal(size=(queries, dim)).astype(np.float32),
        made.astype(np.float32),
    )


def thresholds(queries: np.ndarray, positives: np.ndarray) -> Thresholds:
    scores = np.einsum("bd,bd->b", queries, positives)
    slack = 1e-5 * np.linalg.norm(queries, axis=1) * np.linalg.norm(positives, axis=1)
    return Thresholds(scores - slack, scores + slack)


@pytest.mark.parametrize(("queries", "items", "dim"), [(16, 5000, 64), (5, 4096, 8), (1, 2049, 33)])
def test_counts_agree_with_exact_products(queries: int, items: int, dim: int) -> None:
    asked, made = vectors(items, queries, items, dim)
    rng = np.random.default_rng(0)
    positives = rng.choice(items, queries, replace=False)
    made[positives] += asked  # above most others
    made[:3] = made[positives[0]]  # copies, which are as good
    limits = thresholds(asked, made[positives])
    out = Pairs(np.arange(queries).repeat(6), rng.integers(0, items, 6 * queries))
    out.items[:2] = 1, 1  # one left out twice

    found = Screen(made).count(asked, limits, out, batch=16)

    scores = asked.astype(np.float64) @ made.T.astype(np.float64)
    points = (scores > limits.high[:, None]).astype(int) + (scores >= limits.low[:, None])
    points[out.queries, out.items] = 0
    assert found is not None
    assert found.tolist() == points.sum(axis=1).tolist()
    assert points.sum() > 0


def test_it_gives_up_where_all_items_are_near() -> None:
    made = np.ones((3000, 4), np.float32)
    asked = np.ones((8, 4), np.float32)
    nothing = Pairs(np.zeros(0, int), np.zeros(0, int))
    assert Screen(made).count(asked, thresholds(asked, made[:8]), nothing, batch=8) is None


def test_it_gives_up_on_queries_that_are_not_finite() -> None:
    _, made = vectors(0, 8, 3000, 4)
    asked = np.ones((8, 4), np.float32)
    asked[3] = np.inf
    nothing = Pairs(np.zeros(0, int), np.zeros(0, int))
    with np.errstate(invalid="ignore"):
        limits = thresholds(asked, made[:8])
        assert Screen(made).count(asked, limits, nothing, batch=8) is None
