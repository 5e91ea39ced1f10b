"""Encoders, number embeddings and interactions inside the model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny
import yaml

from tfmtl.balancing import GradientBalancer
from tfmtl.config import ConfigError, dump, parse, schema
from tfmtl.models.descent import descend
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.number_bounds import start_at_quantiles

HISTORY = {"of": ["item_id", "category"], "where": "click", "last": 3}
SEPARATE = ["click_history_item_id", "click_history_category"]
DIN = {"kind": "din", "units": [5]}
SASREC = {"kind": "sasrec", "blocks": 1, "dropout": 0.5}
DCN = {"kind": "dcn_v2", "layers": 2, "projection_dim": 3}
DOT = {"kind": "dot", "dim": 3}
PERIODIC = {"kind": "periodic", "frequencies": 3, "dim": 2}
PIECEWISE = {"kind": "piecewise", "bins": 3, "dim": 2}


def changes(
    encoder: Any = "mean", interaction: Any = None, encodings: tuple[Any, Any] = (None, None)
) -> dict[str, Any]:
    """Changes to the tiny shop: of its history's encoder, of price and discount."""
    raw = tiny.make_raw()
    price, discount = raw["features"]["item"][2], raw["features"]["context"][1]
    price["encoding"], discount["encoding"] = encodings
    return {
        "features.item": raw["features"]["item"],
        "features.context": raw["features"]["context"],
        "features.history": [{**HISTORY, "encoder": encoder}],
        "model.interaction": interaction,
    }


def tensors(batch: tuple) -> tuple:
    x, y, weights = batch
    return (
        {name: tf.constant(values) for name, values in x.items()},
        {name: tf.constant(values) for name, values in y.items()},
        tf.constant(weights),
    )


@pytest.mark.parametrize(
    ("changed", "policy"),
    [
        (changes(DIN, DCN, (PERIODIC, PIECEWISE)), "mixed_bfloat16"),
        pytest.param(
            changes("gru", DOT, (PIECEWISE, PIECEWISE)), "mixed_bfloat16", marks=pytest.mark.slow
        ),
        pytest.param(changes({"kind": "lstm", "units": 5}, DCN), "float32", marks=pytest.mark.slow),
        pytest.param(changes(SASREC, DOT, (PERIODIC, PERIODIC)), "float32", marks=pytest.mark.slow),
    ],
    ids=["din", "gru", "lstm", "sasrec"],
)
def test_every_encoder_learns_and_survives_saving(
    preprocessor: Preprocessor, tmp_path: Path, changed: dict[str, Any], policy: str
) -> None:
    model = tiny.make_model(changed, policy)
    x, y, weights = tensors(tiny.batch(preprocessor, 32))
    before = {v.path: v.numpy() for v in model.trainable_variables}
    assert len(before) == len(model.trainable_variables)
    loss = float(model.weigh(model.losses_by_task(x, y, weights)))
    model.compile(optimizer=build_optimizer(model.config.training.optimizer), run_eagerly=True)
    model.fit(tf.data.Dataset.from_tensors((x, y, weights)).repeat(2), verbose=0)
    assert float(model.weigh(model.losses_by_task(x, y, weights))) < loss
    parts = ("history_", "number_", "interaction")
    still = [
        v.path
        for v in model.trainable_variables
        if any(part in v.path for part in parts) and np.array_equal(before[v.path], v)
    ]
    assert [path for path in still if "/key/" not in path] == []
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for task, predicted in model(x).items():
        assert np.array_equal(loaded(x)[task], predicted), task


@pytest.mark.parametrize(
    ("encoder", "ranking", "tower"),
    [
        ("mean", SEPARATE, SEPARATE),
        ("din", ["click_history"], SEPARATE),
        ("gru", ["click_history"], ["click_history"]),
        ("lstm", ["click_history"], ["click_history"]),
        ("sasrec", ["click_history"], ["click_history"]),
    ],
)
def test_a_history_has_one_vector_or_one_an_input(
    preprocessor: Preprocessor, encoder: str, ranking: list[str], tower: list[str]
) -> None:
    model = tiny.make_model(changes(encoder))
    x, *_ = tensors(tiny.batch(preprocessor, 6))
    encoded = model.encoding(x)
    assert [name for name in encoded if name.startswith("click")] == ranking
    assert sum(encoded[name].shape[1] for name in ranking) == 6
    assert set(encoded) == {*model.inputs_spec, *ranking} - {*SEPARATE} | {*ranking}
    asked = model.encoding(x, names=model.config.query_features)
    assert list(asked) == ["user_id", "age", "query", *tower]
    assert model.query_vectors(x).shape == (6, 4)


