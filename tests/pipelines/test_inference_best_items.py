"""The best items of a catalogue, found block by block, and those that users have had."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inference.best_items import BestItems, Pairs
from pipelines.inference.seen import Seen, gathered, joined


def by_sorting(
    queries: np.ndarray, vectors: np.ndarray, k: int, without: list[set[int]]
) -> list[list[int]]:
    """The best items of every query: all are sorted, of equal scores the earlier is first."""
    found = []
    for query, out in zip(queries, without, strict=True):
        scores = [(-float(np.dot(query, v)), i) for i, v in enumerate(vectors) if i not in out]
        found.append([item for _, item in sorted(scores)[:k]])
    return found


def pairs_of(sets: list[set[int]]) -> Pairs:
    indptr = np.cumsum([0, *map(len, sets)])
    return Pairs(indptr, np.array([item for own in sets for item in sorted(own)], np.int64))


@settings(max_examples=40, deadline=None)
@given(
    items=st.integers(1, 25),
    rows=st.integers(0, 6),
    k=st.integers(1, 30),
    block=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_blocks_give_what_sorting_gives(
    items: int, rows: int, k: int, block: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    # Small whole numbers, so that sums are exact and many scores are equal.
    vectors = random.integers(-2, 3, (items, 3)).astype(np.float32)
    queries = random.integers(-2, 3, (rows, 3)).astype(np.float32)
    without = [
        set(random.choice(items, random.integers(0, items + 1)).tolist()) for _ in range(rows)
    ]
    found = BestItems(vectors, k, block)(queries, pairs_of(without))
    expected = by_sorting(queries, vectors, k, without)
    for row, places in enumerate(expected):
        there = np.isfinite(found.scores[row])
        assert found.places[row][there].tolist() == places
        assert np.all(there[: len(places)])
        scores = [float(np.dot(queries[row], vectors[i])) for i in places]
        assert found.scores[row][there].tolist() == scores


def test_more_queries_than_are_scored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.inference.best_items.QUERIES", 3)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(9, 2)).astype(np.float32)
    queries = random.normal(size=(8, 2)).astype(np.float32)
    without = [{int(random.integers(0, 9))} for _ in range(8)]
    found = BestItems(vectors, 4, 5)(queries, pairs_of(without))
    assert found.places.tolist() == by_sorting(queries, vectors, 4, without)


def test_rows_of_pairs_are_joined_row_by_row() -> None:
    items = np.array([7, 8, 9], np.int32)
    one = gathered(np.array([0, 2, 1]), np.array([2, 2, 3]), items)
    assert (one.indptr.tolist(), one.items.tolist()) == ([0, 2, 2, 4], [7, 8, 8, 9])
    other = Pairs(np.array([0, 1, 2, 2]), np.array([1, 2]))
    both = joined(one, other)
    assert (both.indptr.tolist(), both.items.tolist()) == ([0, 3, 4, 6], [7, 8, 1, 2, 8, 9])


def test_what_users_had_is_their_positives_of_all_splits(tmp_path: Path) -> None:
    splits = {
        "train": [("ann", 1, 1), ("bob", 2, 1), ("ann", 3, 0)],
        "validation": [("ann", 0, 1), ("cem", -1, 1)],
        "test": [("bob", 4, 1)],
    }
    for split, rows in splits.items():
        users, items, positives = zip(*rows, strict=True)
        table = {"meta/user": users, "meta/item": items, "meta/positive": positives}
        (tmp_path / split).mkdir()
        pq.write_table(pa.table(table), tmp_path / split / "part-00000.parquet")
    pairs = Seen(tmp_path).of(pa.array(["bob", "dee", "ann", "cem", "ann"]))
    found = [sorted(pairs.items[pairs.indptr[i] : pairs.indptr[i + 1]].tolist()) for i in range(5)]
    assert found == [[2, 4], [], [0, 1], [], [0, 1]]
