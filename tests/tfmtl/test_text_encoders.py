"""Texts that are read in order: what the configuration says of them, and the whole model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import Cnn, Config, ConfigError, TextFeature, Transformer, dump, parse, schema
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model, save_model
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.preprocessor import Preprocessor

ENCODERS: dict[str, Any] = {
    "title_words": {"kind": "cnn", "filters": 5, "width": 2, "dropout": 0.2},
    "query": {"kind": "transformer", "blocks": 1, "heads": 3},
}
STRANGE = [
    "",
    "🦄👩‍👩‍👧",
    "red 鞋 кот كتاب 🦄 hat",
    "red " * 262_144,
    "\ud800".encode("utf-8", "replace").decode(),
]


def config(**changes: Any) -> Config:
    features = {side: [dict(one) for one in made] for side, made in tiny.RAW["features"].items()}
    for one in (*features["item"], *features["query"]):
        if one["name"] in ENCODERS:
            one["encoder"] = ENCODERS[one["name"]]
    return tiny.make_config({"features": features, **changes})


def text(**changes: Any) -> TextFeature:
    one = {"name": "query", "kind": "text", **changes}
    (feature,) = tiny.make_config({"features.query": [one]}).features.query
    return feature


def test_a_name_stands_for_an_encoder_with_its_defaults() -> None:
    assert text(dim=3, encoder="cnn").encoder == Cnn(filters=128, width=5)
    assert text(dim=4, encoder="transformer").encoder == Transformer(blocks=2, heads=2)
    assert text(dim=3, encoder="cnn").width == 128
    assert text(dim=4, encoder="transformer").width == text(dim=4).width == 4


def test_encoders_are_written_as_they_were_read() -> None:
    made = config()
    assert parse(made.model_dump(mode="json", exclude_none=True)) == made
    assert "filters: 5" in dump(made)
    encoder = json.loads(schema())["$defs"]["TextFeature"]["properties"]["encoder"]
    assert {"mean", "cnn", "transformer"} == set(
        next(one["enum"] for one in encoder["anyOf"] if "enum" in one)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "bert"}, "encoder.*'bert'"),
        ({"encoder": {"kind": "cnn", "filters": 0}}, "filters.*greater than or equal to 1"),
        ({"encoder": {"kind": "cnn", "blocks": 1}}, "blocks"),
        ({"encoder": {"kind": "transformer", "heads": 2}}, "heads should divide dim, got 2 heads"),
        ({"encoder": {"kind": "transformer", "heads": 1, "dropout": 1}}, "dropout.*less than 1"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        text(dim=3, **changes)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_transformed(tmp_path_factory.mktemp("ordered") / "transformed", config())


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_any_text_has_a_vector(transformed: Path, policy: str) -> None:
    model = MultiTaskModel(config(), tiny.sizes(), policy)
    preprocessor = Preprocessor(config(), transformed)
    texts = tf.constant(STRANGE)
    found = model.encoding(
        {name: preprocessor.feature(name)(texts) for name in ENCODERS}, names=list(ENCODERS)
    )
    widths = {"title_words": 5, "query": 3}
    for name, width in widths.items():
        vectors = found[name].numpy()
        assert found[name].dtype == tf.float32
        assert vectors.shape == (len(STRANGE), width)
        assert np.isfinite(vectors).all()
        assert (vectors[:2] == 0).all()  # nothing in them is a word
        assert (vectors[2:4] != 0).any(axis=1).all()


def test_learns_and_is_loaded_as_it_was_saved(transformed: Path, tmp_path: Path) -> None:
    model = MultiTaskModel(config(), tiny.sizes())
    model.compile(optimizer=build_optimizer(config().training.optimizer))
    x, y, weights = tiny.batch(Preprocessor(config(), transformed))
    tensors = {name: tf.constant(values) for name, values in x.items()}
    before = {v.path: v.numpy() for v in model.trainable_variables if "/text_" in v.path}
    assert len(before) > 10
    model.learn(tensors, {n: tf.constant(v) for n, v in y.items()}, tf.constant(weights))
    for variable in model.trainable_variables:
        if variable.path in before:
            assert np.abs(variable.numpy() - before[variable.path]).max() > 0, variable.path
    save_model(model, tmp_path / "model", transformed)
    loaded = load_model(tmp_path / "model")
    rows = {name: x[name] for name in model.inputs_spec}
    for task, values in model(rows).items():
        np.testing.assert_array_equal(values, loaded(rows)[task], err_msg=task)


def test_the_smallest_model_of_labels() -> None:
    words = {"name": "title", "kind": "text", "dim": 64, "length": 50, "encoder": "cnn"}
    made = tiny.make_config(
        {
            "features": {"item": [words]},
            "scenario": None,
            "evaluation": {},
            "tasks": {"labels": {"kind": "multi_label", "label": "tags", "separator": ","}},
            "model": {"trunk": {"kind": "shared_bottom", "units": []}, "tower": []},
        }
    )
    model = MultiTaskModel(made, {"title": 10_000, "label.labels": 10})
    # Words with padding and one bucket of unknown ones, filters, labels.
    assert model.count_params() == 10_002 * 64 + (5 * 64 + 1) * 128 + (128 + 1) * 10