def test_a_history_is_present_where_any_of_its_features_is() -> None:
    model = tiny.make_model(changes("din"))
    x = {n: tf.zeros([2, *s.shape[1:]], s.dtype) for n, s in model.inputs_spec.items()}
    x["click_history_item_id"] = tf.constant([[4, 3, 0], [4, 3, 0]])
    x["click_history_category"] = tf.constant([[2, 0, 0], [2, 0, 3]])
    layer = model.encoding.histories["click_history"]
    layer.output_layer.bias.assign([1.0])
    layer.output_layer.kernel.assign(tf.zeros([36, 1]))
    ids = {"item_id": tf.range(5), "category": tf.range(4)}
    items, categories = model.encoding.embedding(ids, names=list(ids)).values()
    first = tf.concat([items[4] + items[3], categories[2] + categories[0]], axis=0)
    third = tf.concat([items[0], categories[3]], axis=0)
    found = model.encoding(x)["click_history"]
    np.testing.assert_allclose(found, [first, first + third], rtol=1e-5)


def test_target_attention_knows_the_candidate_and_the_query_tower_does_not(
    preprocessor: Preprocessor,
) -> None:
    model = tiny.make_model(changes("din"))
    x, *_ = tensors(tiny.batch(preprocessor, 12))
    other = {**x, "item_id": tf.roll(x["item_id"], 1, 0), "category": tf.roll(x["category"], 1, 0)}
    one, two = model.encoding(x)["click_history"], model.encoding(other)["click_history"]
    assert np.abs(one - two).max() > 1e-6
    assert np.array_equal(model.query_vectors(x), model.query_vectors(other))
    mean = tiny.make_model(changes("mean"))
    mean.encoding.embedding.set_weights(model.encoding.embedding.get_weights())
    names = model.config.query_features
    asked, expected = model.encoding(x, names=names), mean.encoding(x, names=names)
    for name in SEPARATE:
        assert np.array_equal(asked[name], expected[name])


def test_matches_compare_a_history_with_the_candidate(preprocessor: Preprocessor) -> None:
    x, *_ = tensors(tiny.batch(preprocessor, 5))
    for encoder in ("mean", "gru"):
        model = tiny.make_model(changes(encoder))
        encoded = model.encoding(x)
        history = tf.concat([encoded[n] for n in encoded if n.startswith("click")], axis=1)
        item = tf.concat([encoded["item_id"], encoded["category"]], axis=1)
        features = model.ranking._features(x, encoded)
        assert np.array_equal(features[:, -6:], history * item)


def test_dropout_is_on_in_training_only(preprocessor: Preprocessor) -> None:
    model = tiny.make_model(changes(SASREC))
    x, y, weights = tensors(tiny.batch(preprocessor, 12))
    for call in (model.encoding, model.query_vectors, model.rank):
        assert not np.array_equal(_any(call(x, training=True)), _any(call(x, training=True)))
        assert np.array_equal(_any(call(x)), _any(call(x)))
    losses = [model.losses_by_task(x, y, weights, training=True)["click"] for _ in range(2)]
    assert float(losses[0]) != float(losses[1])


def _any(outputs: Any) -> np.ndarray:
    if isinstance(outputs, dict):
        return np.array(outputs["click_history" if "click_history" in outputs else "click"])
    return np.array(outputs)


class Even(GradientBalancer):
    """All tasks alike."""

    def call(self, gram: tf.Tensor, losses: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.ones_like(losses)


@pytest.mark.parametrize("encoder", ["din", "lstm", {"kind": "sasrec", "dropout": 0.0}])
def test_gradients_through_the_shared_representation(
    preprocessor: Preprocessor, encoder: Any
) -> None:
    model = tiny.make_model(changes(encoder, DCN, (PERIODIC, None)))
    batch = tensors(tiny.batch(preprocessor, 16))
    plain = descend(model, *batch)
    model._tracker.unlock()
    model.balancer = Even(dict.fromkeys(model.ranking.tasks, 1.0))
    step = descend(model, *batch)
    for variable, one, other in zip(
        model.trainable_variables, plain.gradients, step.gradients, strict=True
    ):
        assert (one is None) == (other is None), variable.path
        if one is not None:
            one, other = (tf.convert_to_tensor(gradient) for gradient in (one, other))
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6, err_msg=variable.path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "eagerly"),
    [
        ("din", False),
        ("gru", True),
        ("lstm", True),
        pytest.param("sasrec", False, marks=pytest.mark.slow),
    ],
)
def test_a_batch_without_a_positive(
    preprocessor: Preprocessor, encoder: str, eagerly: bool
) -> None:
    chosen = {name: tiny.RAW["tasks"][name] for name in ("retrieve", "click")}
    model = tiny.make_model({**changes(encoder), "tasks": chosen})
    x, y, weights = tensors(tiny.batch(preprocessor, 4))
    y = {"retrieve": tf.zeros(4), "click": y["click"]}
    step = lambda: descend(model, x, y, weights)  # noqa: E731
    losses = (step if eagerly else tf.function(step))().losses
    assert float(losses["retrieve"]) == 0.0
    assert np.isfinite(losses["click"])


