"""The account of the rows: it equals a count by hand, and what does not add up stops the run."""

import random
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import data_components
import pytest
from data_components import HEADER, Ran, run_components, shop_config
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.components.base import PipelineError
from pipelines.console.accounting import (
    Accounting,
    Rows,
    SplitRows,
    accounting,
    check,
    split_grid,
    table_grid,
    text_of,
)
from pipelines.preprocess import transforming
from tfmtl.config import parse
from tfmtl.preprocessing.columns import SPLITS

GOOD = Accounting(
    tables={
        "rows": Rows(100, 90, {"missing time": 7, "unknown scenario": 3}, 0, {"x": -20}, 70),
        "items": Rows(9, 5, {"no key": 1}, 3, {}, 5),
    },
    splits={
        "train": SplitRows(50, {"negatives left out": -30, "repeated": 4}, 24),
        "test": SplitRows(20, {}, 20),
    },
    not_found=0,
    dead_letters="artifacts/examples/dead_letters",
)


def test_what_adds_up():
    check(GOOD)


@pytest.mark.parametrize(
    ("part", "key", "changes", "text"),
    [
        ("tables", "rows", {"read": 101}, "of the log 91 should be kept, 90 are"),
        ("tables", "rows", {"rejected": {}}, "of the log 100 should be kept, 90 are"),
        ("tables", "rows", {"changes": {}}, "of the log 90 should be left, 70 are"),
        ("tables", "items", {"repeated": 2}, "of items 6 should be kept, 5 are"),
        ("splits", "train", {"written": 25}, "of split train 24 should be written, 25 were"),
        ("splits", "train", {"changes": {}}, "of split train 50 should be written, 24 were"),
        (
            "splits",
            "test",
            {"examples": 21, "written": 21},
            "should have 70 examples, they have 71",
        ),
    ],
)
def test_what_does_not_add_up(part, key, changes, text):
    parts = dict(getattr(GOOD, part))
    parts[key] = replace(parts[key], **changes)
    with pytest.raises(PipelineError, match=f"the rows do not add up: .*{text}"):
        check(replace(GOOD, **{part: parts}))


def test_the_tables_as_text():
    assert text_of(table_grid(GOOD)) == [
        "                            log  items",
        "read                        100      9",
        "rejected: missing time       -7",
        "rejected: unknown scenario   -3",
        "rejected: no key                    -1",
        "key of another row                  -3",
        "x                           -20",
        "left                         70      5",
    ]
    assert text_of(split_grid(GOOD)) == [
        "                    train  test  all",
        "examples               50    20   70",
        "negatives left out    -30        -30",
        "repeated               +4         +4",
        "written                24    20   44",
    ]


def test_a_run_that_loses_rows_stops(tmp_path, monkeypatch):
    data_components.write_shop(tmp_path / "data")
    whole = transforming._written
    monkeypatch.setattr(transforming, "_written", lambda split: max(whole(split) - 1, 0))
    with pytest.raises(PipelineError, match="the rows do not add up: of split train 6 should be"):
        run_components(shop_config(), tmp_path / "data", tmp_path / "run")


