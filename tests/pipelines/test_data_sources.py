"""Several raw tables as one log: attribution, lookups, versions, duplicates, times of labels."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import COMPONENTS, run_components

from pipelines.caching.fingerprints import data_files
from pipelines.components.base import PipelineError
from pipelines.preprocess import attribution
from pipelines.preprocess.examples import Examples
from tfmtl.config import Config, ConfigError, parse

# Validation starts at 80, test at 90.
IMPRESSIONS = (
    "r1,u1,i1,s1,10",
    "r1,u1,i2,s1,10",
    "r2,u1,i1,s2,20",
    "r3,u2,i1,s1,79",
    "r4,u1,i3,s2,85",
    "r5,u2,i3,s9,99",
)
EVENTS = (
    "r1,i1,click,10",  # at the impression's own time
    "r1,i1,buy,19",
    "r2,i1,click,41",  # 21 seconds after it
    "r1,i2,click,9",  # before it
    "r3,i1,click,80",
    "r3,i1,click,81",  # once more
    "r9,i1,click,30",  # there was no such request
    "r4,i3,wave,86",  # no label is made of it
    ",i3,click,86",
)
ITEMS = ("i1,acme,1,5", "i1,nova,2,20", "i2,zed,3,15", "i1,last,4,90")
PROMOTIONS = ("i1,s1,front,1", "i1,s2,rear,0", "i3,s2,front,1", "i1,s1,again,0", ",s1,none,1")


def config_of(**source: object) -> Config:
    """Impressions and events with everything joined to them; arguments replace tables."""
    tables: dict[str, object] = {
        "impressions": {"path": "impressions.csv", "time": "time", "user": "user", "item": "item"},
        "events": {
            "path": "events.csv",
            "time": "at",
            "event": "what",
            "labels": {"click": ["click"], "buy": ["buy"]},
            "on": ["request", "item"],
            "within": "20s",
        },
        "items": {"path": "items.csv", "key": "item", "valid_from": "since"},
        "lookups": {"promotions": {"path": "promotions.csv", "key": ["item", "store"]}},
        "max_bad_share": 0.5,
    }
    source = {name: table for name, table in {**tables, **source}.items() if table is not None}
    features = {
        "user": [{"name": "user", "kind": "id"}],
        "item": [
            {"name": "item", "kind": "id"},
            {"name": "brand", "kind": "categorical"},
            {"name": "price", "kind": "numeric", "scale": "none"},
        ],
        "context": [
            {"name": "display", "kind": "categorical"},
            {"name": "mailed", "kind": "numeric", "scale": "none"},
        ],
        "history": [{"of": ["item"], "where": "click", "last": 3}],
    }
    if "items" not in source:
        features["item"] = features["item"][:1]
    if "lookups" not in source:
        del features["context"]
    raw = {
        "name": "joined",
        "source": source,
        "features": features,
        "tasks": {
            "click": {"kind": "binary", "label": "click"},
            "buy": {"kind": "binary", "label": "buy"},
        },
        "split": {"by": "time", "validation": "10s", "test": "10s"},
    }
    return parse(raw)


def write_tables(data, impressions=IMPRESSIONS, header="request,user,item,store,time"):
    data.mkdir()
    tables = {
        "impressions": (header, impressions),
        "events": ("request,item,what,at", EVENTS),
        "items": ("item,brand,price,since", ITEMS),
        "promotions": ("item,store,display,mailed", PROMOTIONS),
    }
    for name, (head, rows) in tables.items():
        (data / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    return data


def run_on(tmp_path, config, count=5):
    data = tmp_path / "data"
    if not data.exists():
        write_tables(data)
    return run_components(config, data, tmp_path / "run", count)


def views(ran):
    """The batches of the log, joined."""
    examples = Examples(ran.config, ran.directory / "artifacts" / "examples")
    return [examples.read(batch) for batch in examples.batches]


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """All components over all the tables."""
    return run_on(tmp_path_factory.mktemp("joined"), config_of())


def test_events_make_the_labels_of_their_impression(joined):
    rows = {
        (row["request"], row["item"]): (
            row["click"],
            row["meta/time/click"],
            row["buy"],
            row["meta/time/buy"],
        )
        for row in joined.rows("examples/log")
    }
    none = (0.0, None, 0.0, None)
    assert rows == {
        ("r1", "i1"): (1.0, 10, 1.0, 19),
        ("r1", "i2"): none,
        ("r2", "i1"): none,
        ("r3", "i1"): (1.0, 80, 0.0, None),
        ("r4", "i3"): none,
        ("r5", "i3"): none,
    }


def test_the_account_of_several_tables_adds_up(joined):
    summary = joined.summaries["ExampleGen"]

    assert summary["attribution"] == {"attributed": 4, "unattributed": 3}
    assert summary["tables"] == {
        "impressions": {"rows": 6, "kept": 6, "duplicates": 0, "rejected": {}},
        "events": {
            "rows": 9,
            "kept": 7,
            "duplicates": 0,
            "rejected": {"unknown event": 1, "missing key": 1},
        },
        "items": {"rows": 4, "kept": 4, "duplicates": 0, "rejected": {}},
        "lookups.promotions": {
            "rows": 5,
            "kept": 3,
            "duplicates": 1,
            "rejected": {"missing key": 1},
        },
    }
    assert summary["dead_letters"]["rows"] == 3
    assert (summary["rows"], summary["kept"], summary["examples"]) == (6, 6, 6)


def test_attribution_does_not_depend_on_the_number_of_buckets(joined, tmp_path, monkeypatch):
    monkeypatch.setattr(attribution, "_ROWS_PER_BUCKET", 2)
    ran = run_on(tmp_path, config_of(), 1)

    assert len(list((ran.directory / "artifacts" / "examples" / "log").iterdir())) > 1
    rows = ran.table("examples/log").sort_by("meta/row")
    assert rows == joined.table("examples/log").sort_by("meta/row")


def test_rows_see_the_version_of_their_time(joined):
    found = {}
    for view in views(joined):
        brands, prices = view.text("items", "brand"), view.number("items", "price")
        texts = brands.values.take(pa.array(brands.codes)).to_pylist()
        rows = view.rows.to_pylist()
        for row, text, price in zip(rows, texts, prices.tolist(), strict=True):
            found[row["time"], row["item"]] = text, price
    assert found.pop((10, "i2")) == ("", pytest.approx(np.nan, nan_ok=True))
    assert found.pop((85, "i3")) == ("", pytest.approx(np.nan, nan_ok=True))
    assert found.pop((99, "i3")) == ("", pytest.approx(np.nan, nan_ok=True))
    assert found == {
        (10, "i1"): ("acme", 1.0),
        (20, "i1"): ("nova", 2.0),
        (79, "i1"): ("nova", 2.0),
    }


def test_a_model_reads_the_joined_columns(joined):
    splits = ("train", "validation", "test")
    rows = [row for split in splits for row in joined.rows(f"transformed/{split}")]
    found = {(r["meta/time"], r["meta/user"], r["price"]): r["mailed"] for r in rows}
    # 0 stands for missing where a number is not scaled.
    assert found == {
        (10, "u1", 1.0): 0.0,
        (10, "u1", 0.0): 0.0,
        (20, "u1", 2.0): 0.0,
        (79, "u2", 2.0): 0.0,
        (85, "u1", 0.0): 1.0,
        (99, "u2", 0.0): 0.0,
    }
    displays = {(r["meta/time"], r["price"]): r["display"] for r in rows}
    assert displays[10, 0.0] == displays[99, 0.0] == 0
    # In training there were "again", twice, and "rear"; "front" came later.
    assert displays[10, 1.0] == displays[79, 2.0] >= 2
    assert displays[20, 2.0] >= 2
    assert displays[20, 2.0] != displays[79, 2.0]
    assert displays[85, 0.0] == 1
    catalogue = joined.rows("transformed/catalogue.parquet")
    assert [(row["key"], row["raw/brand"]) for row in catalogue] == [
        ("i2", "zed"),
        ("i1", "last"),
        ("i3", ""),
    ]


@pytest.mark.parametrize(("duplicates", "kept"), [("last", "again"), ("first", "front")])
def test_the_declared_row_of_a_key_is_kept(duplicates, kept, tmp_path):
    lookup = {"path": "promotions.csv", "key": ["item", "store"], "duplicates": duplicates}
    ran = run_on(tmp_path, config_of(lookups={"promotions": lookup}), 1)

    rows = ran.rows("examples/lookups.promotions.parquet")
    found = {(row["item"], row["store"]): row["display"] for row in rows}
    assert found == {("i1", "s1"): kept, ("i1", "s2"): "rear", ("i3", "s2"): "front"}
    assert ran.summaries["ExampleGen"]["tables"]["lookups.promotions"]["duplicates"] == 1


def test_a_repeated_key_stops_the_run_where_that_is_declared(tmp_path):
    lookup = {"path": "promotions.csv", "key": ["item", "store"], "duplicates": "error"}
    with pytest.raises(PipelineError) as caught:
        run_on(tmp_path, config_of(lookups={"promotions": lookup}), 1)
    assert str(caught.value) == (
        "source.lookups.promotions: 1 rows repeat the key of another, the first has item 'i1', "
        "store 's1'; make keys unique, or set source.lookups.promotions.duplicates to last or first"
    )


@pytest.mark.parametrize(("duplicates", "brand"), [("last", "nova"), ("first", "acme")])
def test_a_version_that_repeats(duplicates, brand, tmp_path):
    write_tables(tmp_path / "data")
    rows = ["item,brand,price,since", "i1,acme,1,5", "i1,nova,2,5", "i1,zed,3,4"]
    (tmp_path / "data" / "items.csv").write_text("\n".join(rows) + "\n")
    items = {"path": "items.csv", "key": "item", "valid_from": "since", "duplicates": duplicates}

    ran = run_on(tmp_path, config_of(items=items), 1)

    found = [(row["since"], row["brand"]) for row in ran.rows("examples/items.parquet")]
    assert found == [(4, "zed"), (5, brand)]
    assert ran.summaries["ExampleGen"]["tables"]["items"]["duplicates"] == 1


LABELLED = {"path": "impressions.csv", "time": "time", "user": "user", "item": "item"}
PLAIN = {"events": None, "items": None, "lookups": None}


def write_labels(data, rows):
    return write_tables(data, rows, "user,item,time,click,clicked,buy")


def test_labels_are_known_since_their_own_times_and_delays(tmp_path):
    rows = (
        "u1,i1,10,1,30,1",
        "u1,i2,20,1,,0",
        "u1,i3,40,0,,1",
        "u1,i4,50,1,45,",
        "u1,i5,99,0,99,1",
    )
    write_labels(tmp_path / "data", rows)
    labelled = {**LABELLED, "label_times": {"click": "clicked"}}
    config = config_of(**PLAIN, impressions=labelled, feedback_delay={"buy": "15s"})

    ran = run_on(tmp_path, config, 1)

    assert ran.summaries["ExampleGen"]["rejected"] == {"label without its time": 1}
    (view,) = views(ran)
    found = {
        row["item"]: (row["meta/time/click"], row["meta/time/buy"]) for row in view.rows.to_pylist()
    }
    # i4 was clicked before it was shown, so says the log: known not before its row.
    assert found == {"i1": (30, 25), "i3": (None, 55), "i4": (50, None), "i5": (None, 114)}


def test_a_delay_comes_after_the_event(tmp_path):
    ran = run_on(tmp_path, config_of(feedback_delay={"click": "3s"}), 1)

    (view,) = views(ran)
    times = view.rows.column("meta/time/click").to_pylist()
    assert sorted(time for time in times if time is not None) == [13, 83]


@pytest.mark.parametrize("name", ["StatisticsGen", "Transform"])
def test_a_delay_is_part_of_what_is_cached(name):
    reads = {component.name: component.reads for component in COMPONENTS}[name]

    assert reads(config_of(feedback_delay={"click": "3s"})) != reads(config_of())


def test_a_run_is_keyed_by_the_files_of_all_tables(tmp_path):
    data = write_tables(tmp_path / "data")

    names = [name for name, _ in data_files(config_of(), data)]

    assert names == ["impressions.csv", "events.csv", "items.csv", "promotions.csv"]


def test_a_history_waits_until_a_label_is_known(tmp_path):
    rows = ("u1,i1,10,1,30,0", "u1,i2,30,0,,1", "u1,i2,31,0,,0", "u1,i2,85,0,,0", "u1,i1,99,0,,1")
    write_labels(tmp_path / "data", rows)
    labelled = {**LABELLED, "label_times": {"click": "clicked"}}

    ran = run_on(tmp_path, config_of(**PLAIN, impressions=labelled))

    lengths = {
        row["meta/time"]: np.count_nonzero(row["click_history_item"])
        for split in ("train", "validation", "test")
        for row in ran.rows(f"transformed/{split}")
    }
    assert lengths == {10: 0, 30: 0, 31: 1, 85: 1, 99: 1}


def test_a_history_of_what_changes_with_time_is_refused(tmp_path):
    config = config_of()
    features = config.features.model_dump()
    features["history"] = [{"of": ["item", "brand"], "where": "click"}]
    raw = {**config.model_dump(exclude_unset=True), "features": features}
    with pytest.raises(PipelineError) as caught:
        run_on(tmp_path, parse(raw), 1)
    assert str(caught.value).startswith(
        "features.history of 'brand': column 'brand' has several versions of an item"
    )


def test_a_column_of_two_lookups_is_refused(tmp_path):
    lookup = {"path": "promotions.csv", "key": ["item", "store"]}
    with pytest.raises(PipelineError) as caught:
        run_on(tmp_path, config_of(lookups={"one": lookup, "two": lookup}), 1)
    assert str(caught.value).startswith(
        "column 'display' is in source.lookups.one and in source.lookups.two; rename one of them"
    )


def test_a_key_that_the_log_lacks(tmp_path):
    lookup = {"path": "promotions.csv", "key": ["item", "shop"]}
    with pytest.raises(PipelineError) as caught:
        run_on(tmp_path, config_of(lookups={"promotions": lookup}), 1)
    assert "source.lookups.promotions.key: there is no column 'shop' in" in str(caught.value)


EVENT_TABLE = {"path": "events.csv", "labels": {"click": ["click"], "buy": ["buy"]}}
JOINED = {**EVENT_TABLE, "on": ["request"], "within": "1d"}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"impressions": None, "events": None}, "give 'impressions', 'events' or both"),
        ({"events": {**EVENT_TABLE, "within": "1d"}}, "events.on: it says which impression"),
        ({"events": {**EVENT_TABLE, "on": ["request"]}}, "events.within: it says which impression"),
        ({"events": {**JOINED, "within": "soon"}}, "give a duration such as 12h or 1d, got 'soon'"),
        ({"events": {**JOINED, "negatives": {}}}, "events.negatives: with impressions no items"),
        ({"events": JOINED, "impressions": None}, "events.on: it joins events to impressions"),
        ({"events": {**JOINED, "event": None}}, "labels.click: event is null, so events have no"),
        (
            {"events": {**JOINED, "labels": {"click": []}}},
            "labels.click: name at least one event, got []",
        ),
        (
            {"impressions": {**LABELLED, "label_times": {"click": "clicked"}}},
            "impressions.label_times.click: events make this label",
        ),
        (
            {"lookups": {"promotions": {"path": "p.csv", "key": ["item", "item"]}}},
            "name each column once, got ['item', 'item']",
        ),
        ({"impressions": {**LABELLED, "time": None}}, "events: impressions.time is null"),
        (
            {"impressions": {**LABELLED, "time": None}, "events": None},
            "items.valid_from: impressions.time is null",
        ),
        (
            {"feedback_delay": {"like": "1d"}},
            "source.feedback_delay.like: no task and no history reads label 'like'",
        ),
        (
            {
                "events": None,
                "impressions": {**LABELLED, "label_times": {"buy": "bought"}},
                "feedback_delay": {"buy": "1d"},
            },
            "feedback_delay.buy: impressions.label_times gives the time already",
        ),
    ],
)
def test_sources_that_do_not_fit(tables, message):
    with pytest.raises(ConfigError) as caught:
        config_of(**tables)
    assert message in str(caught.value)


def test_events_of_one_kind_need_no_column(tmp_path):
    write_tables(tmp_path / "data")
    source = {
        **PLAIN,
        "impressions": None,
        "events": {
            "path": "impressions.csv",
            "time": "time",
            "user": "user",
            "item": "item",
            "event": None,
            "labels": {"click": [], "buy": []},
            "negatives": {"per_positive": 1, "by": "uniform"},
        },
        "lookups": {"promotions": {"path": "promotions.csv", "key": ["item", "store"]}},
    }

    ran = run_on(tmp_path, config_of(**source), 1)

    rows = ran.rows("examples/log")
    assert {row["click"] for row in rows if not row["meta/sampled"]} == {1.0}
    # A sampled item's promotion is its own, in the store of the row it stands beside.
    (view,) = views(ran)
    displays = view.text("lookups.promotions", "display")
    texts = displays.values.take(pa.array(displays.codes)).to_pylist()
    assert len(texts) == len(rows)
    for row, text in zip(view.rows.to_pylist(), texts, strict=True):
        expected = {("i1", "s1"): "again", ("i1", "s2"): "rear", ("i3", "s2"): "front"}
        assert text == expected.get((row["item"], row["store"]), "")


def test_tables_of_parquet_with_numbers_for_keys(tmp_path):
    write_tables(tmp_path / "data")
    lookup = pa.table(
        {"item": ["i1", "i3"], "week": [1, 2], "display": ["x", "y"], "mailed": [0, 1]}
    )
    pq.write_table(lookup, tmp_path / "data" / "promotions.parquet")
    rows = ("request,user,item,week,time", "r1,u1,i1,1,10", "r2,u1,i3,1,20", "r3,u1,i3,2,99")
    (tmp_path / "data" / "impressions.csv").write_text("\n".join(rows) + "\n")
    lookups = {"promotions": {"path": "promotions.parquet", "key": ["item", "week"]}}

    ran = run_on(tmp_path, config_of(lookups=lookups), 1)

    (view,) = views(ran)
    displays = view.text("lookups.promotions", "display")
    assert displays.values.take(pa.array(displays.codes)).to_pylist() == ["x", "", "y"]