def test_retrieval_alone_needs_no_target_attention(
    preprocessor: Preprocessor, tmp_path: Path
) -> None:
    chosen = {"retrieve": tiny.RAW["tasks"]["retrieve"]}
    model = tiny.make_model({**changes("din"), "tasks": chosen})
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x, *_ = tensors(tiny.batch(preprocessor, 4))
    assert np.array_equal(loaded(x)["retrieve"], model(x)["retrieve"])


def test_sum_towers_read_the_vector_of_one_feature(preprocessor: Preprocessor) -> None:
    towers = {"kind": "sum", "dim": 4, "query": ["click_history_item_id"], "item": ["item_id"]}
    history = [{"of": ["item_id"], "where": "click", "last": 3, "encoder": "sasrec"}]
    model = tiny.make_model({"features.history": history, "model.retrieval": towers})
    x, *_ = tensors(tiny.batch(preprocessor, 4))
    expected = model.encoding(x, names=["click_history_item_id"])["click_history"]
    assert np.array_equal(model.query_vectors(x), expected)


def test_bounds_start_at_the_training_rows_quantiles(transformed: Path) -> None:
    model = tiny.make_model(changes("mean", None, (PIECEWISE, PERIODIC)))
    start_at_quantiles(model, transformed / "train")
    (file,) = (transformed / "train").glob("*.parquet")
    price = np.sort(pq.read_table(file)["price"].to_numpy())
    bounds = model.encoding.numbers["price"].bounds.numpy()
    assert bounds[0] == price[0]
    assert bounds[-1] == price[-1]
    np.testing.assert_allclose(bounds[1], price[21], atol=1e-6)  # a third of 63 steps
    np.testing.assert_allclose(bounds[2], price[42], atol=1e-6)


def test_a_name_stands_for_an_encoder_and_for_its_defaults() -> None:
    short, long = tiny.make_config(changes("din")), tiny.make_config(changes({"kind": "din"}))
    assert short == long
    assert short.features.history[0].encoder.model_dump() == {"kind": "din", "units": [36]}
    assert "sasrec" in schema()
    config = tiny.make_config(changes(SASREC, DOT, (PERIODIC, PIECEWISE)))
    assert parse(yaml.safe_load(dump(config))) == config


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown encoder": (
        changes("dim"),
        r"features.history\[0\].encoder: unknown kind 'dim'; choose 'mean', 'din', 'gru', 'lstm'",
    ),
    "unknown key of an encoder": (
        changes({"kind": "gru", "unit": 3}),
        r"features.history\[0\].encoder.unit: unknown key; did you mean 'units'",
    ),
    "heads that do not divide": (
        changes({"kind": "sasrec", "heads": 4}),
        "history 'click_history': 4 heads do not divide the 6 dimensions of item_id, category tog",
    ),
    "no frequency": (
        changes(encodings=({"kind": "periodic", "frequencies": 0}, None)),
        r"features.item\[2\].encoding.frequencies: input should be greater than or equal to 1",
    ),
    "unknown encoding": (
        changes(encodings=({"kind": "piece"}, None)),
        r"features.item\[2\].encoding: unknown kind 'piece'; choose 'periodic', 'piecewise'",
    ),
    "unknown interaction": (
        changes(interaction={"kind": "dcn"}),
        "model.interaction: unknown kind 'dcn'; choose 'dcn_v2', 'dot'",
    ),
    "no layer": (
        changes(interaction={"kind": "dcn_v2", "layers": 0}),
        "model.interaction.layers: input should be greater than or equal to 1, got 0",
    ),
    "a tower that reads half a history": (
        {**changes("gru"), "model.retrieval.query": ["user_id", "click_history_item_id"]},
        "model.retrieval.query: encoder gru reads all of history 'click_history', name click_his",
    ),
    "two histories of one name": (
        {"features.history": [HISTORY, {**HISTORY, "of": ["item_id"]}]},
        "two features are named 'click_history'; rename one of them",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str) -> None:
    changed, message = MISTAKES[mistake]
    with pytest.raises(ConfigError, match=message):
        tiny.make_config(changed)


def test_sum_towers_refuse_joined_features() -> None:
    towers = {"kind": "sum", "dim": 4, "item": ["item_id"]}
    user = [{"name": "user_id", "kind": "id", "dim": 4}]
    item = [{**feature} for feature in tiny.RAW["features"]["item"]]
    item[1]["dim"] = 4
    changed = {
        **changes("gru"),
        "features.user": user,
        "features.item": item,
        "features.query": [],
        "model.retrieval": towers,
    }
    with pytest.raises(
        ConfigError, match="sum needs vectors of one dim, encoder gru joins those of"
    ):
        tiny.make_config(changed)
    changed["features.history"] = [{**HISTORY, "encoder": "din"}]
    assert MultiTaskModel(tiny.make_config(changed), tiny.sizes()).retrieval
