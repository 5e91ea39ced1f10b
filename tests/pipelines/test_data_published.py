"""The data pipeline on published data sets, checked against counts made without it."""

import csv
import os
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from data_components import run_components

from tfmtl.config import load, parse

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TFMTL_DATA", ROOT.parent / "shared" / "data"))
CONFIGS = ROOT / "pipelines" / "configs"

pytestmark = pytest.mark.realdata


def published(name: str) -> Path:
    """Directory of a data set; skips the test where it is absent."""
    if not (DATA / name).is_dir():
        pytest.skip(f"there is no {name} in {DATA}; set TFMTL_DATA")
    return DATA / name


def test_movielens(tmp_path):
    ran = run_components(load(CONFIGS / "ml100k.yaml"), published("ml-100k"), tmp_path)

    summary = ran.summaries["ExampleGen"]
    assert (summary["rows"], summary["kept"]) == (100_000, 100_000)
    tables = summary["tables"]
    assert (tables["items"]["kept"], tables["users"]["kept"]) == (1682, 943)
    splits = ran.summaries["Transform"]["splits"]
    assert splits["train"] + splits["test"] == 100_000
    assert splits["test"] == pytest.approx(20_000, abs=400)
    catalogue = ran.table("transformed/catalogue.parquet")
    assert catalogue.column("title")[0].as_py() == "Toy Story (1995)"
    assert "Misérables, Les (1995)" in catalogue.column("title").to_pylist()
    ratings = [
        value
        for split in ("train", "test")
        for value in ran.table(f"transformed/{split}").column("label/rating").to_pylist()
    ]
    with (published("ml-100k") / "u.data").open() as file:
        assert sum(ratings) == sum(int(line.split("\t")[2]) for line in file)


def test_retailrocket(tmp_path):
    ran = run_components(load(CONFIGS / "retailrocket.yaml"), published("retailrocket"), tmp_path)

    with (published("retailrocket") / "events.csv").open() as file:
        events = list(csv.DictReader(file))
    last = max(int(event["timestamp"]) for event in events)
    test_from, week = last + 1 - 7 * 86_400, 7 * 86_400
    kinds = defaultdict(set)
    for event in events:
        time = int(event["timestamp"])
        split = ("train", "validation", "test")[(time >= test_from) + (time >= test_from - week)]
        kinds[split, event["user"], event["item"]].add(event["event"])
    transformed = ran.summaries["Transform"]
    for split in ("train", "validation", "test"):
        own = {key: value for key, value in kinds.items() if key[0] == split}
        table = ran.table(f"transformed/{split}")
        assert transformed["positives"][split] == len(own)
        assert table.num_rows == 5 * len(own)
        bought = sum("transaction" in value for value in own.values())
        assert sum(table.column("label/purchase").to_pylist()) == bought
        carted = sum(bool(value & {"addtocart", "transaction"}) for value in own.values())
        assert sum(table.column("label/cart").to_pylist()) == carted
    keys = ran.table("transformed/catalogue.parquet").column("key").to_pylist()
    for row in ran.rows("transformed/test"):
        met = ("test", row["meta/user"], keys[row["meta/item"]]) in kinds
        assert met == (row["meta/positive"] == 1)


def test_genres_of_movies(tmp_path):
    columns = load(CONFIGS / "ml100k.yaml").source.items.columns
    genres = columns[columns.index("unknown") :]
    source = {
        "impressions": {
            "path": "u.item",
            "delimiter": "|",
            "encoding": "latin-1",
            "columns": columns,
            "item": "movie_id",
            "user": None,
            "time": None,
        }
    }
    config = parse(
        {
            "name": "genres",
            "source": source,
            "features": {"item": [{"name": "title", "kind": "text"}]},
            "tasks": {"genres": {"kind": "multi_label", "labels": genres}},
            "split": {"by": "random", "validation": 0, "test": 0.2},
        }
    )
    ran = run_components(config, published("ml-100k"), tmp_path)

    labels = [
        values
        for split in ("train", "test")
        for values in ran.table(f"transformed/{split}").column("label/genres").to_pylist()
    ]
    with (published("ml-100k") / "u.item").open(encoding="latin-1") as file:
        rows = [line.rstrip("\n").split("|")[5:] for line in file]
    assert len(genres) == 19
    assert [sum(own) for own in zip(*labels, strict=True)] == [
        sum(map(int, own)) for own in zip(*rows, strict=True)
    ]


def test_open_bandit(tmp_path):
    data = published("open-bandit")
    shown, clicks = Counter(), Counter()
    for policy, campaign in product(("random", "bts"), ("men", "women")):
        log = pacsv.read_csv(data / policy / campaign / f"{campaign}.csv")
        places = [f"{campaign}_{position}" for position in log["position"].to_pylist()]
        shown.update(places)
        clicks.update(place for place, y in zip(places, log["click"].to_pylist(), strict=True) if y)
        log = log.append_column("place", pa.array(places))
        items = [f"{campaign}_{item}" for item in log["item_id"].to_pylist()]
        place = log.schema.get_field_index("item_id")
        log = log.set_column(place, "item_id", pa.array(items))
        (tmp_path / "raw").mkdir(exist_ok=True)
        pq.write_table(log, tmp_path / "raw" / f"{policy}_{campaign}.parquet")
    config = {
        "name": "open_bandit",
        "source": {
            "impressions": {"path": "*.parquet", "time": "timestamp", "user": None},
        },
        "features": {
            "user": [{"name": f"user_feature_{i}", "kind": "categorical"} for i in range(4)],
            "item": [{"name": "item_id", "kind": "id"}],
        },
        "scenario": {"column": "place", "values": sorted(shown)},
        "tasks": {"click": {"kind": "binary", "label": "click"}},
        "split": {"by": "time", "validation": "1d", "test": "2d"},
    }
    ran = run_components(parse(config), tmp_path / "raw", tmp_path / "run")

    assert (ran.summaries["ExampleGen"]["rows"], ran.summaries["ExampleGen"]["kept"]) == (
        40_000,
    ) * 2
    assert sum(ran.summaries["Transform"]["splits"].values()) == 40_000
    rows = pa.concat_tables(ran.table(f"transformed/{s}") for s in ("train", "validation", "test"))
    places = rows["slice/place"].to_pylist()
    labels = rows["label/click"].to_pylist()
    assert Counter(places) == shown
    assert Counter(p for p, y in zip(places, labels, strict=True) if y) == clicks
    assert clicks.total() == 207
