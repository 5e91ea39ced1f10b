"""Joins against loops over all pairs of rows: keys of several columns, versions, attribution."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.preprocess import hashing
from pipelines.preprocess.attribution import latest_before
from pipelines.preprocess.coded import Coded
from pipelines.preprocess.joining import JoinIndex, TextIndex, key_codes

TEXTS = st.sampled_from(["", "a", "b", "ab", "é", "a\0"])


def columns(rows, width):
    """Rows of texts as columns."""
    return [pa.array([row[i] for row in rows], pa.string()) for i in range(width)]


def found_by_loop(table, wanted):
    return [table.index(key) if key in table else -1 for key in wanted]


@settings(deadline=None)
@given(st.data(), st.integers(1, 3))
def test_keys_of_several_columns(data, width):
    keys = st.tuples(*[TEXTS] * width)
    table = data.draw(st.lists(keys, unique=True, max_size=12))
    wanted = data.draw(st.lists(keys, min_size=1, max_size=12))

    found = JoinIndex(columns(table, width)).find([Coded.of(c) for c in columns(wanted, width)])

    assert found.tolist() == found_by_loop(table, wanted)


@settings(deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 9)), unique=True, max_size=20),
    st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 9)), min_size=1, max_size=20),
)
def test_a_row_sees_the_latest_version_of_its_time(table, wanted):
    since = np.array([row[2] for row in table], np.int64)
    times = np.array([row[2] for row in wanted], np.int64)

    index = JoinIndex(columns(table, 2), since)
    found = index.find([Coded.of(c) for c in columns(wanted, 2)], times)

    for (*key, time), row in zip(wanted, found.tolist(), strict=True):
        versions = [(v[2], at) for at, v in enumerate(table) if [*v[:2]] == key and v[2] <= time]
        assert row == max(versions, default=(0, -1))[1]


def test_texts_of_one_hash_are_told_apart(monkeypatch):
    def length(texts):
        return np.array([len(text) for text in texts.to_pylist()], np.uint64)

    monkeypatch.setattr(hashing, "hash_strings", length)

    index = TextIndex(pa.array(["a", "b", "cc", "d"]))

    assert index.find(pa.array(["d", "x", "cc", "b", "yy", "a", ""])).tolist() == [
        3,
        -1,
        2,
        1,
        -1,
        0,
        -1,
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=20))
def test_equal_keys_have_equal_codes(rows):
    codes = key_codes(columns(rows, 3)).tolist()

    for row, code in zip(rows, codes, strict=True):
        assert [r == row for r in rows] == [c == code for c in codes]


def impression_of(event, impressions, within):
    """The impression of an event, found by looking at all of them."""
    key, time = event
    before = [
        (shown, at)
        for at, (own, shown) in enumerate(impressions)
        if own == key and shown <= time <= shown + within
    ]
    return max(before, default=(0, -1))[1]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=15),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=15),
    st.integers(0, 5),
)
def test_an_event_belongs_to_the_latest_impression_before_it(impressions, events, within):
    def arrays(pairs):
        return np.array(pairs, np.int64).reshape(-1, 2).T

    found = latest_before(*arrays(impressions), *arrays(events), within)

    assert found.tolist() == [impression_of(event, impressions, within) for event in events]


@pytest.mark.parametrize(
    ("event", "expected"), [(9, -1), (10, 1), (15, 1), (20, 2), (25, 2), (26, -1)]
)
def test_the_window_has_both_its_ends(event, expected):
    """Impressions at 10, twice, and at 20; an event belongs to one for 5 seconds."""
    times, keys = np.array([10, 10, 20]), np.zeros(3, np.int64)

    found = latest_before(keys, times, np.zeros(1, np.int64), np.array([event]), 5)

    assert found.tolist() == [expected]
