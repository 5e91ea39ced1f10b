"""Transform: the ids are the model's own, the splits add up, and every run gives the same bytes."""

import math

import numpy as np
import pyarrow as pa
import pytest
from data_components import ITEMS, ROWS, run_components, shop_config, write_shop

from pipelines.preprocess.shards import Job, WriteShard, shard_of
from tfmtl.config import NumericFeature
from tfmtl.preprocessing.columns import SPLITS

# Ids: 0 missing, 1 unknown, 2 and up by the training rows: u1 u2 u3, i1 i2 i3, acme zed,
# phone tablet, red shoes blue hats. The catalogue: i1 i2 i3 i5, then i4, which only the log has.


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transform")
    write_shop(folder / "data")
    return run_components(shop_config(), folder / "data", folder / "run")


def at(ran, split, time):
    """The row of a split with a time."""
    return next(r for r in ran.rows(f"transformed/{split}") if r["meta/time"] == time)


def test_a_training_row(ran):
    row = at(ran, "train", 40)
    assert row.pop("price") == 0.0  # missing is the mean
    assert row.pop("meta/sampling_probability") == pytest.approx(1 / 4)
    assert row == {
        "user_id": 2,
        "item_id": 4,
        "brand": 3,
        "query": [0, 0, 0],
        "device": 0,
        "scenario": 3,
        "label/click": 1.0,
        "label/buy": 1.0,
        "meta/weight": 1.0,
        "meta/positive": 1,
        "meta/user": "u1",
        "meta/item": 2,
        "meta/time": 40,
        "slice/device": "",
        "slice/scenario": "feed",
        "click_history_item_id": [2, 0],
        "click_history_brand": [2, 0],
    }


def test_a_history_crosses_the_boundary_of_the_splits(ran):
    # u1 clicked i1 at 10, i3 at 40 and, in validation, i1 at 80; two are kept, the latest first.
    assert at(ran, "validation", 80)["click_history_item_id"] == [4, 2]
    assert at(ran, "test", 90)["click_history_item_id"] == [2, 4]
    assert at(ran, "test", 90)["click_history_brand"] == [2, 3]


def test_labels_are_missing_where_unknown_and_where_the_scenario_lacks_the_task(ran):
    assert at(ran, "train", 10)["label/buy"] is None  # search
    assert at(ran, "train", 50)["label/buy"] is None  # empty
    assert at(ran, "train", 30)["label/buy"] == 0.0
    assert at(ran, "train", 40)["label/buy"] == 1.0
    assert at(ran, "test", 99)["label/buy"] == 1.0


def test_values_of_later_splits_are_unknown(ran):
    assert at(ran, "test", 90)["item_id"] == 1
    assert at(ran, "test", 90)["query"] == [1, 0, 0]
    assert at(ran, "test", 99)["user_id"] == 1
    assert at(ran, "validation", 89)["device"] == 1


def test_the_catalogue_has_every_item_once(ran):
    rows = ran.rows("transformed/catalogue.parquet")
    assert [row["key"] for row in rows] == ["i1", "i2", "i3", "i5", "i4"]
    assert [row["title"] for row in rows] == ["One", "Two", "i3", "Five", "i4"]
    assert [row["item_id"] for row in rows] == [2, 3, 4, 1, 1]
    assert [row["brand"] for row in rows] == [2, 2, 3, 1, 0]
    assert [row["raw/brand"] for row in rows] == ["acme", "acme", "zed", "nova", ""]
    assert [row["raw/price"] for row in rows] == [1.0, 3.0, None, 9.0, None]
    assert [row["raw/item"] for row in rows] == ["i1", "i2", "i3", "i5", "i4"]
    mean, deviation = 9 / 5, math.sqrt(0.96)
    assert rows[0]["price"] == pytest.approx((1 - mean) / deviation, rel=1e-5)
    assert rows[4]["price"] == 0.0
    # Clicks in training: i1 three, i3 one; an item without one counts as half of one.
    probabilities = [row["meta/sampling_probability"] for row in rows]
    assert probabilities == pytest.approx([3 / 4, 1 / 8, 1 / 4, 1 / 8, 1 / 8])


def test_rows_point_into_the_catalogue(ran):
    keys = ran.table("transformed/catalogue.parquet").column("key").to_pylist()
    found = {
        r["meta/time"]: keys[r["meta/item"]] for s in SPLITS for r in ran.rows(f"transformed/{s}")
    }
    assert found == {int(row.split(",")[5]): row.split(",")[1] for row in ROWS}


def test_types_are_those_that_training_reads(ran):
    schema = ran.table("transformed/train").schema
    assert schema.field("item_id").type == pa.int32()
    assert schema.field("price").type == pa.float32()
    never_missing = pa.field("item", pa.int32(), nullable=False)
    assert schema.field("query").type.equals(pa.list_(never_missing, 3))
    assert schema.field("click_history_brand").type.equals(pa.list_(never_missing, 2))
    assert schema.field("label/click").type == pa.float32()


def test_the_rows_add_up(ran):
    made, transformed = ran.summaries["ExampleGen"], ran.summaries["Transform"]
    assert transformed["splits"] == {"train": 6, "validation": 2, "test": 2}
    assert sum(transformed["splits"].values()) == made["examples"] == made["kept"]
    assert transformed["label_means"]["train"] == {"click": pytest.approx(4 / 6), "buy": 0.5}
    assert transformed["history_coverage"]["test"] == {"click_history": 0.5}


