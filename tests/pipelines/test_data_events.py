"""Events to rows: the pivot stays within its split, and a negative is never what the user met."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from data_components import run_components
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.components.base import PipelineError
from pipelines.preprocess.pivoting import pivot_events
from pipelines.preprocess.statistics_proto import read_statistics
from tfmtl.config import Config, parse

LABELS = {"view": ["view", "cart"], "cart": ["cart"]}

# The last time is 99: validation from 80, test from 90.
EVENTS = (
    "a,i1,view,10",
    "a,i1,cart,20",
    "a,i2,view,79",
    "a,i2,cart,80",
    "b,i1,view,30",
    "b,i3,view,95",
    "c,i4,view,85",
    "a,i1,view,99",
)


def events_config(per_positive: int = 1, by: str = "popularity", **changes: object) -> Config:
    raw = {
        "name": "events",
        "source": {
            "events": {
                "path": "events.csv",
                "time": "time",
                "user": "user",
                "item": "item",
                "labels": LABELS,
                "negatives": {"per_positive": per_positive, "by": by},
            },
            "max_bad_share": 0.5,
        },
        "features": {
            "user": [{"name": "user", "kind": "id"}],
            "item": [{"name": "item", "kind": "id"}],
            "history": [{"of": ["item"], "where": "view", "last": 3}],
        },
        "tasks": {
            "retrieve": {"kind": "retrieval", "positive": "view"},
            "cart": {"kind": "binary", "label": "cart"},
        },
        "split": {"by": "time", "validation": "10s", "test": "10s"},
    }
    return parse({**raw, **changes})


def write_events(data: Path, events: tuple[str, ...] = EVENTS) -> None:
    data.mkdir()
    (data / "events.csv").write_text("\n".join(["user,item,event,time", *events]) + "\n")


def test_a_user_item_and_split_make_one_row(tmp_path):
    write_events(tmp_path / "data")

    ran = run_components(events_config(), tmp_path / "data", tmp_path / "run", 1)

    rows = [row for row in ran.rows("examples/log") if not row["meta/sampled"]]
    assert sorted(
        (row["user"], row["item"], row["time"], row["view"], row["cart"]) for row in rows
    ) == [
        ("a", "i1", 10, 1.0, 1.0),
        ("a", "i1", 99, 1.0, 0.0),
        # The cart event of 80 is in validation: the training row's label does not see it.
        ("a", "i2", 79, 1.0, 0.0),
        ("a", "i2", 80, 1.0, 1.0),
        ("b", "i1", 30, 1.0, 0.0),
        ("b", "i3", 95, 1.0, 0.0),
        ("c", "i4", 85, 1.0, 0.0),
    ]
    summary = ran.summaries["ExampleGen"]
    assert (summary["rows"], summary["kept"]) == (8, 8)
    assert summary["events"]["rows"] == 7
    assert summary["examples"] == len(ran.rows("examples/log"))


def test_negatives_are_popular_items_the_user_did_not_meet(tmp_path):
    write_events(tmp_path / "data")

    ran = run_components(events_config(), tmp_path / "data", tmp_path / "run", 1)

    negatives = [row for row in ran.rows("examples/log") if row["meta/sampled"]]
    assert all(row["view"] == row["cart"] == 0 for row in negatives)
    # Training events are of i1 and i2, of which a met both; validation's of i2 and i4, the test
    # split's of i3 and i1.
    expected = {
        ("b", 30): "i2",
        ("b", 95): "i1",
        ("a", 99): "i3",
        ("a", 80): "i4",
        ("c", 85): "i2",
    }
    found = {(row["user"], row["time"]): row["item"] for row in negatives}
    assert found == expected
    assert ran.summaries["ExampleGen"]["events"]["not_found"] == 2


def test_negatives_are_the_same_every_time(tmp_path):
    write_events(tmp_path / "data")

    tables = [
        run_components(events_config(), tmp_path / "data", tmp_path / name, 1).table("examples/log")
        for name in ("one", "two")
    ]

    assert tables[0] == tables[1]


def test_an_event_that_no_label_names_is_a_dead_letter(tmp_path):
    write_events(tmp_path / "data", (*EVENTS, "a,i1,share,10"))

    ran = run_components(events_config(), tmp_path / "data", tmp_path / "run", 1)

    assert ran.summaries["ExampleGen"]["rejected"] == {"unknown event": 1}


def test_an_event_that_no_label_names_has_a_remedy(tmp_path):
    write_events(tmp_path / "data", (*EVENTS, *["a,i1,share,10"] * 9))

    with pytest.raises(PipelineError) as caught:
        run_components(events_config(), tmp_path / "data", tmp_path / "run", 1)

    assert (
        "unknown event (9, column 'event', name it in one of source.events.labels, or ignore "
        in (str(caught.value))
    )


def test_vocabularies_count_what_happened_and_not_what_was_drawn(tmp_path):
    write_events(tmp_path / "data")

    ran = run_components(events_config(by="uniform"), tmp_path / "data", tmp_path / "run", 2)

    counts = {row["value"]: row["count"] for row in ran.rows("statistics/counts/item.parquet")}
    assert counts == {"i1": 2, "i2": 1}
    train = [row for row in ran.rows("examples/log") if row["time"] < 80]
    assert Counter(row["item"] for row in train) == {"i1": 2, "i2": 2}
    statistics = read_statistics(ran.directory / "artifacts" / "statistics" / "statistics.pb")
    assert all(
        f.string_stats.common_stats.num_missing == 0 for f in statistics.datasets[0].features
    )


def test_sampled_rows_are_no_positives_of_retrieval(tmp_path):
    write_events(tmp_path / "data")
    tasks = {
        "retrieve": {"kind": "retrieval"},
        "cart": {"kind": "binary", "label": "cart"},
    }

    ran = run_components(events_config(tasks=tasks), tmp_path / "data", tmp_path / "run")

    positives = {n: ran.table(f"transformed/{n}") for n in ("train", "validation", "test")}
    counts = {n: sum(t.column("meta/positive").to_pylist()) for n, t in positives.items()}
    assert counts == {"train": 3, "validation": 2, "test": 2}
    assert ran.summaries["Transform"]["positives"] == counts
    assert ran.rows("statistics/positives.parquet") == [
        {"item": "i1", "count": 2},
        {"item": "i2", "count": 1},
    ]


def test_a_history_does_not_know_what_a_row_will_become(tmp_path):
    # i1 is put into the cart after i2 was viewed and before i3 was: only i3's row may know it.
    seen = ("a,i1,view,1", "a,i2,view,5", "a,i1,cart,10", "a,i3,view,15")
    write_events(tmp_path / "data", seen)
    features = events_config().features.model_dump()
    features["history"] = [{"of": ["item"], "where": "cart", "last": 2}]
    split = {"by": "time", "validation": "0s", "test": "1s"}
    config = events_config(features=features, split=split)

    ran = run_components(config, tmp_path / "data", tmp_path / "run")

    rows = {
        row["meta/time"]: row["cart_history_item"]
        for split in ("train", "test")
        for row in ran.rows(f"transformed/{split}")
    }
    assert rows == {1: [0, 0], 5: [0, 0], 15: [2, 0]}


def test_item_features_need_a_table_of_items(tmp_path):
    write_events(tmp_path / "data", EVENTS)
    features = events_config().features.model_dump()
    features["item"].append({"name": "event", "kind": "categorical"})

    with pytest.raises(PipelineError, match=r"column 'event' must be in source\.items"):
        run_components(events_config(features=features), tmp_path / "data", tmp_path / "run", 1)


events = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.integers(0, 9), st.booleans()
    ),
    min_size=1,
    max_size=25,
)


@settings(deadline=None)
@given(events)
def test_the_pivot_equals_a_loop(drawn):
    users, items, periods, times, carts = map(np.array, zip(*drawn, strict=True))
    batch = pa.RecordBatch.from_pydict(
        {
            "meta/row": np.arange(len(drawn)),
            "time": times,
            "event": np.where(carts, "cart", "view").astype(object),
        }
    )
    expected = {}
    for key in {event[:3] for event in drawn}:
        events = [(time, row, cart) for row, (*k, time, cart) in enumerate(drawn) if key == (*k,)]
        time, row, _ = min(events)
        expected[key] = (time, row), min((t for t, _, cart in events if cart), default=None)

    rows, firsts = pivot_events(batch, [users, items, periods], times, "event", LABELS)

    found = {
        (users[at], items[at], periods[at]): ((row["time"], row["meta/row"]), row["meta/time/cart"])
        for at, row in zip(firsts, rows.to_pylist(), strict=True)
    }
    assert found == expected
    assert set(rows.column("view").to_pylist()) == {1.0}
    assert rows.column("meta/time/view").equals(rows.column("time"))
    bought = [float(row["meta/time/cart"] is not None) for row in rows.to_pylist()]
    assert rows.column("cart").to_pylist() == bought
