"""How alike two texts are, as the trunk reads it, and what may be matched."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import ConfigError
from tfmtl.layers.resemblance import products, resemblance
from tfmtl.models.multi_task import MultiTaskModel

ENCODER = {"kind": "pretrained", "checkpoint": "c"}
TITLE = {"name": "title", "kind": "text", "dim": 3, "length": 8, "encoder": ENCODER}


def changes(**model: object) -> dict[str, object]:
    raw = tiny.make_raw()
    items = [*raw["features"]["item"], TITLE]
    query = {**TITLE, "name": "asked"}
    return {
        "features.item": items,
        "features.query": [*raw["features"].get("query", []), query],
        **{f"model.{key}": value for key, value in model.items()},
    }


def make_model(**model: object) -> MultiTaskModel:
    config = tiny.make_config(changes(**model))
    return MultiTaskModel(config, tiny.sizes(), "float32", {"c": {"width": 5}})


def test_resemblance_is_the_cosine() -> None:
    one, other = tf.constant([[3.0, 4.0], [0.0, 0.0]]), tf.constant([[0.0, 2.0], [1.0, 1.0]])
    np.testing.assert_allclose(resemblance(one, other), [[0.8], [0.0]], atol=1e-6)
    np.testing.assert_allclose(products(one, other), [[0.0, 0.8], [0.0, 0.0]], atol=1e-6)


def test_the_trunk_reads_the_cosine_of_what_a_frozen_encoder_gave() -> None:
    model = make_model(match=[["asked", "title"]], match_alone=True)
    assert model.ranking
    rows = {n: tf.ones([2, *s.shape[1:]], s.dtype) for n, s in model.inputs_spec.items()}
    rows["asked"] = tf.constant([[1.0, 0, 0, 0, 0], [3.0, 4.0, 0, 0, 0]])
    rows["title"] = tf.constant([[0.0, 7.0, 0, 0, 0], [0, 2.0, 0, 0, 0]])
    encoded = model.encoding(rows)
    features = model.ranking._features(rows, encoded).numpy()
    np.testing.assert_allclose(features[:, -1], [0.0, 8.0], atol=1e-5)
    a, b = (encoded[name].numpy()[1] for name in ("asked", "title"))
    expected = a / np.linalg.norm(a) * b / np.linalg.norm(b)
    np.testing.assert_allclose(features[1, -4:-1], expected, atol=1e-5)
    beside = make_model(match=[["asked", "title"]]).ranking
    assert beside
    assert beside._features(rows, encoded).shape[1] == features.shape[1] + 2 * 3


def test_candidates_of_users_have_the_same_predictions_as_rows() -> None:
    model = make_model(match=[["asked", "title"]])
    random = np.random.default_rng(0)
    rows = {
        name: tf.constant(random.normal(size=[4, *spec.shape[1:]]), tf.float32)
        if spec.dtype == tf.float32
        else tf.ones([4, *spec.shape[1:]], tf.int32)
        for name, spec in model.inputs_spec.items()
    }
    of_items = {f.name for f in model.config.features.item}
    users = {n: v[:1] for n, v in rows.items() if n not in of_items}
    rows |= {n: tf.repeat(v, 4, axis=0) for n, v in users.items()}
    items = {n: v for n, v in rows.items() if n in of_items}
    expected = model.rank(rows)
    found = model.rank_candidates(users, items, tf.zeros([4], tf.int32))
    for task, values in expected.items():
        np.testing.assert_allclose(found[task], values, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"match": [["asked", "user_id"]]}, "'user_id' is no feature of text"),
        ({"match": [["asked", "title_words"]], "match_alone": True}, None),
        ({"match_alone": True}, "there is no match"),
    ],
)
def test_what_cannot_be_matched_is_told(model: dict[str, object], said: str | None) -> None:
    if said is None:
        tiny.make_config(changes(**model))
        return
    with pytest.raises(ConfigError, match=said):
        tiny.make_config(changes(**model))
