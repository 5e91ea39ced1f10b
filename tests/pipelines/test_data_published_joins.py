"""Tables joined and negatives sampled on published data sets, checked by dictionaries."""

import csv
from collections import Counter, defaultdict

import pyarrow.compute as pc
import pytest
from data_components import run_components
from test_data_published import CONFIGS, published

from tfmtl.config import load, parse

pytestmark = pytest.mark.realdata

SPLITS = ("train", "validation", "test")


def read(name, file):
    with (published(name) / file).open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def adds_up(summary):
    for table in summary["tables"].values():
        bad = sum(table["rejected"].values())
        assert table["rows"] == table["kept"] + table["duplicates"] + bad
    made = summary["events"]
    assert summary["kept"] == made["rows"] + made["merged"]
    assert summary["examples"] == made["rows"] + made["sampled"]


@pytest.mark.slow
def test_completejourney(tmp_path):
    data = published("completejourney")
    slices = ["evaluation.slices=[display_location,campaign_id,store_id,week]"]
    config = load(CONFIGS / "completejourney.yaml", slices)

    ran = run_components(config, data, tmp_path)

    summary = ran.summaries["ExampleGen"]
    adds_up(summary)
    coupons = [row["product_id"] for row in read("completejourney", "coupons.csv")]
    assert {name: (t["rows"], t["duplicates"]) for name, t in summary["tables"].items()} == {
        "events": (75_000, 0),
        "items": (92_331, 0),
        "users": (801, 0),
        "lookups.promotions": (360_535, 0),
        "lookups.coupons": (len(coupons), len(coupons) - len(set(coupons))),
    }
    transformed = ran.summaries["Transform"]["splits"]
    assert sum(transformed.values()) == summary["examples"]
    promotions = {
        (row["product_id"], row["store_id"], row["week"]): row["display_location"]
        for row in read("completejourney", "promotions_sample.csv")
    }
    campaigns = {
        row["product_id"]: row["campaign_id"]
        for row in reversed(read("completejourney", "coupons.csv"))
    }
    keys = ran.table("transformed/catalogue.parquet").column("key").to_pylist()
    found = 0
    for split in SPLITS:
        columns = ["meta/item", "slice/store_id", "slice/week", "slice/display_location"]
        table = ran.table(f"transformed/{split}").select([*columns, "slice/campaign_id"])
        for item, *place, display, campaign in zip(*table.to_pydict().values(), strict=True):
            assert display == promotions.get((keys[item], *place), "")
            assert campaign == campaigns.get(keys[item], "")
            found += display != ""
    assert found > 100
    bought = {(r["household_id"], r["product_id"]) for r in read("completejourney", TRANSACTIONS)}
    rows = [ran.table(f"transformed/{split}") for split in SPLITS]
    positives = [t.filter(pc.equal(t.column("meta/positive"), 1)) for t in rows]
    pairs = {
        (user, keys[item])
        for table in positives
        for user, item in zip(
            table.column("meta/user").to_pylist(),
            table.column("meta/item").to_pylist(),
            strict=True,
        )
    }
    assert pairs == bought


TRANSACTIONS = "transactions_sample.csv"


@pytest.mark.slow
def test_taobao(tmp_path):
    """The log is also its own catalogue: every item's category, once for each of its events."""
    table = {"path": "UserBehavior.csv"}
    labels = {"view": ["pv", "fav", "cart", "buy"], "cart": ["cart", "buy"], "buy": ["buy"]}
    raw = {
        "name": "taobao",
        "source": {
            "events": {
                **table,
                "event": "behavior",
                "labels": labels,
                "negatives": {"per_positive": 2, "in_category": "category_id"},
            },
            "items": {**table, "key": "item_id"},
        },
        "features": {
            "user": [{"name": "user_id", "kind": "id"}],
            "item": [
                {"name": "item_id", "kind": "id"},
                {"name": "category_id", "kind": "categorical"},
            ],
            "history": [{"of": ["item_id", "category_id"], "where": "view", "last": 20}],
        },
        "tasks": {label: {"kind": "binary", "label": label} for label in labels},
        "split": {"by": "time", "validation": "1d", "test": "1d"},
    }
    events = read("taobao-userbehavior", "UserBehavior.csv")

    ran = run_components(parse(raw), published("taobao-userbehavior"), tmp_path)

    summary = ran.summaries["ExampleGen"]
    adds_up(summary)
    category = {event["item_id"]: event["category_id"] for event in events}
    items = summary["tables"]["items"]
    assert (items["rows"], items["kept"]) == (len(events), len(category))
    test_from = max(int(event["timestamp"]) for event in events) + 1 - 86_400
    met, popularity = defaultdict(set), Counter()
    for event in events:
        time = int(event["timestamp"])
        period = (time >= test_from) + (time >= test_from - 86_400)
        met[event["user_id"], period].add(event["item_id"])
        popularity[period, event["item_id"]] += 1
    of_category = defaultdict(set)
    for period, item in popularity:
        of_category[period, category[item]].add(item)
    assert summary["events"]["rows"] == sum(map(len, met.values()))
    rows = sorted(ran.rows("examples/log"), key=lambda row: row["meta/row"])
    for row in rows:
        period = (row["timestamp"] >= test_from) + (row["timestamp"] >= test_from - 86_400)
        own = met[row["user_id"], period]
        if not row["meta/sampled"]:
            assert row["item_id"] in own
            kind = category[row["item_id"]]
            free = sum(popularity[period, i] for i in of_category[period, kind] - own)
        else:
            assert category[row["item_id"]] == kind
            assert row["item_id"] not in own
            expected = popularity[period, row["item_id"]] / free
            assert row["meta/negative_probability"] == pytest.approx(expected, rel=1e-5)
    assert sum(ran.summaries["Transform"]["splits"].values()) == summary["examples"]


@pytest.mark.slow
def test_retailrocket_keeps_the_probability_of_its_negatives(tmp_path):
    data = published("retailrocket")
    ran = run_components(load(CONFIGS / "retailrocket.yaml"), data, tmp_path, 1)

    adds_up(ran.summaries["ExampleGen"])
    events = read("retailrocket", "events.csv")
    test_from = max(int(event["timestamp"]) for event in events) + 1 - 7 * 86_400
    met, popularity = defaultdict(set), defaultdict(Counter)
    for event in events:
        time = int(event["timestamp"])
        period = (time >= test_from) + (time >= test_from - 7 * 86_400)
        met[event["user"], period].add(event["item"])
        popularity[period][event["item"]] += 1
    totals = {period: counts.total() for period, counts in popularity.items()}
    taken = {
        (user, period): sum(popularity[period][item] for item in own)
        for (user, period), own in met.items()
    }
    for row in ran.rows("examples/log"):
        if row["meta/sampled"]:
            time = row["timestamp"]
            period = (time >= test_from) + (time >= test_from - 7 * 86_400)
            free = totals[period] - taken[row["user"], period]
            expected = popularity[period][row["item"]] / free
            assert row["meta/negative_probability"] == pytest.approx(expected, rel=1e-5)