def run(config: Any, lines: list[str], items: list[str]) -> Ran:
    """Runs ExampleGen, StatisticsGen and Transform."""
    kept = tuple(c for c in data_components.COMPONENTS if c.name != "ExampleValidator")
    folder = Path(tempfile.mkdtemp())
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "items.csv").write_text("\n".join(["item,brand", *items]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_components, "COMPONENTS", kept)
        return run_components(config, folder, folder / "run")


# A run takes seconds: a few of them, the same every time, and none to find a smaller failure.
COMPONENTS_RUN = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BAD = {
    "bad time": "u1,i1,feed,,phone,yesterday,0,0",
    "unknown scenario": "u1,i1,moon,,phone,5,0,0",
    "short": "u1,i1,feed",
    "bad label": "u1,i1,feed,,phone,5,2,0",
}
RULES = st.fixed_dictionaries(
    {"task": st.just("click")},
    optional={"scenarios": st.sampled_from([["feed"], ["search"]])},
).flatmap(
    lambda rule: st.one_of(
        st.floats(0.05, 1).map(lambda keep: {**rule, "keep": keep}),
        st.floats(0.1, 5).map(lambda count: {**rule, "per_positive": count}),
    )
)
RESAMPLING = st.fixed_dictionaries(
    {"by": st.sampled_from(["scenario", "task"]), "temperature": st.floats(1, 20)}
)


def check_impressions(
    seed: int,
    good: int,
    bad: list[str],
    items: list[str],
    rules: list[dict[str, Any]],
    resampling: dict[str, Any] | None,
) -> None:
    """Runs a random log with so many good rows, and counts them by hand."""
    chance = random.Random(seed)
    rows = [
        (time, chance.choice(["feed", "feed", "search"]), int(chance.random() < 0.3))
        for time in range(good)
    ]
    lines = [f"u{t % 7},i{t % 5},{where},,phone,{t},{click},0" for t, where, click in rows]
    lines += [BAD[kind] for kind in bad]
    chance.shuffle(lines)
    config = shop_config(
        source={
            "impressions": {"path": "log.csv", "time": "time", "user": "user", "item": "item"},
            "items": {"path": "items.csv", "key": "item"},
            "max_bad_share": 1,
        },
        features={
            "user": [{"name": "user_id", "column": "user", "kind": "id"}],
            "item": [
                {"name": "item_id", "column": "item", "kind": "id"},
                {"name": "brand", "kind": "categorical"},
            ],
        },
        evaluation={"slices": []},
        sampling={"negatives": rules},
        resampling=resampling,
    )

    ran = run(config, [HEADER, *lines], [f"{item},acme" for item in items])

    found = accounting(ran.summaries["ExampleGen"], ran.summaries["Transform"])
    assert found is not None
    assert ran.summaries["Transform"]["accounting"] == found.as_data()
    check(found)
    assert (found.log.read, found.log.kept) == (good + len(bad), good)
    assert sorted(found.log.rejected.values()) == sorted(Counter(bad).values())
    side = found.tables["items"]
    assert (side.read, side.kept) == (len(items), len(set(items)))
    # The last time is good - 1: the ten last rows test, the ten before validate.
    parts = dict(zip(SPLITS, (rows[:-20], rows[-20:-10], rows[-10:]), strict=True))
    for split, expected in parts.items():
        times = ran.table(f"transformed/{split}").column("meta/time").to_pylist()
        assert found.splits[split].examples == len(expected)
        assert found.splits[split].written == len(times)
        if split != "train":
            assert sorted(times) == [time for time, *_ in expected]
            assert not found.splits[split].changes
            continue
        written = Counter(times)
        changes = found.splits[split].changes
        missing = [row for row in expected if row[0] not in written]
        repeats = len(times) - len(written)
        lost = {name: rows for name, rows in changes.items() if rows < 0}
        assert -sum(lost.values()) == len(missing)
        assert sum(changes.values()) == repeats - len(missing)
        if resampling is None:
            assert lost.get("negatives left out", 0) == -len(missing)
            assert all(click == 0 for *_, click in missing)
            assert not repeats


def test_an_account_of_impressions_equals_a_count_by_hand():
    rules = [{"task": "click", "scenarios": ["feed"], "keep": 0.3}]
    check_impressions(5, 80, [*BAD, "short"], ["a", "b", "a"], rules, None)


@pytest.mark.slow
@settings(COMPONENTS_RUN, max_examples=10)
@given(
    st.integers(0, 2**32),
    st.integers(60, 200),
    st.lists(st.sampled_from(list(BAD)), max_size=12),
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=12),
    st.lists(RULES, max_size=2),
    st.none() | RESAMPLING,
)
def test_accounts_of_impressions_equal_counts_by_hand(seed, good, bad, items, rules, resampling):
    check_impressions(seed, good, bad, items, rules, resampling)


def check_events(events: list[tuple[str, str, str, int]], per_positive: int) -> None:
    """Runs a log of events, and counts its rows by hand."""
    events = [*events, ("a", "v", "view", 0), ("b", "w", "cart", 1), ("a", "x", "view", 59)]
    config = parse(
        {
            "name": "events",
            "source": {
                "events": {
                    "path": "log.csv",
                    "time": "time",
                    "user": "user",
                    "item": "item",
                    "labels": {"cart": ["cart"], "view": ["view"]},
                    "negatives": {"per_positive": per_positive},
                },
                "max_bad_share": 1,
            },
            "features": {"item": [{"name": "item_id", "column": "item", "kind": "id"}]},
            "tasks": {"cart": {"kind": "binary", "label": "cart"}},
            "split": {"by": "time", "validation": "10s", "test": "10s"},
            "sampling": {"negatives": [{"task": "cart", "keep": 0.5}]},
        }
    )
    lines = [f"{user},{item},{kind},{time}" for user, item, kind, time in events]

    ran = run(config, ["user,item,event,time", *lines], [])

    found = accounting(ran.summaries["ExampleGen"], ran.summaries["Transform"])
    assert found is not None
    known = [event for event in events if event[2] != "odd"]
    groups = {(user, item, (time >= 40) + (time >= 50)) for user, item, _, time in known}
    assert found.log.read == len(events)
    assert found.log.kept == len(known)
    assert found.log.bad == len(events) - len(known)
    sampled = len(groups) * per_positive - found.not_found
    assert found.log.left == len(groups) + sampled
    written = {split: ran.table(f"transformed/{split}").num_rows for split in SPLITS}
    assert {split: own.written for split, own in found.splits.items()} == written
    missing = found.log.left - sum(written.values())
    assert found.splits["train"].changes.get("negatives left out", 0) == -missing


def test_an_account_of_events_equals_a_count_by_hand():
    met = [("a", "v", "view"), ("b", "w", "odd"), ("a", "v", "cart"), ("c", "x", "cart")]
    check_events([(*event, time) for time, event in enumerate(met * 8)], 2)


@pytest.mark.slow
@settings(COMPONENTS_RUN, max_examples=6)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from("vwxyz"),
            st.sampled_from(["view", "cart", "odd"]),
            st.integers(0, 59),
        ),
        min_size=20,
        max_size=60,
    ),
    st.integers(1, 3),
)
def test_accounts_of_events_equal_counts_by_hand(events, per_positive):
    check_events(events, per_positive)
