"""Models of the next event: blind to its item, and to context but that of the past."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.config import parse
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import (
    Moments,
    label_vocabulary,
    write_moments,
    write_vocabulary,
)

KINDS = ["pv", "buy"]
CONFIG = parse(
    {
        "name": "next",
        "source": {
            "events": {
                "path": "e.csv",
                "event": "what",
                "labels": {kind: [kind] for kind in KINDS},
                "next": {},
            }
        },
        "features": {
            "user": [{"name": "user_id", "kind": "id", "dim": 2}],
            "item": [{"name": "item_id", "kind": "id", "dim": 4}],
            "context": [
                {"name": "place", "kind": "categorical", "dim": 3},
                {"name": "hour", "column": "timestamp", "kind": "timestamp", "parts": ["hour"]},
                {"name": "warmth", "kind": "numeric", "scale": "none"},
            ],
            "history": [
                {
                    "name": "acts",
                    "of": ["item_id"],
                    "where": KINDS,
                    "last": 3,
                    "gaps": True,
                    "context": ["place", "hour", "warmth"],
                    "encoder": {"kind": "sasrec", "blocks": 1, "dropout": 0},
                }
            ],
        },
        "tasks": {
            "kind": {"kind": "multi_class", "label": "what", "values": KINDS},
            "wait": {"kind": "regression", "label": "next_gap"},
            "item": {"kind": "retrieval"},
        },
        "model": {
            "trunk": {"kind": "shared_bottom", "units": [8]},
            "tower": [4],
            "retrieval": {"dim": 4, "units": [4]},
        },
        "training": {"precision": "float32"},
    }
)
VOCABULARIES = {"user_id": ["ann"], "item_id": ["cup", "pot"], "place": ["home", "bus"]}
SIZES = {name: len(values) for name, values in VOCABULARIES.items()}


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    keras.utils.set_random_seed(3)
    return MultiTaskModel(CONFIG, {**SIZES, label_vocabulary("kind"): 2})


def inputs() -> dict[str, Any]:
    ids: dict[str, Any] = {
        "user_id": [2, 1],
        "item_id": [2, 3],
        "acts_item_id": [[3, 2, 0], [2, 0, 0]],
        "acts_gaps": [[1, 9, 0], [1, 0, 0]],
        "acts_behaviour": [[3, 2, 0], [2, 0, 0]],
        "acts_place": [[2, 3, 0], [1, 0, 0]],
    }
    numbers = {
        "acts_hour": [[0.6, 0.8, -1, 0, 0, 0], [0, 1, 0, 0, 0, 0]],
        "acts_warmth": [[0.5, -2, 0], [1, 0, 0]],
    }
    made = {name: tf.constant(values, tf.int32) for name, values in ids.items()}
    return made | {name: tf.constant(values, tf.float32) for name, values in numbers.items()}


def test_the_inputs(model: MultiTaskModel) -> None:
    assert {n: s.shape.as_list() for n, s in model.inputs_spec.items()} == {
        "user_id": [None],
        "item_id": [None],
        "acts_item_id": [None, 3],
        "acts_gaps": [None, 3],
        "acts_behaviour": [None, 3],
        "acts_place": [None, 3],
        "acts_hour": [None, 6],
        "acts_warmth": [None, 3],
    }
    assert set(model.ranked_inputs) == set(model.inputs_spec) - {"item_id"}


def test_ranking_tasks_do_not_read_the_item(model: MultiTaskModel) -> None:
    given = inputs()
    blind = {name: given[name] for name in model.ranked_inputs}
    predicted = model.rank(blind)
    assert predicted["kind"].shape == (2, 2)
    for item in ([0, 0], [3, 2]):
        other = model(given | {"item_id": tf.constant(item)})
        for task, values in predicted.items():
            np.testing.assert_array_equal(other[task], values)
    # A user's candidates are predicted alike.
    rows = model.rank_candidates(blind, {}, tf.constant([1, 0, 1]))
    np.testing.assert_allclose(rows["wait"], tf.gather(predicted["wait"], [1, 0, 1]), rtol=1e-6)


def test_context_is_joined_projected_and_added(model: MultiTaskModel) -> None:
    given, encoding = inputs(), model.encoding
    rows = {name: v.numpy() for name, v in encoding.embedding(given).items()}
    hours = given["acts_hour"].numpy().reshape(2, 3, 2)
    warmth = given["acts_warmth"].numpy()[:, :, None]
    (weights,) = encoding.contexts["acts"].weights
    assert weights.shape == (3 + 2 + 1, 4)
    context = np.concatenate([rows["acts_place"], hours, warmth], axis=2) @ weights.numpy()
    items = rows["acts_item_id"] + rows["acts_gaps"] + rows["acts_behaviour"] + context
    present = tf.constant([[True, True, False], [True, False, False]])
    expected = encoding.histories["acts"](tf.constant(items), present, None)
    np.testing.assert_allclose(encoding(given)["acts"], expected, atol=1e-6)
    # What is padding is not seen, whatever its context says.
    other = given | {"acts_warmth": tf.constant([[0.5, -2, 7], [1, 8, 9]], tf.float32)}
    np.testing.assert_allclose(encoding(other)["acts"], expected, atol=1e-6)


@pytest.mark.slow
def test_it_learns_and_comes_back_from_disk(model: MultiTaskModel, tmp_path: Path) -> None:
    given = inputs()
    labels = {
        "kind": tf.constant([0.0, 1.0]),
        "wait": tf.constant([2.0, np.nan]),
        "item": tf.constant([1.0, 1.0]),
    }
    more = {"meta/item": tf.constant([0, 1]), "meta/sampling_probability": tf.constant([0.5, 0.5])}
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    before = model.measure(given | more, labels, None)["loss"]
    for _ in range(5):
        model.train_on_batch(given | more, labels)
    assert model.measure(given | more, labels, None)["loss"] < before
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for task, values in model(given).items():
        np.testing.assert_array_equal(loaded(given)[task], values)


def test_a_request_gives_the_context_of_the_past(tmp_path: Path) -> None:
    for name, values in VOCABULARIES.items():
        write_vocabulary(tmp_path, name, values)
    write_vocabulary(tmp_path, label_vocabulary("kind"), KINDS)
    write_moments(tmp_path, {"warmth": Moments(0.0, 1.0)})
    preprocessor = Preprocessor(CONFIG, tmp_path)
    names = ["acts_item_id", "acts_place", "acts_hour", "acts_warmth"]
    spec = preprocessor.raw_spec(names)
    assert [spec[n].dtype for n in names] == [tf.string, tf.string, tf.float64, tf.float32]
    assert all(one.shape.as_list() == [None, None] for one in spec.values())
    raw = {
        "acts_item_id": tf.constant([["pot", "cup"]]),
        "acts_place": tf.constant([["bus", "moon"]]),
        "acts_hour": tf.constant([[6 * 3600.0, 0.0]], tf.float64),
        "acts_warmth": tf.constant([[1.5, float("nan")]]),
    }
    made = preprocessor(raw, names)
    assert made["acts_item_id"].numpy().tolist() == [[3, 2, 0]]
    assert made["acts_place"].numpy().tolist() == [[3, 1, 0]]
    assert made["acts_hour"].numpy().tolist() == [[1, 0, 0, 1, 0, 0]]
    assert made["acts_warmth"].numpy().tolist() == [[1.5, 0, 0]]
