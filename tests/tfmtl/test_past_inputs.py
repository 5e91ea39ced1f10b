"""Gaps, behaviours, counts and rates: their settings, their layers, the model that reads them."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import ConfigError, dump, parse
from tfmtl.layers.gaps import GAP_IDS, GapBuckets
from tfmtl.layers.log_odds import StandardizeLogOdds
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import Moments

NAN = math.nan
ACTS = {
    "name": "acts",
    "of": ["item_id", "category"],
    "where": ["click", "cart"],
    "last": 3,
    "gaps": True,
}
COUNT = {"name": "clicks", "kind": "count", "of": "click", "by": ["user"], "window": "7d"}
RATE = {"name": "ctr", "kind": "rate", "of": "click", "by": ["item"], "window": "30d"}
MOMENTS = {**tiny.MOMENTS, "clicks": Moments(1.0, 2.0), "ctr": Moments(-3.0, 0.5)}


def changes(encoder: str = "mean", windows: tuple[Any, ...] = (COUNT, RATE)) -> dict[str, Any]:
    return {
        "features.history": [{**ACTS, "encoder": encoder}],
        "features.windows": list(windows),
    }


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Preprocessor:
    directory = tiny.write_analysis(tmp_path_factory.mktemp("past"), moments=MOMENTS)
    return Preprocessor(tiny.make_config(changes()), directory)


def test_gaps_fall_into_ranges_that_double() -> None:
    seconds = [[NAN, -1.0, 0.0, 0.9], [1.0, 1.9, 2.0, 3.9], [4.0, 1023.0, 1024.0, 1e12]]
    found = GapBuckets()(tf.constant(seconds)).numpy()
    assert found.tolist() == [[0, 0, 1, 1], [2, 2, 3, 3], [4, 11, 12, 33]]
    assert found.dtype == np.int32
    assert GAP_IDS == 34


def test_rates_are_standardised_as_log_odds() -> None:
    layer = StandardizeLogOdds(mean=-1.0, deviation=2.0)
    found = layer(tf.constant([0.5, 0.25, 0.0, 1.0, NAN, -0.1, 1.1])).numpy()
    least = math.log(1e-6 / (1 - 1e-6))
    expected = [0.5, (1 - math.log(3)) / 2, (1 + least) / 2, (1 - least) / 2, 0, 0, 0]
    assert found == pytest.approx(expected, rel=1e-6)
    assert StandardizeLogOdds(0.0, 0.0)(tf.constant([0.75])).numpy() == pytest.approx(math.log(3))


def test_a_request_names_what_was_before(past: Preprocessor) -> None:
    names = ["acts_item_id", "acts_gaps", "acts_behaviour", "clicks", "ctr"]
    spec = past.raw_spec(names)
    assert {name: (s.dtype, s.shape.rank) for name, s in spec.items()} == {
        "acts_item_id": (tf.string, 2),
        "acts_gaps": (tf.float32, 2),
        "acts_behaviour": (tf.string, 2),
        "clicks": (tf.float32, 1),
        "ctr": (tf.float32, 1),
    }
    made = past(
        {
            "acts_item_id": tf.constant([["i3", "i1"], ["", ""]]),
            "acts_gaps": tf.constant([[5.0, 90.0], [NAN, NAN]]),
            "acts_behaviour": tf.constant([["cart", "view"], ["click", ""]]),
            "clicks": tf.constant([math.e**4 - 1, NAN]),
            "ctr": tf.constant([0.5, NAN]),
        },
        names,
    )
    assert made["acts_item_id"].numpy().tolist() == [[4, 2, 0], [0, 0, 0]]
    assert made["acts_gaps"].numpy().tolist() == [[4, 8, 0], [0, 0, 0]]
    assert made["acts_behaviour"].numpy().tolist() == [[3, 1, 0], [2, 0, 0]]
    assert made["clicks"].numpy() == pytest.approx([1.5, 0])
    assert made["ctr"].numpy() == pytest.approx([6.0, 0])


def batch(rows: int = 4) -> dict[str, tf.Tensor]:
    """Inputs by hand: three events, two, one and none."""
    rng = np.random.default_rng(2)
    there = np.arange(3)[None, :] < np.array([3, 2, 1, 0])[:rows, None]
    model = tiny.make_model(changes())
    made = {}
    for name, spec in model.inputs_spec.items():
        shape = [rows, *spec.shape[1:]]
        if spec.dtype == tf.float32:
            made[name] = tf.constant(rng.normal(size=shape), tf.float32)
        else:
            ids = rng.integers(2, 4, shape)
            made[name] = tf.constant(ids * there if name.startswith("acts") else ids, tf.int32)
    return made


@pytest.mark.parametrize("encoder", ["din", "gru", "sasrec"])
def test_embeddings_of_gaps_and_behaviours_are_added_to_the_items(encoder: str) -> None:
    model = tiny.make_model(changes(encoder))
    inputs = batch()
    seen: list[np.ndarray] = []
    layer = model.encoding.histories["acts"]
    call = layer.call

    def spy(rows: tf.Tensor, *args: Any, **options: Any) -> tf.Tensor:
        seen.append(rows.numpy())
        return call(rows, *args, **options)

    layer.call = spy
    encoded = model.encoding(inputs)
    rows = model.encoding.embedding(inputs, names=list(model.encoding.embedding.reads))
    items = tf.concat([rows["acts_item_id"], rows["acts_category"]], axis=2)
    expected = items + rows["acts_gaps"] + rows["acts_behaviour"]
    assert rows["acts_gaps"].shape == rows["acts_behaviour"].shape == (4, 3, 6)
    assert np.allclose(seen[0], expected)
    assert encoded["acts"].shape == (4, 6)
    assert not encoded["acts"][3].numpy().any()
    assert np.any(rows["acts_gaps"][0].numpy())


def test_under_the_mean_they_have_vectors_of_their_own() -> None:
    model = tiny.make_model(changes("mean"))
    encoded = model.encoding(batch())
    widths = {name: encoded[name].shape[1] for name in encoded if name.startswith("acts")}
    assert widths == {
        "acts_item_id": 4, "acts_category": 2, "acts_gaps": 6, "acts_behaviour": 6
    }  # fmt: skip
    assert encoded["clicks"].shape == encoded["ctr"].shape == (4, 1)


def test_a_count_may_be_encoded_like_any_number(tmp_path: Path) -> None:
    encoded = {**COUNT, "encoding": {"kind": "piecewise", "bins": 3, "dim": 5}}
    model = tiny.make_model(changes("gru", (encoded, RATE)))
    inputs = batch()
    assert model.encoding(inputs)["clicks"].shape == (4, 5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, MultiTaskModel)
    for task, predicted in model(inputs).items():
        assert np.array_equal(loaded(inputs)[task], predicted), task


def test_the_query_tower_reads_histories_whole_and_counts_when_named() -> None:
    config = tiny.make_config(changes("gru"))
    own = ["acts_item_id", "acts_category", "acts_gaps", "acts_behaviour"]
    assert config.query_features == ["user_id", "age", "query", *own]
    named = tiny.make_config(changes("gru") | {"model.retrieval.query": ["user_id", "clicks"]})
    assert named.query_features == ["user_id", "clicks"]


def test_settings_survive_writing() -> None:
    config = tiny.make_config(changes("din"))
    history, (count, rate) = config.features.history[0], config.features.windows
    assert parse(config.model_dump(mode="json")) == config
    assert "acts" in dump(config)
    assert history.title == "acts"
    assert tiny.make_config().features.history[0].where == ["click"]
    assert (count.seconds, rate.seconds, rate.rows_of_prior) == (604_800, 2_592_000, 20.0)
    unnamed = tiny.make_config({"features.history": [{**ACTS, "name": None}]})
    assert unnamed.features.history[0].title == "click_cart_history"
    assert list(config.label_columns) == ["click", "cart", "stars"]
    viewed = [{**COUNT, "of": "viewed"}, {**COUNT, "name": "all", "of": "rows"}]
    assert "viewed" in tiny.make_config({"features.windows": viewed}).label_columns


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a behaviour twice": (
        {"features.history": [{**ACTS, "where": ["click", "click"]}]},
        "where names 'click' twice",
    ),
    "a rate of rows": (
        {"features.windows": [{**RATE, "of": "rows"}]},
        "'ctr': a rate is of a label; choose kind: count for rows",
    ),
    "a smoothed count": (
        {"features.windows": [{**COUNT, "smoothing": 3}]},
        "'clicks': smoothing is for rates",
    ),
    "no duration": (
        {"features.windows": [{**COUNT, "window": "week"}]},
        "give a duration such as 12h or 1d, got 'week'",
    ),
    "an empty window": ({"features.windows": [{**COUNT, "window": "0d"}]}, "must not be empty"),
    "a key twice": ({"features.windows": [{**COUNT, "by": ["user", "user"]}]}, "something twice"),
    "an unknown key": (
        {"features.windows": [{**COUNT, "by": ["price"]}]},
        "features.windows[0].by: 'price' is no id, categorical or hashed feature; choose among "
        "user, item, scenario, age, category, item_id, position, user_id",
    ),
    "a number as label": (
        {"features.windows": [{**COUNT, "of": "stars"}]},
        "features.windows[0].of: 'stars' is a regression task's label",
    ),
    "a taken name": (
        {"features.windows": [{**COUNT, "name": "price"}]},
        "two features are named 'price'",
    ),
    "a taken name of gaps": (
        {"features.history": [ACTS], "features.windows": [{**COUNT, "name": "acts_gaps"}]},
        "two features are named 'acts_gaps'",
    ),
    "a taken raw column": (
        {"features.windows": [{**COUNT, "name": "title"}]},
        "feature 'title_words': in a request 'title' is a count or rate; rename the raw column",
    ),
    "a random split": (
        {
            "features.history": [],
            "features.windows": [COUNT],
            "split": {"by": "random", "validation": 0.1, "test": 0.1},
        },
        "features.windows: a random split would count test rows",
    ),
    "no times": (
        {
            "source.impressions.time": None,
            "features.history": [],
            "features.windows": [COUNT],
            "split": {"by": "user", "validation": 0.1, "test": 0.1},
        },
        "features.windows: source.impressions.time is null, so no row has a past",
    ),
    "a count of items for the query tower": (
        {"features.windows": [RATE], "model.retrieval.query": ["user_id", "ctr"]},
        "model.retrieval.query: cannot read 'ctr'",
    ),
}


@pytest.mark.parametrize(("changed", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_by_one_line(changed: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tiny.make_config(changed)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
