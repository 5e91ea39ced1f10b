"""A shop so small that its numbers can be checked by hand: configuration, analysis, examples."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from tfmtl.config import Config, parse
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import Moments, write_moments, write_vocabulary

RAW: dict[str, Any] = {
    "name": "tiny",
    "source": {"impressions": {"path": "log.csv"}, "items": {"path": "i.csv", "key": "item_id"}},
    "features": {
        "user": [
            {"name": "user_id", "kind": "id", "dim": 4},
            {"name": "age", "kind": "categorical", "dim": 2},
        ],
        "item": [
            {"name": "item_id", "kind": "id", "dim": 4},
            {"name": "category", "kind": "categorical", "dim": 2},
            {"name": "price", "kind": "numeric", "scale": "log"},
            {
                "name": "title_words",
                "column": "title",
                "kind": "text",
                "dim": 3,
                "length": 3,
                "table": "words",
            },
        ],
        "query": [{"name": "query", "kind": "text", "dim": 3, "length": 2, "table": "words"}],
        "context": [
            {"name": "position", "kind": "categorical", "dim": 2, "serve_as": "1"},
            {"name": "discount", "kind": "numeric"},
        ],
        "history": [{"of": ["item_id", "category"], "where": "click", "last": 3}],
    },
    "scenario": {"column": "scenario", "values": ["search", "feed"]},
    "tasks": {
        "retrieve": {"kind": "retrieval", "positive": "click"},
        "click": {"kind": "binary", "label": "click"},
        "cart": {"kind": "binary", "label": "cart", "scenarios": ["search"]},
        "stars": {"kind": "regression", "label": "stars", "range": [1, 5]},
    },
    "model": {
        "trunk": {"kind": "shared_bottom", "units": [8]},
        "tower": [4],
        "retrieval": {"dim": 4, "units": [8]},
    },
    "training": {"epochs": 1, "batch_size": 16, "precision": "float32"},
    "evaluation": {"slices": ["age"], "top_k": [1, 3]},
}
VOCABULARIES = {
    "user_id": ["ann", "bob", "cem", "dee"],
    "age": ["young", "old"],
    "item_id": ["i1", "i2", "i3", "i4", "i5", "i6"],
    "category": ["shoes", "hats"],
    "words": ["red", "blue", "shoe", "hat", "鞋"],
    "position": ["1", "2", "3"],
}
MOMENTS = {"price": Moments(2.0, 0.5), "discount": Moments(10.0, 5.0)}
ITEMS = {
    "item_id": ["i1", "i2", "i3", "i4", "i5", "i6"],
    "category": ["shoes", "hats", "shoes", "hats", "", "boots"],
    "price": [9.0, 19.0, 29.0, float("nan"), 4.0, 99.0],
    "title": ["Red shoe", "BLUE hat", "red-blue shoe, new!", "", "跑鞋", "hat"],
}


def make_raw(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The tiny shop's configuration as plain data, with `{dotted key: value}` changed."""
    raw = copy.deepcopy(RAW)
    for key, value in (changes or {}).items():
        *parents, last = key.split(".")
        node = raw
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return raw


def make_config(changes: Mapping[str, Any] | None = None) -> Config:
    """The tiny shop's configuration, with `{dotted key: value}` changed."""
    return parse(make_raw(changes))


def make_model(changes: Mapping[str, Any] | None = None, policy: str = "float32") -> MultiTaskModel:
    """An untrained model of the tiny shop."""
    keras.utils.set_random_seed(1)
    return MultiTaskModel(make_config(changes), sizes(), policy)


def sizes(vocabularies: Mapping[str, list[str]] = VOCABULARIES) -> dict[str, int]:
    """Values by vocabulary."""
    return {name: len(values) for name, values in vocabularies.items()}


def write_analysis(
    directory: Path,
    vocabularies: Mapping[str, list[str]] = VOCABULARIES,
    moments: Mapping[str, Moments] = MOMENTS,
) -> Path:
    """Writes vocabularies and moments."""
    for name, values in vocabularies.items():
        write_vocabulary(directory, name, values)
    write_moments(directory, dict(moments))
    return directory


