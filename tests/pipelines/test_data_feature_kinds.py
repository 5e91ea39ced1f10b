"""Every kind of feature through the data components: vocabularies, ranges, ids, dead letters."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import Ran, run_components, shop_config

from pipelines.components.base import PipelineError
from pipelines.preprocess.list_values import number_lists, text_lists
from pipelines.preprocess.quantiles import QuantileSketch

START = 1_600_000_000  # Sunday, 2020-09-13 12:26:40 UTC
ITEMS = {
    "item": ["i1", "i2", "i3"],
    "brand": ["acme", "", "zed"],
    "price": [1.0, 5.0, None],
    "tags": [["x", "y", "x", "z"], [], None],
    "weights": [[2.0], [], [1.0]],
    "image": [[1.0, 2.0], None, [5.0, 6.0]],
    "launched": [951_782_400, None, 0],  # 2000-02-29, -, 1970-01-01
}
FEATURES: dict[str, Any] = {
    "user": [
        {"name": "user_id", "column": "user", "kind": "id", "min_count": 3, "oov_buckets": 4},
        {"name": "interests", "kind": "bag", "separator": "|", "length": 2, "min_count": 2},
    ],
    "item": [
        {"name": "item_id", "column": "item", "kind": "id"},
        {"name": "brand", "kind": "hashed", "buckets": 50},
        {"name": "price", "kind": "numeric", "bucketize": {"boundaries": [2, 5]}},
        {"name": "tags", "kind": "bag", "weights": "weights", "length": 3},
        {"name": "image", "kind": "vector", "size": 2, "dim": 3},
        {"name": "launched", "kind": "timestamp", "parts": ["year_day"]},
        {"name": "brand_band", "kind": "crossed", "of": ["brand", "price"], "buckets": 1000},
    ],
    "context": [
        {"name": "amount", "kind": "numeric", "bucketize": {"buckets": 4}},
        {"name": "when", "column": "time", "kind": "timestamp", "parts": ["hour", "weekday"]},
        {"name": "pair", "kind": "crossed", "of": ["user_id", "brand"], "buckets": 1000},
    ],
    "history": [{"of": ["item_id", "brand", "price"], "where": "click", "last": 2}],
}


def log(rows: int = 24) -> dict[str, list[Any]]:
    return {
        "user": ["u1" if i % 2 else f"v{i}" for i in range(rows)],
        "item": [f"i{i % 4 + 1}" for i in range(rows)],
        "time": [START + i for i in range(rows)],
        "click": [int(i != 19) for i in range(rows)],
        "interests": ["a|b|c" if i % 2 else "" for i in range(rows)],
        "amount": [0.0 if i % 2 else float(i) for i in range(rows)],
    }


def run(folder: Path, rows: dict[str, list[Any]], items: dict[str, list[Any]], **changes) -> Ran:
    (folder / "data").mkdir()
    pq.write_table(pa.table(rows), folder / "data" / "log.parquet")
    pq.write_table(pa.table(items), folder / "data" / "items.parquet")
    source = {
        "impressions": {"path": "log.parquet", "time": "time", "user": "user", "item": "item"},
        "items": {"path": "items.parquet", "key": "item"},
        "max_bad_share": 0.9,
    }
    parts: dict[str, Any] = {
        "features": FEATURES,
        "source": source,
        "scenario": None,
        "evaluation": {},
        "tasks": {"click": {"kind": "binary", "label": "click"}},
        "split": {"by": "time", "validation": "2s", "test": "2s"},
    }
    return run_components(shop_config(**{**parts, **changes}), folder / "data", folder / "run")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("kinds"), log(), ITEMS)


@pytest.fixture(scope="module")
def rows(ran: Ran) -> dict[int, dict[str, Any]]:
    """Training rows by the second."""
    return {row["meta/time"] - START: row for row in ran.rows("transformed/train")}


def test_rare_values_share_the_buckets_of_the_unknown(rows) -> None:
    assert rows[1]["user_id"] == 5  # the one that is known follows four buckets
    others = {rows[i]["user_id"] for i in range(0, 20, 2)}
    assert others <= {1, 2, 3, 4}
    assert len(others) > 1


def test_a_text_is_taken_apart_and_its_values_are_counted(ran: Ran, rows) -> None:
    path = ran.directory / "artifacts" / "transformed" / "vocabularies" / "interests.txt"
    assert path.read_text().split() == ["a", "b", "c"]
    assert rows[1]["interests"] == [2, 3]
    assert rows[0]["interests"] == [0, 0]


def test_a_list_with_weights_is_cut_off_and_filled_up(rows) -> None:
    # x is in twice as many places of the training rows as y and z, which follow by name.
    assert rows[0]["tags"] == [2, 3, 2]
    assert rows[0]["tags_weights"] == [2.0, 1.0, 1.0]
    assert rows[1]["tags"] == rows[2]["tags"] == [0, 0, 0]
    assert rows[3]["tags"] == [0, 0, 0]  # i4 is in no catalogue


def test_ranges_of_fixed_boundaries(rows) -> None:
    assert [rows[i]["price"] for i in range(4)] == [1, 3, 0, 0]


def test_ranges_of_equally_many_rows(ran: Ran, rows) -> None:
    # The training rows' amounts: ten zeros, then 0, 2, ..., 18. Half of them and more are 0.
    moments = json.loads((ran.directory / "artifacts/transformed/moments.json").read_text())
    assert moments["amount"]["boundaries"] == [8.0]
    assert [rows[i]["amount"] for i in (0, 1, 6, 8, 18)] == [1, 1, 1, 2, 2]


def test_crosses_are_of_what_the_features_see(rows) -> None:
    assert rows[0]["brand_band"] > 0
    assert rows[1]["brand_band"] == 0  # no brand
    assert rows[2]["brand_band"] == 0  # no price
    by_pair = {(r["meta/user"], r["item_id"]): r["pair"] for r in rows.values()}
    assert by_pair["v0", rows[0]["item_id"]] != by_pair["v4", rows[4]["item_id"]]
    assert rows[1]["pair"] == 0


def test_vectors_and_times(rows) -> None:
    assert [rows[i]["image"] for i in range(4)] == [[1, 2], [0, 0], [5, 6], [0, 0]]
    day = 2 * math.pi * (31 + 28) / 366
    np.testing.assert_allclose(rows[0]["launched"], [math.sin(day), math.cos(day)], rtol=1e-5)
    assert rows[1]["launched"] == [0, 0]
    assert rows[2]["launched"] == [0, 1]
    hour, sunday = 2 * math.pi * (12 * 60 + 26) / 1440, 2 * math.pi * 6 / 7
    expected = [math.sin(hour), math.cos(hour), math.sin(sunday), math.cos(sunday)]
    np.testing.assert_allclose(rows[3]["when"], expected, rtol=1e-5)


def test_a_history_may_hold_hashes_and_ranges(rows) -> None:
    assert rows[5]["click_history_price"] == [0, 3]  # i4 and i2 before it
    assert rows[5]["click_history_brand"] == [0, 0]
    assert rows[3]["click_history_brand"] == [0, 0]
    assert rows[0]["brand"] > 0


def test_the_types_are_those_that_training_reads(ran: Ran) -> None:
    schema = ran.table("transformed/train").schema
    wanted = {
        "tags": (pa.int32(), 3),
        "tags_weights": (pa.float32(), 3),
        "image": (pa.float32(), 2),
    }
    for name, (kind, length) in wanted.items():
        never_missing = pa.field("item", kind, nullable=False)
        assert schema.field(name).type.equals(pa.list_(never_missing, length))
    assert {str(schema.field(n).type) for n in ("brand", "price", "pair")} == {"int32"}
    assert schema == ran.table("transformed/validation").schema


def test_the_catalogue_keeps_the_raw_lists(ran: Ran) -> None:
    first, _, _, unknown = ran.rows("transformed/catalogue.parquet")
    assert first["raw/tags"] == ["x", "y", "x", "z"]
    assert first["raw/image"] == [1.0, 2.0]
    assert unknown["key"] == "i4"
    assert unknown["tags"] == [0, 0, 0]
    assert unknown["image"] == [0.0, 0.0]


def test_a_vector_of_another_size_is_a_dead_letter(tmp_path: Path) -> None:
    items = {**ITEMS, "image": [[1.0, 2.0, 3.0], [1.0], [5.0, 6.0]]}
    features = {"item": FEATURES["item"][:1] + FEATURES["item"][4:5]}
    ran = run(tmp_path, log(), items, features=features)
    letters = ran.rows("examples/dead_letters")
    assert [(row["reason"], row["column"]) for row in letters] == [
        ("vector of another size", "image")
    ] * 2


def test_one_column_is_read_in_one_way(tmp_path: Path) -> None:
    features = {
        "item": [*FEATURES["item"][:1], {"name": "tag", "column": "tags", "kind": "categorical"}],
        "context": [{"name": "tags", "column": "interests", "kind": "bag", "separator": "|"}],
        "query": [{"name": "words", "column": "amount", "kind": "text"}],
    }
    features["context"].append({"name": "amount", "kind": "numeric"})
    with pytest.raises(PipelineError, match=r"'amount' is read as text by .* and as a number by"):
        run(tmp_path, log(), ITEMS, features=features)


@pytest.mark.parametrize("kind", [pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_lists_in_texts_however_they_are_stored(kind: pa.DataType) -> None:
    texts = pa.array(["", "1|2", None, "1||2"]).cast(kind)
    numbers, gaps, unreadable = number_lists(texts, "|")
    assert numbers.to_pylist()[:3] == [[], [1, 2], []]
    assert gaps.tolist() == [False, False, False, True]
    assert not unreadable.any()
    assert text_lists(texts, "|")[0].to_pylist() == [[], ["1", "2"], [], ["1", "", "2"]]


@pytest.mark.parametrize(
    ("numbers", "buckets", "boundaries"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], 4, (2.0, 4.0, 6.0)),
        ([0, 0, 0, 0, 0, 0, 0, 9], 4, ()),
        ([0, 0, 5, 5, 5, 5, 9, 9], 4, (5.0,)),
        ([], 3, ()),
        ([math.nan], 3, ()),
    ],
)
def test_boundaries_of_ranges(numbers, buckets, boundaries) -> None:
    sketch = QuantileSketch.of(np.array(numbers, np.float32))
    assert sketch.boundaries(buckets) == boundaries
