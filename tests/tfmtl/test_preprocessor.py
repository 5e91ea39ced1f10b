"""Raw values to ids and numbers by hand, and whatever users may send."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import vocabulary_size, write_vocabulary


def strings(*values: object) -> tf.Tensor:
    return tf.constant(values, tf.string)


@pytest.mark.parametrize(
    ("feature", "raw", "made"),
    [
        ("user_id", ["bob", "", "eve", "ann"], [3, 0, 1, 2]),
        ("category", ["hats", "Hats", "", "shoes"], [3, 1, 0, 2]),
        (
            "title_words",
            ["RED shoes!", "Blue hat, red hat", "", "跑鞋"],
            [[2, 1, 0], [3, 5, 2], [0, 0, 0], [1, 6, 0]],
        ),
        ("query", ["hat blue red", "shoe"], [[5, 3], [4, 0]]),
        ("position", ["3", "4", ""], [4, 1, 0]),
    ],
)
def test_strings_become_ids(
    preprocessor: Preprocessor, feature: str, raw: list[str], made: list
) -> None:
    found = preprocessor.feature(feature)(strings(*raw))
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == made


@pytest.mark.parametrize(
    ("feature", "raw", "made"),
    [
        ("discount", [10.0, 20.0, np.nan], [0.0, 2.0, 0.0]),
        ("price", [np.e**2 - 1, np.e**3 - 1, -1.0, np.nan], [0.0, 2.0, 0.0, 0.0]),
    ],
)
def test_numbers_are_standardised(
    preprocessor: Preprocessor, feature: str, raw: list[float], made: list[float]
) -> None:
    found = preprocessor.feature(feature)(tf.constant(raw, tf.float32))
    np.testing.assert_allclose(found, made, atol=1e-5)


def test_a_number_without_a_scale_needs_no_moments(transformed: Path) -> None:
    item = [
        {"name": "item_id", "kind": "id"},
        {"name": "stock", "kind": "numeric", "scale": "none"},
    ]
    config = tiny.make_config({"features": {"item": item, "user": tiny.RAW["features"]["user"]}})
    found = Preprocessor(config, transformed).feature("stock")(tf.constant([7.0, np.nan]))
    assert found.numpy().tolist() == [7.0, 0.0]


def test_scenarios(preprocessor: Preprocessor) -> None:
    found = preprocessor.scenario(strings("search", "feed", "ads", "", "Search"))
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [2, 3, 1, 1, 1]


def test_histories_are_cut_off_and_padded(preprocessor: Preprocessor) -> None:
    names = ["click_history_item_id", "click_history_category"]
    raw = {
        "click_history_item_id": strings(["i2", "i9", "i1", "i4"], ["i3", "", "", ""]),
        "click_history_category": strings(["hats"], [""]),
    }
    made = preprocessor(raw, names)
    assert made["click_history_item_id"].numpy().tolist() == [[3, 1, 2], [4, 0, 0]]
    assert made["click_history_category"].numpy().tolist() == [[3, 0, 0], [0, 0, 0]]
    none = {name: tf.zeros([2, 0], tf.string) for name in names}
    assert preprocessor(none, names)["click_history_item_id"].numpy().tolist() == [[0] * 3] * 2


def test_what_is_served_by_a_constant_is_not_asked_for(preprocessor: Preprocessor) -> None:
    names = ["user_id", "position", "discount", "scenario"]
    spec = preprocessor.raw_spec(names)
    assert {name: s.dtype for name, s in spec.items()} == {
        "user_id": tf.string,
        "discount": tf.float32,
        "scenario": tf.string,
    }
    raw = {
        "user_id": strings("ann", "eve"),
        "discount": tf.constant([5.0, 15.0]),
        "scenario": strings("feed", ""),
    }
    made = preprocessor(raw, names)
    assert {name: tensor.numpy().tolist() for name, tensor in made.items()} == {
        "user_id": [2, 1],
        "position": [2, 2],
        "discount": [-1.0, 1.0],
        "scenario": [3, 1],
    }


@pytest.mark.parametrize("serve_as", ["2", 2])
def test_a_constant_may_be_written_as_a_number(transformed: Path, serve_as: object) -> None:
    position = {"name": "position", "kind": "categorical", "serve_as": serve_as}
    price = {"name": "discount", "kind": "numeric", "serve_as": 20}
    config = tiny.make_config({"features.context": [position, price]})
    names = ["user_id", "position", "discount"]
    made = Preprocessor(config, transformed)({"user_id": strings("ann")}, names)
    assert made["position"].numpy().tolist() == [3]
    assert made["discount"].numpy().tolist() == [2.0]


def test_a_raw_column_may_have_another_name(preprocessor: Preprocessor) -> None:
    spec = preprocessor.raw_spec(["title_words", "query", "click_history_item_id"])
    assert {name: s.shape.as_list() for name, s in spec.items()} == {
        "title": [None],
        "query": [None],
        "click_history_item_id": [None, None],
    }


def test_features_share_a_vocabulary(preprocessor: Preprocessor) -> None:
    assert preprocessor.vocabulary_sizes == {
        "user_id": 4,
        "age": 2,
        "item_id": 6,
        "category": 2,
        "words": 5,
        "position": 3,
    }
    assert len(preprocessor.tables) == 6
    assert preprocessor.lookup("words")(strings("hat")).numpy().tolist() == [5]


def test_an_empty_vocabulary_knows_nothing(tmp_path: Path) -> None:
    vocabularies = {**tiny.VOCABULARIES, "age": []}
    made = Preprocessor(tiny.make_config(), tiny.write_analysis(tmp_path, vocabularies))
    assert made.feature("age")(strings("old", "")).numpy().tolist() == [1, 0]
    assert made.vocabulary_sizes["age"] == 0


@pytest.mark.parametrize("value", ["", "a\nb", "a\r"])
def test_what_is_no_line_of_a_vocabulary(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match=r"^vocabulary age: .* is no line of text$"):
        write_vocabulary(tmp_path, "age", ["old", value])


def test_unusual_line_ends_are_part_of_a_value(tmp_path: Path) -> None:
    values = ["a\u2028b", "c\x0bd", "e\x85f", "last"]
    write_vocabulary(tmp_path, "age", values)
    assert vocabulary_size(tmp_path, "age") == 4
    vocabularies = {**tiny.VOCABULARIES, "age": values}
    made = Preprocessor(tiny.make_config(), tiny.write_analysis(tmp_path, vocabularies))
    assert made.feature("age")(strings(*values)).numpy().tolist() == [2, 3, 4, 5]


ANYTHING = st.one_of(
    st.just(b""),
    st.binary(max_size=12),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"ann", b"red shoe", b"search", "跑鞋".encode()]),
)
TEXTS = ("user_id", "age", "item_id", "category", "title", "query", "scenario")
ROWS = st.fixed_dictionaries(
    {
        **dict.fromkeys(TEXTS, ANYTHING),
        "price": st.floats(width=32),
        "discount": st.floats(width=32),
        "click_history_item_id": st.lists(ANYTHING, max_size=5),
    }
)
LIMITS = {
    "user_id": 6,
    "age": 4,
    "item_id": 8,
    "category": 4,
    "title_words": 7,
    "query": 7,
    "position": 5,
    "scenario": 4,
    "click_history_item_id": 8,
    "click_history_category": 4,
}


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_any_request_stays_within_the_tables(preprocessor: Preprocessor, row: dict) -> None:
    history = row["click_history_item_id"]
    raw = {name: tf.constant([value]) for name, value in row.items() if name not in LIMITS}
    raw |= {name: strings(value) for name, value in row.items() if isinstance(value, bytes)}
    raw["click_history_item_id"] = tf.constant([history], tf.string, [1, len(history)])
    raw["click_history_category"] = raw["click_history_item_id"]
    made = preprocessor(raw, [*LIMITS, "price", "discount"])
    for name, limit in LIMITS.items():
        assert np.all((made[name].numpy() >= 0) & (made[name].numpy() < limit)), name
    for name in ("price", "discount"):
        assert made[name].shape == (1,)
        assert not np.isnan(made[name].numpy()).any()


def test_constants_alone_take_the_batch_from_any_tensor(transformed: Path) -> None:
    context = [{"name": "position", "kind": "categorical", "serve_as": "3"}]
    config = tiny.make_config({"features": {**tiny.RAW["features"], "context": context}})
    preprocessor = Preprocessor(config, transformed)
    assert preprocessor.raw_spec(["position"]) == {}
    made = preprocessor({"k": tf.constant([5, 5])}, ["position"])
    assert made["position"].numpy().tolist() == [4, 4]
    with pytest.raises(ValueError, match="`raw` should hold a tensor"):
        preprocessor({}, ["position"])