def raw_rows(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows as a log joined with its side tables has them, histories included."""
    random = np.random.default_rng(seed)
    item = random.integers(0, len(ITEMS["item_id"]), count)
    history = random.integers(0, len(ITEMS["item_id"]), (count, 3))
    history_ids = np.array([*ITEMS["item_id"], ""], object)
    history_categories = np.array([*ITEMS["category"], ""], object)
    history[np.arange(3)[None, :] >= random.integers(0, 4, count)[:, None]] = -1
    return {
        "user_id": random.choice(VOCABULARIES["user_id"], count).astype(object),
        "age": random.choice(["young", "old", ""], count).astype(object),
        **{name: np.array(values)[item] for name, values in ITEMS.items()},
        "query": random.choice(["", "red shoe", "hat", "green"], count).astype(object),
        "position": random.choice(["1", "2", "3"], count).astype(object),
        "discount": random.choice([0.0, 5.0, 20.0], count),
        "scenario": random.choice(["search", "feed"], count).astype(object),
        "click_history_item_id": history_ids[history],
        "click_history_category": history_categories[history],
        "row": item,
    }


def encode(preprocessor: Preprocessor, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Model inputs of raw rows, every feature as it was logged, `serve_as` left aside."""
    config = preprocessor.config
    made = {f.name: preprocessor.feature(f.name)(_tensor(raw[f.raw])) for f in config.features}
    for history in config.features.history:
        for of in history.of:
            name = history.input_name(of)
            made[name] = preprocessor.feature(of)(_tensor(raw[name]))
    if config.scenario:
        made["scenario"] = preprocessor.scenario(_tensor(raw[config.scenario.column]))
    return {name: tensor.numpy() for name, tensor in made.items()}


def _tensor(values: np.ndarray) -> tf.Tensor:
    if values.dtype.kind == "f":
        return tf.constant(values, tf.float32)
    return tf.constant(values.astype(object).tolist(), tf.string)


def labels(raw: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    """Labels of rows by task: carts exist in search only, stars after a click only."""
    random = np.random.default_rng(seed + 1000)
    count = len(raw["user_id"])
    click = (random.random(count) < 0.5).astype(np.float32)
    cart = np.where(raw["scenario"] == "search", random.random(count) < 0.3, np.nan)
    stars = np.where(click > 0, random.integers(1, 6, count), np.nan)
    return {"retrieve": click, "click": click, "cart": cart, "stars": stars}


def batch(
    preprocessor: Preprocessor, count: int = 16, seed: int = 0
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Inputs, labels and weights of one batch."""
    raw = raw_rows(count, seed)
    x = encode(preprocessor, raw)
    x["meta/item"] = raw["row"].astype(np.int32)
    x["meta/sampling_probability"] = np.full(count, 1 / 6, np.float32)
    y = {name: values.astype(np.float32) for name, values in labels(raw, seed).items()}
    return x, y, np.ones(count, np.float32)


def write_examples(
    directory: Path, preprocessor: Preprocessor, count: int, seed: int, row_group: int = 10
) -> None:
    """Writes one split of transformed examples, missing labels as nulls."""
    raw = raw_rows(count, seed)
    table = {name: _column(values) for name, values in encode(preprocessor, raw).items()}
    for task, values in labels(raw, seed).items():
        name = "meta/positive" if task == "retrieve" else f"label/{task}"
        table[name] = pa.array(values.astype(np.float32), from_pandas=True)
    table |= {
        "meta/item": pa.array(raw["row"].astype(np.int32)),
        "meta/sampling_probability": pa.array(np.full(count, 1 / 6, np.float32)),
        "meta/weight": pa.array(np.ones(count, np.float32)),
        "meta/user": pa.array(raw["user_id"].tolist()),
        "meta/time": pa.array(np.arange(count, dtype=np.int64)),
        "slice/age": pa.array(raw["age"].tolist()),
        "slice/scenario": pa.array(raw["scenario"].tolist()),
    }
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), directory / "part-0.parquet", row_group_size=row_group)


def write_catalogue(directory: Path, preprocessor: Preprocessor) -> None:
    """Writes the catalogue: every item's key, title and model inputs."""
    table = {"key": pa.array(ITEMS["item_id"]), "title": pa.array(ITEMS["title"])}
    for feature in preprocessor.config.features.item:
        values = preprocessor.feature(feature.name)(_tensor(np.array(ITEMS[feature.raw])))
        table[feature.name] = _column(values.numpy())
    table |= {f"raw/{name}": pa.array(values) for name, values in ITEMS.items()}
    table["meta/sampling_probability"] = pa.array(np.full(len(ITEMS["title"]), 1 / 6, np.float32))
    pq.write_table(pa.table(table), directory / "catalogue.parquet")


def _column(values: np.ndarray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def write_transformed(
    directory: Path,
    config: Config | None = None,
    vocabularies: Mapping[str, list[str]] = VOCABULARIES,
    moments: Mapping[str, Moments] = MOMENTS,
) -> Path:
    """Writes what Transform leaves: examples by split, catalogue, vocabularies, moments."""
    write_analysis(directory, vocabularies, moments)
    preprocessor = Preprocessor(config or make_config(), directory)
    for seed, (split, count) in enumerate({"train": 64, "validation": 20, "test": 40}.items()):
        write_examples(directory / split, preprocessor, count, seed)
    write_catalogue(directory, preprocessor)
    return directory
