"""Sampled negatives: never what the user met, as likely as they say, whatever is beside them."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import run_components
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data_events import EVENTS, events_config, write_events

from pipelines.preprocess import events as pivoting_pass
from pipelines.preprocess.hashing import mix
from pipelines.preprocess.negatives import NegativeSampler
from tfmtl.config import ConfigError

DRAWS = 40_000


def draw(sampler, rows, taken=(), group=0, period=0, item=0):
    """One item for each of many rows alike but for their hashes."""
    alike = [np.full(rows, value, np.int64) for value in (group, period, item)]
    pairs = np.array(taken, np.int64).reshape(-1, 2)
    drawn, chances = sampler.draw(*alike, pairs, 1, mix(np.arange(rows)))
    return drawn[:, 0], chances[:, 0]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 12), st.integers(1, 3))
def test_drawn_items_are_free_and_of_the_category(seed, count, size, kinds):
    rng = np.random.default_rng(seed)
    categories = rng.integers(0, kinds, size)
    weights = rng.integers(0, 3, (2, size))
    of_groups = rng.integers(0, 2, 3)
    groups, items = rng.integers(0, 3, 20), rng.integers(0, size, 20)
    taken = np.stack([rng.integers(0, 3, 15), rng.integers(0, size, 15)], axis=1)
    hashes = rng.integers(0, 2**63, 20).astype(np.uint64)

    drawn, chances = NegativeSampler(weights, categories).draw(
        groups, of_groups[groups], items, taken, count, hashes
    )

    pairs = {tuple(pair) for pair in taken.tolist()}
    for group, item, row, own in zip(groups, items, drawn, chances, strict=True):
        found = [int(other) for other in row if other >= 0]
        assert len(found) == len(set(found))
        weight = {
            other: int(weights[of_groups[group], other])
            for other in range(size)
            if categories[other] == categories[item] and (group, other) not in pairs
        }
        free = sum(w > 0 for w in weight.values())
        assert all(weight[other] > 0 for other in found)
        assert len(found) == min(count, free) or free > 0
        for other, chance in zip(row.tolist(), own.tolist(), strict=True):
            expected = weight[other] / sum(weight.values()) if other >= 0 else np.nan
            assert chance == pytest.approx(expected, nan_ok=True)


def test_items_are_drawn_as_often_as_their_probability_says():
    # Item 1 is taken; of the others' weights 1, 3 and 4 are an eighth, three and four eighths.
    sampler = NegativeSampler(np.array([[1, 9, 3, 4], [0, 0, 0, 1]]))

    drawn, chances = draw(sampler, DRAWS, taken=[(0, 1), (5, 0)])

    assert np.array_equal(chances, np.array([0.125, np.nan, 0.375, 0.5])[drawn])
    counts = np.bincount(drawn, minlength=4) / DRAWS
    assert counts == pytest.approx([0.125, 0, 0.375, 0.5], abs=0.01)
    assert set(draw(sampler, 100, period=1)[0].tolist()) == {3}


def test_items_of_the_category_are_drawn_as_often_as_they_occur():
    # Items 0, 2 and 4 are of one category, as is the row's own, 2.
    sampler = NegativeSampler(np.array([[1, 5, 7, 5, 3]]), np.array([0, 1, 0, 1, 0]))

    drawn, chances = draw(sampler, DRAWS, taken=[(0, 2)], item=2)

    assert Counter(drawn.tolist()).keys() == {0, 4}
    assert np.count_nonzero(drawn == 4) / DRAWS == pytest.approx(0.75, abs=0.01)
    assert np.array_equal(chances, np.where(drawn == 4, 0.75, 0.25))


def test_a_row_is_given_the_same_whatever_stands_beside_it():
    rng = np.random.default_rng(0)
    sampler = NegativeSampler(rng.integers(0, 9, (1, 30)))
    groups, items = rng.integers(0, 5, 100), rng.integers(0, 30, 100)
    taken, hashes = np.stack([groups, items], axis=1), mix(np.arange(100))
    periods = np.zeros(100, np.int64)

    every, _ = sampler.draw(groups, periods, items, taken, 3, hashes)
    few = groups == 2
    own, _ = sampler.draw(groups[few], periods[few], items[few], taken, 3, hashes[few])

    assert np.array_equal(every[few], own)


def test_examples_keep_the_probability(tmp_path):
    write_events(tmp_path / "data")

    ran = run_components(events_config(), tmp_path / "data", tmp_path / "run", 1)

    found = {
        (row["user"], row["time"]): (row["item"], row["meta/negative_probability"])
        for row in ran.rows("examples/log")
        if row["meta/sampled"]
    }
    # Validation's events are of i2 (a) and i4 (c), the test split's of i3 (b) and i1 (a): of the
    # items that the user did not meet only one is left.
    assert found == {
        ("b", 30): ("i2", 1.0),
        ("b", 95): ("i1", 1.0),
        ("a", 99): ("i3", 1.0),
        ("a", 80): ("i4", 1.0),
        ("c", 85): ("i2", 1.0),
    }
    real = [row for row in ran.rows("examples/log") if not row["meta/sampled"]]
    assert {row["meta/negative_probability"] for row in real} == {None}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # In training i1 has 1 event, i2 4, i3 9; user z met i0 alone.
        ({"by": "popularity"}, {"i1": 1 / 14, "i2": 4 / 14, "i3": 9 / 14}),
        ({"by": "popularity", "power": 0.5}, {"i1": 1 / 6, "i2": 2 / 6, "i3": 3 / 6}),
        ({"by": "uniform"}, {"i1": 1 / 3, "i2": 1 / 3, "i3": 1 / 3}),
        ({"by": "popularity", "in_category": "kind"}, {"i1": 0.1, "i3": 0.9}),
    ],
)
def test_every_method_tells_its_probability(rule, expected, tmp_path):
    events = ["z,i0,view,1", "y,i0,view,99"]
    counts = {"i1": 1, "i2": 4, "i3": 9}
    events += [f"u{n}{item},{item},view,2" for item, count in counts.items() for n in range(count)]
    write_events(tmp_path / "data", tuple(events))
    items = {"item": ["i0", "i1", "i2", "i3"], "kind": ["a", "a", "b", "a"]}
    pq.write_table(pa.table(items), tmp_path / "data" / "items.parquet")
    source = events_config().source.model_dump(exclude_unset=True)
    source["events"]["negatives"] = {"per_positive": 3, **rule}
    source["items"] = {"path": "items.parquet", "key": "item"}

    ran = run_components(events_config(source=source), tmp_path / "data", tmp_path / "run", 1)

    own = [r for r in ran.rows("examples/log") if r["user"] == "z" and r["meta/sampled"]]
    found = {row["item"]: row["meta/negative_probability"] for row in own}
    assert found == pytest.approx(expected, rel=1e-6)


def test_negatives_do_not_depend_on_the_number_of_buckets(tmp_path, monkeypatch):
    write_events(tmp_path / "data", (*EVENTS, *(f"u{n % 7},i{n % 5},view,{n}" for n in range(60))))
    tables = []
    for rows in (65_536, 3):
        monkeypatch.setattr(pivoting_pass, "_ROWS_PER_BUCKET", rows)
        ran = run_components(events_config(2), tmp_path / "data", tmp_path / str(rows), 1)
        tables.append(ran.table("examples/log").sort_by("meta/row"))

    assert len(list((tmp_path / "3" / "artifacts" / "examples" / "log").iterdir())) > 3
    assert tables[0] == tables[1]
    assert len(tables[0].column("meta/row").unique()) == tables[0].num_rows


def test_uniform_has_no_power():
    source = events_config(by="uniform").source.model_dump(exclude_unset=True)
    source["events"]["negatives"]["power"] = 0.5
    with pytest.raises(ConfigError, match=r"negatives: power: uniform has no popularity"):
        events_config(source=source)


def test_a_category_needs_items():
    source = events_config().source.model_dump(exclude_unset=True)
    source["events"]["negatives"]["in_category"] = "kind"
    with pytest.raises(ConfigError, match=r"negatives\.in_category: it is a column of source\.ite"):
        events_config(source=source)
