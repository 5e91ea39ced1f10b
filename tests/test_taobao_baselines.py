"""The benchmark's baselines against loops over the events."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.quality_of.taobao import Behaviours

# User, time, behaviour and split; two events of ann's are of one second.
EVENTS = [
    *(("ann", 1, 0, 0), ("ann", 5, 1, 0), ("ann", 5, 2, 0), ("bob", 2, 0, 0), ("bob", 9, 0, 0)),
    *(("ann", 11, 0, 1), ("bob", 12, 2, 1), ("ann", 21, 1, 2), ("cem", 22, 0, 2)),
]


@pytest.fixture
def events(tmp_path: Path) -> Behaviours:
    for number, split in enumerate(("train", "validation", "test")):
        (tmp_path / split).mkdir()
        own = [event for event in reversed(EVENTS) if event[3] == number]
        columns = {
            "meta/user": [user for user, _, _, _ in own],
            "meta/time": [time for _, time, _, _ in own],
            "label/behaviour": np.array([kind for _, _, kind, _ in own], np.float32),
        }
        pq.write_table(pa.table(columns), tmp_path / split / "part-00000.parquet")
    return Behaviours(tmp_path)


def test_the_frequency_is_that_of_the_users_own_past(events: Behaviours) -> None:
    rates = np.array([3, 1, 1]) / 5
    np.testing.assert_allclose(events.rates, rates)
    found = {tuple(row) for row in np.round(events.frequency(2), 6).tolist()}
    expected = set()
    for user, time, _, _ in EVENTS:
        past = Counter(kind for own, when, kind, _ in EVENTS if own == user and when < time)
        counts = np.array([past[kind] for kind in range(3)])
        expected.add(tuple(np.round((counts + 2 * rates) / (counts.sum() + 2), 6).tolist()))
    assert found == expected


def test_the_chain_knows_what_follows_what_in_training(events: Behaviours) -> None:
    # After nothing came 0 twice, after 0 came 1, 2 and 0. After 1, the earlier of ann's two events
    # of one second, or 2, the later, nothing came in training: all users' rates.
    rates = np.array([0.6, 0.2, 0.2])
    after = {-1: (2 + 5 * 0.6, 1, 1), 0: (1 + 5 * 0.6, 2, 2)}
    expected = {state: np.array(counts) / sum(counts) for state, counts in after.items()}
    found = events.markov(1, 5)
    for (last, _), chances in zip(events.last, found, strict=True):
        np.testing.assert_allclose(chances, expected.get(int(last), rates))
    # Of the second order, after 0 and nothing before came 1, 2 and 0, as after 0 alone.
    second = events.markov(2, 5)[(events.last == [0, -1]).all(axis=1)]
    prior = expected[0]
    np.testing.assert_allclose(second[0], (np.array([1, 1, 1]) + 5 * prior) / 8)
