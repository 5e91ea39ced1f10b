"""A shop with features of every kind: what depends on the item in every way it can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
import tiny

import tfmtl
from tfmtl.config import Config
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import Moments

OF = ["item_id", "category"]
CHANGES: dict[str, Any] = {
    "name": "varied",
    "features.item": [
        *tiny.RAW["features"]["item"],
        {"name": "tags", "kind": "bag", "dim": 3, "length": 3, "weights": "tag_weights"},
        {"name": "image", "kind": "vector", "size": 2, "dim": 3},
        {"name": "pair", "kind": "crossed", "of": ["category", "item_id"], "buckets": 50, "dim": 2},
        {"name": "tier", "kind": "crossed", "of": ["category", "level"], "buckets": 9, "dim": 2},
    ],
    "features.context": [
        *tiny.RAW["features"]["context"],
        {"name": "device", "kind": "categorical", "dim": 2},
        {"name": "on", "kind": "crossed", "of": ["category", "device"], "buckets": 30, "dim": 2},
        {"name": "at", "kind": "timestamp"},
    ],
    "features.history": [
        {"of": OF, "where": "click", "last": 3},
        {"of": OF, "where": "click", "last": 4, "name": "din", "encoder": "din", "gaps": True},
        {"of": OF, "where": "click", "last": 2, "name": "gru", "encoder": "gru"},
        {"of": OF, "where": ["click", "cart"], "last": 2, "name": "sas", "encoder": "sasrec"},
    ],
    "features.windows": [
        {"name": "item_ctr", "kind": "rate", "of": "click", "by": ["item"], "window": "7d"},
        {"name": "user_rows", "kind": "count", "of": "rows", "by": ["user"], "window": "7d"},
    ],
    "tasks": {
        "retrieve": {"kind": "retrieval", "positive": "click"},
        "click": {"kind": "binary", "label": "click", "calibration": "platt"},
        "cart": {"kind": "binary", "label": "cart", "after": "click"},
        "stars": {"kind": "regression", "label": "stars", "range": [1, 5]},
        "mood": {"kind": "multi_class", "label": "mood"},
    },
    "model.scenario_net": {"kind": "pepnet"},
    "model.match_history": True,
    "model.factorised": {"dim": 3},
}
VOCABULARIES = {
    **tiny.VOCABULARIES,
    "tags": ["new", "sale"],
    "device": ["phone", "desk"],
    "label.mood": ["calm", "glad", "sad"],
}
MOMENTS = {**tiny.MOMENTS, "item_ctr": Moments(-2.0, 1.0), "user_rows": Moments(1.0, 0.5)}
ITEMS = {
    **tiny.ITEMS,
    "level": ["low", "high", "low", "", "high", "low"],
    "tags": [["new"], [], ["sale", "new", "odd"], ["new", "sale"], ["sale"], []],
    "tag_weights": [[0.5], [], [1.0, 2.0, 0.1], [], [3.0], []],
    "image": [[0.1, 0.2], [1.0, -1.0], [0.0, 0.5], [np.nan, np.nan], [2.0, 0.3], [0.7, 0.7]],
}


def make_config(changes: Mapping[str, Any] | None = None) -> Config:
    """The configuration, with `{dotted key: value}` changed."""
    return tiny.make_config({**CHANGES, **(changes or {})})


def make_model(changes: Mapping[str, Any] | None = None) -> MultiTaskModel:
    """A model whose every variable is random."""
    keras.utils.set_random_seed(1)
    model = MultiTaskModel(make_config(changes), tiny.sizes(VOCABULARIES))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    return model


def write_home(model: MultiTaskModel, directory: Path) -> Path:
    """Writes the model's directory, with a catalogue of `ITEMS`."""
    analysis = tiny.write_analysis(directory / "analysis", VOCABULARIES, MOMENTS)
    preprocessor = Preprocessor(model.config, analysis)
    features = {feature.name for feature in model.config.features.item}
    made = [one for one in model.config.features.inputs.values() if one.feature in features]
    columns = {name: padded(values) for name, values in ITEMS.items()}
    table = {"key": pa.array(ITEMS["item_id"]), "title": pa.array(ITEMS["title"])}
    for one in made:
        raw = [tf.constant(columns[read.column]) for read in one.reads]
        table[one.name] = tiny._column(preprocessor.feature(one.name)(*raw).numpy())
    for name, values in ITEMS.items():
        table[f"raw/{name}"] = pa.array(values)
    pq.write_table(pa.table(table), analysis / "catalogue.parquet")
    tfmtl.save_model(model, directory / "model", analysis)
    return directory / "model"


def padded(values: list[Any]) -> Any:
    """Values of a request's input: bytes, float32, lists filled up."""
    if not isinstance(values[0], list):
        array = np.array(values)
        return array.astype(np.float32) if array.dtype.kind == "f" else texts(values)
    longest = max(len(row) for row in values)
    missing: Any = "" if any(isinstance(one, str) for row in values for one in row) else np.nan
    filled = [row + [missing] * (longest - len(row)) for row in values]
    return texts(filled) if missing == "" else np.array(filled, np.float32)


def texts(values: Any) -> np.ndarray:
    """Texts as bytes."""
    array = np.array(values, object)
    return np.array([text.encode() for text in array.ravel()], object).reshape(array.shape)


def users(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What a request says of users: known, missing and unknown values."""
    random = np.random.default_rng(seed)

    def some(values: list[str], *shape: int) -> np.ndarray:
        return texts(random.choice([*values, "", "never seen"], (count, *shape)))

    raw = {
        "user_id": some(VOCABULARIES["user_id"]),
        "age": some(["young", "old"]),
        "query": some(["red shoe", "hat"]),
        "discount": random.choice([0.0, 5.0, 20.0, np.nan], count).astype(np.float32),
        "device": some(["phone", "desk"]),
        "at": random.uniform(1.6e9, 1.7e9, count),
        "scenario": some(["search", "feed"]),
        "user_rows": random.choice([0.0, 3.0, np.nan], count).astype(np.float32),
        "din_gaps": random.uniform(0, 1e6, (count, 3)).astype(np.float32),
        "sas_behaviour": some(["click", "cart"], 2),
    }
    for title in ("click_history", "din", "gru", "sas"):
        raw[f"{title}_item_id"] = some(ITEMS["item_id"], 3)
        raw[f"{title}_category"] = some(["shoes", "hats"], 3)
    return raw


def items(keys: np.ndarray) -> dict[str, np.ndarray]:
    """What the catalogue says of items, `[...]` as the keys; unknown ones have missing values."""
    rows = {key.encode(): row for row, key in enumerate(ITEMS["item_id"])}
    places = np.array([rows.get(key, -1) for key in keys.ravel()], int)
    raw: dict[str, np.ndarray] = {}
    for name, values in ITEMS.items():
        known = padded(values)
        missing = np.full(known[:1].shape, b"" if known.dtype == object else np.nan, known.dtype)
        taken = np.concatenate([known, missing])[places]
        raw[name] = taken.reshape(*keys.shape, *known.shape[1:])
    return {**raw, "item_id": keys}
