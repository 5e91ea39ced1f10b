"""SVD and SVD++: their equations by plain loops, what is unknown, the view that retrieves."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import Config, ConfigError
from tfmtl.layers.factorised import Factorised
from tfmtl.layers.implicit_feedback import ImplicitFeedback
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.optimizers import build_optimizer
from tfmtl.training.rated import Rated

IDS = {
    "user": [{"name": "user_id", "kind": "id", "dim": 1}],
    "item": [{"name": "item_id", "kind": "id", "dim": 1}],
}
SVD: dict[str, Any] = {
    "features": IDS,
    "scenario": None,
    "tasks": {
        "stars": {"kind": "regression", "label": "stars", "range": [1, 5]},
        "best": {"kind": "retrieval"},
    },
    "model": {
        "trunk": {"kind": "none"},
        "tower": [],
        "factorised": {"dim": 3, "l2": 0.1},
        "retrieval": {"kind": "factorised"},
    },
    "evaluation": {"top_k": [1, 3]},
}
SIZES = {"user_id": 4, "item_id": 6}
PAIRS = np.array([[2, 3], [2, 5], [3, 2], [5, 2], [5, 3], [5, 7]])
"""Ids of users and the items they rated; user 4 has rated nothing."""


def make_config(changes: Mapping[str, Any] | None = None) -> Config:
    return tiny.make_config({**copy.deepcopy(SVD), **(changes or {})})


def random_model(implicit: bool) -> MultiTaskModel:
    changes = {"model.factorised": {"dim": 3, "implicit": True}} if implicit else {}
    keras.utils.set_random_seed(3)
    rated = {"stars": len(PAIRS)} if implicit else None
    model = MultiTaskModel(make_config(changes), SIZES, rated=rated)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    if implicit:
        assert model.ranking
        model.ranking.factorised["stars"].feedback.assign_pairs(PAIRS[:, 0], PAIRS[:, 1])
    return model


def scored(model: MultiTaskModel, user: int, item: int) -> float:
    """Equation 5 of Koren et al. 2009, equation 15 of Koren 2008: mu + b_u + b_i + q_i . p."""
    assert model.ranking
    layer = model.ranking.factorised["stars"]
    p = np.array(layer.user_factors[user])
    if layer.feedback:
        rated = [i for u, i in PAIRS if u == user]
        for one in rated:
            p = p + np.array(layer.feedback.factors[one]) / np.sqrt(len(rated))
    biases = layer.user_bias[user, 0] + layer.item_bias[item, 0]
    mean = model.ranking.heads["stars"].output_layer.bias[0]
    return float(mean + biases + p @ np.array(layer.item_factors[item]))


@pytest.mark.parametrize("implicit", [False, True])
def test_predictions_by_a_plain_loop(implicit: bool) -> None:
    model = random_model(implicit)
    users, items = np.meshgrid(np.arange(6), np.arange(8), indexing="ij")
    inputs = {"user_id": tf.constant(users.ravel()), "item_id": tf.constant(items.ravel())}
    found = model(inputs)
    expected = [scored(model, u, i) for u, i in zip(users.ravel(), items.ravel(), strict=True)]
    assert max(expected) > 5 or min(expected) < 1  # so that clipping is seen
    np.testing.assert_allclose(found["stars"], np.clip(expected, 1, 5), rtol=1e-5)
    np.testing.assert_allclose(found["best"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("implicit", [False, True])
def test_retrieval_is_a_brute_force_over_predictions(implicit: bool) -> None:
    model = random_model(implicit)
    users = tf.constant([2, 5, 4, 1])
    items = model.item_vectors({"item_id": tf.range(8)})
    scores = tf.matmul(model.query_vectors({"user_id": users}), items, transpose_b=True)
    for row, user in enumerate(users.numpy()):
        brute = [scored(model, user, item) for item in range(8)]
        assert np.argsort(-scores.numpy()[row]).tolist() == np.argsort(-np.array(brute)).tolist()


def test_what_is_unknown_adds_nothing() -> None:
    """An unknown user or item, and a user or an item without a rating, before and after a step."""
    keras.utils.set_random_seed(1)
    rated = {"stars": len(PAIRS)}
    config = make_config({"model.factorised": {"dim": 3, "implicit": True}})
    model = MultiTaskModel(config, SIZES, rated=rated)
    assert model.ranking
    layer, head = model.ranking.factorised["stars"], model.ranking.heads["stars"]
    assert layer.feedback
    layer.feedback.assign_pairs(PAIRS[:, 0], PAIRS[:, 1])
    head.output_layer.bias.assign([3.0])
    model.compile(optimizer=build_optimizer(config.training.optimizer))
    x = {"user_id": tf.constant(PAIRS[:, 0]), "item_id": tf.constant(PAIRS[:, 1])}
    y = {"stars": tf.constant([5.0, 2.0, 4.0, 2.0, 5.0, 1.0]), "best": tf.ones(6)}
    model.learn(x, y, None)
    mean, b_u = float(head.output_layer.bias[0]), np.array(layer.user_bias)[:, 0]
    b_i = np.array(layer.item_bias)[:, 0]
    asked = {"user_id": tf.constant([1, 2, 1, 2]), "item_id": tf.constant([3, 1, 1, 6])}
    expected = [mean + b_i[3], mean + b_u[2], mean, mean + b_u[2]]
    np.testing.assert_allclose(model(asked)["stars"], expected, rtol=1e-6)
    assert abs(b_i[3]) > 0
    assert abs(b_u[2]) > 0


def test_a_user_with_one_rating() -> None:
    feedback = ImplicitFeedback(users=4, items=5, dim=2, pairs=1)
    feedback.factors.assign([[0, 0], [9, 9], [1, 2], [8, 8], [7, 7]])
    feedback.assign_pairs(np.array([2]), np.array([2]))
    found = feedback(tf.constant([2, 3, 0, 2]))
    assert found.numpy().tolist() == [[1, 2], [0, 0], [0, 0], [1, 2]]


def test_penalty_of_implicit_feedback_by_a_plain_loop() -> None:
    layer = Factorised(users=6, items=8, dim=2, l2=0.2, pairs=len(PAIRS))
    random = np.random.default_rng(1)
    assert layer.feedback
    layer.feedback.assign_pairs(PAIRS[:, 0], PAIRS[:, 1])
    for variable in layer.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    users, items = [5, 5, 2, 4], [3, 2, 7, 7]
    layer(tf.constant(users), tf.constant(items))
    total = 0.0
    for user, item in zip(users, items, strict=True):
        total += float(layer.user_bias[user, 0]) ** 2 + float(layer.item_bias[item, 0]) ** 2
        total += np.sum(np.square(layer.user_factors[user]))
        total += np.sum(np.square(layer.item_factors[item]))
        for one in (i for u, i in PAIRS if u == user):
            total += np.sum(np.square(layer.feedback.factors[one]))
    np.testing.assert_allclose(sum(layer.losses), 0.2 * total / 4, rtol=1e-5)


def test_pairs_that_do_not_fit() -> None:
    feedback = ImplicitFeedback(users=4, items=5, dim=2, pairs=2)
    with pytest.raises(ValueError, match=r"should have 2 ids each. Received: 1 and 1"):
        feedback.assign_pairs(np.array([2]), np.array([2]))
    with pytest.raises(ValueError, match=r"`rated` should have .* of task 'stars'"):
        MultiTaskModel(make_config({"model.factorised": {"implicit": True}}), SIZES)


def test_saved_models_know_what_was_rated(tmp_path: Path) -> None:
    model = random_model(implicit=True)
    model.save(tmp_path / "model.keras")
    inputs = {"user_id": tf.constant([2, 4, 5]), "item_id": tf.constant([3, 3, 2])}
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs)["best"], model(inputs)["best"])


def test_what_users_rated_is_read_once(tmp_path: Path) -> None:
    """Twice the same pair counts once; a missing label, user or item is none."""
    rows = {
        "user_id": [2, 2, 2, 3, 1, 0, 4],
        "item_id": [7, 7, 3, 3, 3, 3, 4],
        "label/stars": [1.0, 2.0, 3.0, None, 5.0, 5.0, 1.0],
    }
    pq.write_table(pa.table(rows), tmp_path / "part-00000.parquet")
    config = make_config({"model.factorised": {"dim": 3, "implicit": True}})
    rated = Rated(config, tmp_path)
    assert rated.counts == {"stars": 3}
    model = MultiTaskModel(config, SIZES, rated=rated.counts)
    rated.tell(model)
    assert model.ranking
    feedback = model.ranking.factorised["stars"].feedback
    assert feedback
    assert feedback.rated.numpy().tolist() == [3, 7, 4]
    assert feedback.ends.numpy().tolist() == [0, 0, 2, 2, 3, 3]
    assert Rated(make_config(), tmp_path).counts == {}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model.factorised": None}, r"model\.trunk: none leaves every prediction"),
        ({"model.interaction": {"kind": "dcn_v2"}}, r"model\.interaction: the trunk none has no"),
        ({"model.trunk": {"kind": "shared_bottom"}}, r"model\.retrieval: factorised knows what"),
        ({"model.retrieval.of": "best"}, r"of: 'best' is no task of kind regression or binary"),
        ({"model.retrieval.query": ["user_id"]}, r"model\.retrieval\.query: factorised reads the"),
        ({"model.retrieval.normalize": True}, r"normalize: it would put items into another order"),
        (
            {"model.retrieval": {"of": "stars"}},
            r"model\.retrieval\.of: it belongs to kind factorised, got mlp",
        ),
        (
            {"tasks.mood": {"kind": "multi_class", "label": "mood"}},
            r"tasks\.mood: classes are not factorised",
        ),
        (
            {"features.context": [{"name": "device", "kind": "categorical"}]},
            r"features: 'device' is read by nothing",
        ),
        (
            {"features.user": [{"name": "user_id", "kind": "id", "dim": 1, "buckets": 9}]},
            r"model\.factorised: every id has a row of its own",
        ),
    ],
)
def test_what_does_not_fit_a_factorisation(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        make_config(changes)