def test_inputs_equal_the_preprocessor_on_raw_values(ran):
    import tensorflow as tf

    from tfmtl.preprocessing.preprocessor import Preprocessor

    preprocessor = Preprocessor(ran.config, ran.directory / "artifacts" / "transformed")
    items = {key: i for i, key in enumerate(ITEMS["item"])}
    names = ("user", "item", "scenario", "query", "device", "time", "click", "buy")
    for row in ROWS:
        raw = dict(zip(names, row.split(","), strict=True))
        for name in ("brand", "price"):
            known = raw["item"] in items
            raw[name] = ITEMS[name][items[raw["item"]]] if known else None
        time = int(raw["time"])
        split = SPLITS[(time >= 80) + (time >= 90)]
        found = at(ran, split, time)
        for feature in ran.config.features:
            value = raw[feature.raw]
            if isinstance(feature, NumericFeature):
                given = tf.constant([math.nan if value is None else value])
            else:
                given = tf.constant([value or ""])
            expected = preprocessor.feature(feature.name)(given).numpy()[0]
            assert np.array_equal(found[feature.name], expected), feature.name


def test_every_run_gives_the_same_bytes(ran, tmp_path):
    write_shop(tmp_path / "data")

    other = run_components(shop_config(), tmp_path / "data", tmp_path / "run")

    one, two = (r.directory / "artifacts" / "transformed" for r in (ran, other))
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files)


def test_the_order_of_bundles_does_not_change_a_shard(ran, tmp_path):
    rows = pa.RecordBatch.from_pydict(
        {
            "label/click": np.arange(100, dtype=np.float32),
            "label/buy": np.zeros(100, np.float32),
            "meta/positive": np.zeros(100, np.int8),
            "meta/item": np.zeros(100, np.int32),
            "meta/row": np.arange(100),
            "work/split": np.zeros(100, np.int8),
            "work/history/click_history": pa.FixedSizeListArray.from_arrays(
                pa.array(np.zeros(200, np.int32)), 2
            ),
        }
    )
    written = []
    for name, parts in (("one", [rows[:30], rows[30:]]), ("two", [rows[30:], rows[:30]])):
        output = tmp_path / name
        output.mkdir()
        catalogue = ran.directory / "artifacts" / "transformed" / "catalogue.parquet"
        (output / "catalogue.parquet").write_bytes(catalogue.read_bytes())
        examples = ran.directory / "artifacts" / "examples"
        job = Job(ran.config, examples, tmp_path, output, tmp_path, (100, 0, 0))
        writer = WriteShard(job)
        writer.setup()
        assert set(shard_of(rows, job)) == {0}
        list(writer.process((0, parts)))
        written.append((output / "train" / "part-00000.parquet").read_bytes())

    assert written[0] == written[1]


def test_training_rows_are_shuffled(tmp_path):
    rows = tuple(f"u{i},i1,feed,,phone,{i},{i % 2},{i % 2}" for i in range(200))
    write_shop(tmp_path / "data", rows)

    ran = run_components(shop_config(), tmp_path / "data", tmp_path / "run")

    times = ran.table("transformed/train").column("meta/time").to_pylist()
    assert sorted(times) == list(range(180))
    assert abs(np.corrcoef(times, np.arange(180))[0, 1]) < 0.3
    assert ran.table("transformed/test").column("meta/time").to_pylist() == list(range(190, 200))


def test_a_random_split_is_of_the_given_shares(tmp_path):
    rows = tuple(f"u{i % 7},i1,feed,,phone,{i},{i % 2},{i % 2}" for i in range(2000))
    write_shop(tmp_path / "data", rows)
    features = shop_config().features.model_dump() | {"history": []}
    config = shop_config(features=features, split={"by": "random", "validation": 0, "test": 0.25})

    ran = run_components(config, tmp_path / "data", tmp_path / "run")

    splits = ran.summaries["Transform"]["splits"]
    assert splits["validation"] == 0
    assert splits["train"] + splits["test"] == 2000
    assert splits["test"] == pytest.approx(500, abs=80)
    schema = ran.table("transformed/validation").schema
    assert schema == ran.table("transformed/train").schema


def test_without_a_table_of_items_the_log_gives_the_catalogue(tmp_path):
    write_shop(tmp_path / "data")
    text = (tmp_path / "data" / "log.csv").read_text().splitlines()
    brands = ["brand", *(f"b{i}" for i in range(len(ROWS)))]
    (tmp_path / "data" / "log.csv").write_text(
        "\n".join(f"{line},{brand}" for line, brand in zip(text, brands, strict=True))
    )
    source = shop_config().source.model_dump() | {"items": None}
    features = shop_config().features.model_dump()
    features["item"] = [f for f in features["item"] if f["name"] != "price"]
    features["history"][0]["of"] = ["item_id"]
    config = shop_config(source=source, features=features)

    ran = run_components(config, tmp_path / "data", tmp_path / "run")

    rows = ran.rows("transformed/catalogue.parquet")
    # The latest row of an item gives its brand: i1 at 80, i2 at 99, i3 at 89, i4 at 90.
    assert [(row["key"], row["title"], row["raw/brand"]) for row in rows] == [
        ("i1", "i1", "b6"),
        ("i2", "i2", "b9"),
        ("i3", "i3", "b7"),
        ("i4", "i4", "b8"),
    ]


def test_weights_are_kept_and_one_where_missing(tmp_path):
    write_shop(tmp_path / "data")
    text = (tmp_path / "data" / "log.csv").read_text().splitlines()
    weights = ["importance", "2.5", *("" for _ in ROWS[1:])]
    (tmp_path / "data" / "log.csv").write_text(
        "\n".join(f"{line},{weight}" for line, weight in zip(text, weights, strict=True))
    )
    source = shop_config().source.model_dump()
    source["impressions"]["weight"] = "importance"

    ran = run_components(shop_config(source=source), tmp_path / "data", tmp_path / "run")

    assert at(ran, "train", 10)["meta/weight"] == 2.5
    assert at(ran, "train", 20)["meta/weight"] == 1.0
