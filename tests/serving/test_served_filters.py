"""Filters over a small catalogue, against a plain loop over its items."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.served_model.catalogue_columns import flags
from serving.served_model.filters import Filters, filters_of
from serving.served_model.items import HeldItems

KEYS = [f"i{n}" for n in range(12)]
CATALOGUE = {
    "category": [
        "hats",
        "shoes",
        "",
        "hats",
        None,
        "new hats",
        "鞋",
        "shoes",
        "hats",
        "x",
        "",
        "x",
    ],
    "price": [1.0, 2.0, 3.0, math.nan, None, 0.0, -1.0, 2.0, 50.0, 7.0, 1e30, 2.5],
    "stock": [1, 0, 3, 1, None, 1, 1, 1, 1, 2, 1, 1],
    "seller": ["a", "b", "a", "b", "c", "", "a", "b", "c", "a", "b", "c"],
}
SERVING = {
    "columns": {"stock": "number", "seller": "text"},
    "recommend": {"filters": ["category", "price", "seller"], "available": "stock"},
}


def make(directory: Path, serving: dict[str, Any], types: tf.DType = tf.string) -> Filters:
    keys = directory / "keys.txt"
    keys.write_text("".join(f"{key}\n" for key in KEYS))
    items = HeldItems(keys, len(KEYS), {}, {})
    catalogue = pa.table({f"raw/{name}": values for name, values in CATALOGUE.items()})
    config = tiny.make_config({"serving": serving})
    return filters_of(config, catalogue, items, types, directory)


@pytest.fixture(scope="module")
def filters(tmp_path_factory: pytest.TempPathFactory) -> Filters:
    return make(tmp_path_factory.mktemp("filters"), SERVING)


def expected(request: dict[str, Any], place: int) -> bool:
    """Whether an item may be answered, said in plain words."""
    key = KEYS[place]
    category, seller = CATALOGUE["category"][place] or "", CATALOGUE["seller"][place]
    price = CATALOGUE["price"][place]
    price = math.nan if price is None else price
    if not CATALOGUE["stock"][place] or key in request["exclude"]:
        return False
    if request["exclude_seen"] and key in request["click_history_item_id"]:
        return False
    for name, value in (("only", key), ("allow_category", category), ("allow_seller", seller)):
        wanted = [one for one in request[name] if one != ""]
        if wanted and value not in wanted:
            return False
    for name, value in (("deny_category", category), ("deny_seller", seller)):
        if value != "" and value in request[name]:
            return False
    low, high = request["min_price"], request["max_price"]
    return (math.isnan(low) or price >= low) and (math.isnan(high) or price <= high)


some_keys = st.lists(st.sampled_from([*KEYS, "", "nothing", "i99"]), max_size=30)
texts = st.lists(st.sampled_from(["hats", "shoes", "x", "", "boats", "鞋", "a", "b"]), max_size=4)
bounds = st.sampled_from([math.nan, math.nan, 0.0, 2.0, 2.5, -math.inf, math.inf, 1e30])
requests = st.fixed_dictionaries(
    {
        "exclude": some_keys,
        "only": st.one_of(st.just([]), some_keys),
        "exclude_seen": st.booleans(),
        "click_history_item_id": some_keys,
        "allow_category": texts,
        "deny_category": texts,
        "allow_seller": texts,
        "deny_seller": texts,
        "min_price": bounds,
        "max_price": bounds,
    }
)


def tensors(batch: list[dict[str, Any]]) -> dict[str, tf.Tensor]:
    """Requests as one batch, shorter lists padded with ""."""
    made = {}
    for name, first in batch[0].items():
        values = [request[name] for request in batch]
        if isinstance(first, list):
            width = max(map(len, values))
            rows = [row + [""] * (width - len(row)) for row in values]
            made[name] = tf.constant(np.array(rows, object).reshape(len(batch), width), tf.string)
        else:
            made[name] = tf.constant(values, tf.bool if isinstance(first, bool) else tf.float32)
    return made


@pytest.fixture(scope="module")
def allowed(filters: Filters) -> Callable[..., Any]:
    """Of a request and places: what is allowed of all items, and of the places."""

    def both(raw: dict[str, tf.Tensor], places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        function = filters.allowed(raw)
        return function(None), function(places)

    history = tf.TensorSpec([None, None], tf.string)
    spec = {**filters.spec, "click_history_item_id": history}
    places = tf.TensorSpec([None, None], tf.int32)
    return tf.function(both, input_signature=[spec, places])


@settings(max_examples=150, deadline=None)
@given(st.lists(requests, min_size=1, max_size=3), st.data())
def test_what_is_allowed(
    allowed: Callable[..., Any], batch: list[dict[str, Any]], data: st.DataObject
) -> None:
    count = len(KEYS)
    row = st.lists(st.integers(-1, count - 1), min_size=5, max_size=5)
    places = np.array([data.draw(row) for _ in batch], np.int32)
    whole, some = allowed(tensors(batch), tf.constant(places))
    assert whole.numpy().tolist() == [
        [expected(one, place) for place in range(count)] for one in batch
    ]
    assert some.numpy().tolist() == [
        [place >= 0 and expected(one, place) for place in own]
        for one, own in zip(batch, places.tolist(), strict=True)
    ]


def test_defaults_leave_out_what_was_seen_and_what_is_not_there(filters: Filters) -> None:
    given = {name: tf.constant(v, filters.spec[name].dtype) for name, v in filters.defaults.items()}
    assert {name: len(values) for name, values in given.items()} == dict.fromkeys(filters.spec, 1)
    assert set(given) == {
        *("exclude", "only", "exclude_seen", "min_price", "max_price"),
        *("allow_category", "deny_category", "allow_seller", "deny_seller"),
    }
    given["click_history_item_id"] = tf.constant([["i0", "i11"]])
    found = filters.allowed(given)(None).numpy()[0]
    assert [KEYS[place] for place in np.flatnonzero(~found)] == ["i0", "i1", "i4", "i11"]


def test_what_is_seen_may_stay(tmp_path: Path) -> None:
    filters = make(tmp_path, {"recommend": {"exclude_seen": False}})
    assert set(filters.spec) == {"exclude", "only", "exclude_seen"}
    assert filters.defaults["exclude_seen"].tolist() == [False]


def test_keys_that_are_numbers(tmp_path: Path) -> None:
    keys = tmp_path / "numbers.txt"
    keys.write_text("7\n-5\n40\n")
    filters = Filters(HeldItems(keys, 3, {}, {}), tf.int64, ["seen"], True, {}, {}, None)
    raw = {
        "exclude": tf.constant([[7, -1], [-1, -1]], tf.int64),
        "only": tf.constant([[7, 40], [-1, -1]], tf.int64),
        "seen": tf.constant([[-1], [40]], tf.int64),
        "exclude_seen": tf.constant([True, True]),
    }
    assert filters.allowed(raw)(None).numpy().tolist() == [
        [False, False, True],
        [True, True, False],
    ]


@pytest.mark.parametrize(
    ("values", "yes"),
    [
        ([1, 0, 2, None, -1], [True, False, True, False, True]),
        ([1.0, 0.0, math.nan, None], [True, False, False, False]),
        (["1", "0", "0.0", "", None], [True, False, False, False, False]),
        (
            ["true", "False", "no", " YES ", "in stock", "nan"],
            [True, False, False, True, True, False],
        ),
        ([True, False, None], [True, False, False]),
    ],
)
def test_flags(values: list[Any], yes: list[bool]) -> None:
    assert flags(pa.table({"raw/there": values}), "there").tolist() == yes


def test_a_catalogue_of_before(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model's catalogue has no column raw/stars; make"):
        make(tmp_path, {"columns": {"stars": "number"}, "recommend": {"filters": ["stars"]}})


def test_a_text_that_is_no_line(tmp_path: Path) -> None:
    catalogue = pa.table({"raw/category": ["a\nb"]})
    items = HeldItems(tmp_path / "none", 0, {}, {})
    config = tiny.make_config({"serving": {"recommend": {"filters": ["category"]}}})
    with pytest.raises(ValueError, match=r"column 'category' of items: 'a.nb' is no line of text"):
        filters_of(config, catalogue, items, tf.string, tmp_path)


def test_an_empty_catalogue(tmp_path: Path) -> None:
    items = HeldItems(tmp_path / "none", 0, {}, {})
    columns = {"raw/category": pa.array([], pa.string()), "raw/price": pa.array([], pa.float32())}
    config = tiny.make_config({"serving": {"recommend": {"filters": ["category", "price"]}}})
    filters = filters_of(config, pa.table(columns), items, tf.string, tmp_path)
    raw = {name: tf.constant(v, filters.spec[name].dtype) for name, v in filters.defaults.items()}
    raw["click_history_item_id"] = raw["allow_category"] = tf.constant([["x"]])
    assert filters.allowed(raw)(None).shape == (1, 0)
    assert filters.allowed(raw)(tf.constant([[-1]])).numpy().tolist() == [[False]]
