"""Recommendations over a small catalogue, against a plain search through all of its items."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

import tfmtl
from serving.exporting import _parts, write_saved_model
from serving.index.clustering import cluster
from serving.index.inverted_file import InvertedFile
from serving.served_model.module import ServedModel
from serving.served_model.parts import Parts
from serving.server.model import LoadedVersion
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_preprocessor
from tfmtl.preprocessing.preprocessor import Preprocessor

COUNT, USERS, CANDIDATES = 30, 5, 8
RANDOM = np.random.default_rng(3)
KEYS = [f"i{n}" for n in range(COUNT)]
ITEMS = {
    "item_id": KEYS,
    "category": RANDOM.choice(["shoes", "hats", "", "boots"], COUNT).tolist(),
    "price": RANDOM.choice([math.nan, 5.0, 9.0, 30.0, 200.0], COUNT).tolist(),
    "title": RANDOM.choice(["red shoe", "hat", "", "blue"], COUNT).tolist(),
    "bid": RANDOM.exponential(size=COUNT).tolist(),
    "stock": RANDOM.choice([0.0, 1.0, 3.0, math.nan], COUNT, p=[0.1, 0.7, 0.1, 0.1]).tolist(),
}
VOCABULARIES = {**tiny.VOCABULARIES, "item_id": KEYS[:25]}
SERVING = {
    "signatures": ["recommend"],
    "columns": {"bid": "number", "stock": "number"},
    "fuse": {
        "formula": "click * price ** a + 0.1 * retrieval_score",
        "parameters": {"a": 0.3},
        "scenarios": {"feed": "1000 * click * bid + stars * a * 0"},
    },
    "recommend": {
        "k": 4,
        "candidates": CANDIDATES,
        "filters": ["category", "price"],
        "available": "stock",
    },
}


def make(directory: Path, changes: dict[str, Any]) -> Parts:
    """A model of random weights and what its functions are made of."""
    config = tiny.make_config({"serving": SERVING, **changes})
    classes = {f"label.{name}": task.values for name, task in config.class_tasks.items()}
    vocabularies = {**VOCABULARIES, **classes}
    tiny.write_analysis(directory, vocabularies)
    model = MultiTaskModel(config, tiny.sizes(vocabularies))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    preprocessor = Preprocessor(config, directory)
    table: dict[str, Any] = {"key": KEYS, "title": ITEMS["title"]}
    for feature in config.features.item:
        raw = np.array(ITEMS[feature.raw], "f" if feature.name == "price" else object)
        values = preprocessor.feature(feature.name)(tf.constant(raw.tolist())).numpy()
        table[feature.name] = values.tolist()
        if values.ndim == 2:
            table[feature.name] = pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel()), values.shape[1]
            )
    table |= {f"raw/{name}": values for name, values in ITEMS.items()}
    pq.write_table(pa.table(table), directory / "catalogue.parquet")
    home = directory / "home"
    tfmtl.save_model(model, home, directory)
    return _parts(model, load_preprocessor(home), home, directory, None)


def function(parts: Parts) -> tuple[Callable[..., Any], Any]:
    """The signature's function, and the signature."""
    served = ServedModel(parts).served["recommend"]
    return parts.traced(served.function, served.spec), served


@dataclasses.dataclass
class Shop:
    """The signature and what it should know of users and items.

    Attributes:
        functions: the signature by index.
        defaults: of its inputs.
        raw: five users.
        values: name -> `[users, items]`.
    """

    functions: dict[str, Callable[..., Any]]
    served: Any
    raw: dict[str, np.ndarray]
    values: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    directory = tmp_path_factory.mktemp("recommend")
    parts = make(directory, {})
    model = parts.model
    raw = tiny.raw_rows(USERS, seed=4)
    raw["user_id"][0] = "nobody"
    raw["scenario"] = np.array(["search", "feed", "feed", "search", "nowhere"], object)
    user, item = np.repeat(np.arange(USERS), COUNT), np.tile(np.arange(COUNT), USERS)
    rows = {name: values[user] for name, values in raw.items()}
    rows |= {name: np.array(values)[item] for name, values in ITEMS.items()}
    rows["position"] = np.array(["1"] * len(user), object)
    inputs = {n: tf.constant(v) for n, v in tiny.encode(parts.preprocessor, rows).items()}
    predictions = {**model.rank(inputs), "retrieval_score": model(inputs)["retrieve"]}
    values = {name: v.numpy().reshape(USERS, COUNT) for name, v in predictions.items()}
    values |= {n: np.tile(np.array(ITEMS[n], "f"), (USERS, 1)) for n in ("price", "bid")}
    vectors = parts.index.stored.whole().numpy()
    cells = InvertedFile(vectors, cluster(vectors, 6, 1), "float32")
    cells.probes = 2
    exact, served = function(parts)
    probed, _ = function(dataclasses.replace(parts, index=cells))
    return Shop({"exact": exact, "inverted_file": probed}, served, raw, values)


some_keys = st.lists(st.sampled_from([*KEYS, "", "nothing"]), max_size=40)
requests = st.fixed_dictionaries(
    {
        "user": st.integers(0, USERS - 1),
        "k": st.integers(-1, 40),
        "exclude": some_keys,
        "only": st.one_of(st.just([]), st.just([]), some_keys),
        "exclude_seen": st.booleans(),
        "allow_category": st.lists(st.sampled_from(["hats", "shoes", "x", ""]), max_size=3),
        "deny_category": st.lists(st.sampled_from(["hats", "boots", "x", ""]), max_size=3),
        "min_price": st.sampled_from([math.nan, math.nan, 9.0, 1000.0]),
        "max_price": st.sampled_from([math.nan, math.nan, 9.0, 100.0]),
        "fuse_a": st.sampled_from([math.nan, 0.0, -1.0]),
    }
)


def tensors(shop: Shop, batch: list[dict[str, Any]]) -> dict[str, tf.Tensor]:
    users = [request["user"] for request in batch]
    made = {}
    for name, spec in shop.served.spec.items():
        if name in batch[0]:
            values = [request[name] for request in batch]
            if spec.shape.rank == 2:
                width = max(map(len, values))
                values = np.array([v + [""] * (width - len(v)) for v in values], object)
                values = values.reshape(len(batch), width)
            made[name] = tf.constant(values, spec.dtype)
        else:
            made[name] = tf.constant(shop.raw[name][users], spec.dtype)
    return made


def allowed(shop: Shop, request: dict[str, Any], place: int) -> bool:
    key, category, price = KEYS[place], ITEMS["category"][place], ITEMS["price"][place]
    seen = shop.raw["click_history_item_id"][request["user"]]
    unwanted = [*request["exclude"], *(seen if request["exclude_seen"] else [])]
    only, allow = (
        [value for value in request[name] if value] for name in ("only", "allow_category")
    )
    low, high = request["min_price"], request["max_price"]
    return (
        ITEMS["stock"][place] > 0
        and key not in unwanted
        and (not only or key in only)
        and (not allow or category in allow)
        and (not category or category not in request["deny_category"])
        and (math.isnan(low) or price >= low)
        and (math.isnan(high) or price <= high)
    )


def fused(shop: Shop, request: dict[str, Any]) -> np.ndarray:
    """The formula of the request's scenario for every item, `[items]`."""
    user = request["user"]
    values = {name: v[user].astype(np.float64) for name, v in shop.values.items()}
    if shop.raw["scenario"][user] == "feed":
        return 1000 * values["click"] * values["bid"]
    a = 0.3 if math.isnan(request["fuse_a"]) else request["fuse_a"]
    scores = values["click"] * values["price"] ** a + 0.1 * values["retrieval_score"]
    return np.where(np.isnan(scores), -np.inf, scores)


def check(
    shop: Shop, request: dict[str, Any], answer: dict[str, np.ndarray], row: int, exact: bool = True
) -> None:
    """One row of an answer, against a search through all items. An index that is not exact may
    hand other items to ranking, but no fewer."""
    k = min(max(request["k"], 1), COUNT)
    retrieval = shop.values["retrieval_score"][request["user"]]
    candidates = [place for place in range(COUNT) if allowed(shop, request, place)]
    if exact:
        candidates.sort(key=lambda place: -retrieval[place])
        candidates = candidates[: max(k, CANDIDATES)]
    scores, count = fused(shop, request), answer["count"][row]
    assert count == min(k, len(candidates))
    places = [KEYS.index(key.decode()) for key in answer["item_id"][row, :count]]
    expected = sorted(scores[candidates if exact else places], reverse=True)[:k]
    np.testing.assert_allclose(answer["score"][row, :count], expected, rtol=1e-4, atol=1e-5)
    assert len(set(places)) == count
    assert set(places) <= set(candidates)
    np.testing.assert_allclose(answer["score"][row, :count], scores[places], rtol=1e-4, atol=1e-5)
    for name in ("click", "cart", "stars", "retrieval_score"):
        own = shop.values[name][request["user"]][places]
        np.testing.assert_allclose(answer[name][row, :count], own, rtol=1e-4, atol=1e-5)
        assert not answer[name][row, count:].any()
    assert not answer["score"][row, count:].any()
    assert set(answer["item_id"][row, count:]) <= {b""}


@pytest.mark.parametrize("index", ["exact", "inverted_file"])
@settings(max_examples=60, deadline=None)
@given(st.lists(requests, min_size=1, max_size=3))
def test_the_best_of_what_is_allowed(shop: Shop, index: str, batch: list[dict[str, Any]]) -> None:
    found = shop.functions[index](**tensors(shop, batch))
    answer = {name: values.numpy() for name, values in found.items()}
    assert set(answer) == {
        *("item_id", "score", "retrieval_score", "count"),
        *("click", "cart", "stars"),
    }
    width = min(max(1, *(request["k"] for request in batch)), COUNT)
    assert {name: v.shape for name, v in answer.items() if name != "count"} == dict.fromkeys(
        answer.keys() - {"count"}, (len(batch), width)
    )
    for row, request in enumerate(batch):
        check(shop, request, answer, row, index == "exact")


PLAIN = {
    **{name: [] for name in ("exclude", "only", "allow_category", "deny_category")},
    **dict.fromkeys(("min_price", "max_price", "fuse_a"), math.nan),
    "user": 1,
    "exclude_seen": True,
}


def test_defaults_are_as_nothing_said(shop: Shop) -> None:
    user = {n: v[1:2] for n, v in shop.raw.items() if n in shop.served.spec}
    given = {**shop.served.defaults, **user}
    assert set(shop.served.spec) - set(shop.served.defaults) == {"user_id"}
    made = {n: tf.constant(given[n], one.dtype) for n, one in shop.served.spec.items()}
    answer = {name: v.numpy() for name, v in shop.functions["exact"](**made).items()}
    assert answer["item_id"].shape == (1, 4)
    check(shop, {**PLAIN, "k": 4}, answer, 0)


def test_one_row_of_defaults_serves_many_users(shop: Shop) -> None:
    users = {n: v for n, v in shop.raw.items() if n in shop.served.spec}
    given = {**shop.served.defaults, **users}
    made = {n: tf.constant(given[n], one.dtype) for n, one in shop.served.spec.items()}
    answer = {name: v.numpy() for name, v in shop.functions["exact"](**made).items()}
    for user in range(USERS):
        check(shop, {**PLAIN, "user": user, "k": 4}, answer, user)


def test_nobody_asks(shop: Shop) -> None:
    made = {
        name: tf.zeros([0, *[0] * (spec.shape.rank - 1)], spec.dtype)
        for name, spec in shop.served.spec.items()
    }
    answer = shop.functions["exact"](**made)
    assert {int(v.shape[0]) for v in answer.values()} == {0}


def test_retrieval_alone(tmp_path: Path) -> None:
    tasks = {"retrieve": tiny.RAW["tasks"]["retrieve"]}
    serving = {"recommend": {"k": 3, "available": "stock"}, "columns": {"stock": "number"}}
    parts = make(tmp_path, {"tasks": tasks, "serving": serving})
    recommend, served = function(parts)
    raw = {n: tf.constant(v, served.spec[n].dtype) for n, v in served.defaults.items()}
    answer = recommend(**{**raw, "user_id": tf.constant(["ann"])})
    assert set(answer) == {"item_id", "score", "retrieval_score", "count"}
    assert answer["score"].numpy().tolist() == answer["retrieval_score"].numpy().tolist()
    assert answer["count"].numpy().tolist() == [3]
    assert np.all(np.diff(answer["score"].numpy()) <= 0)


def test_ranking_alone_ranks_a_small_catalogue(tmp_path: Path) -> None:
    tasks = {
        "click": {"kind": "binary", "label": "click"},
        "season": {"kind": "multi_class", "label": "season", "values": ["summer", "winter"]},
    }
    serving = {"columns": SERVING["columns"], "recommend": {"candidates": 30, "available": "stock"}}
    parts = make(tmp_path, {"tasks": tasks, "serving": serving})
    recommend, served = function(parts)
    raw = {n: tf.constant(v, served.spec[n].dtype) for n, v in served.defaults.items()}
    raw |= {"user_id": tf.constant(["ann"]), "k": tf.constant([COUNT])}
    answer = {name: v.numpy() for name, v in recommend(**raw).items()}
    there = {key.encode() for key, stock in zip(KEYS, ITEMS["stock"], strict=True) if stock > 0}
    count = int(answer["count"][0])
    assert set(answer["item_id"][0, :count]) == there
    assert answer["season"].shape == (1, COUNT, 2)
    np.testing.assert_allclose(answer["season"][0, :count].sum(axis=1), 1, rtol=1e-5)
    assert not answer["season"][0, count:].any()
    assert answer["season_classes"].shape == (1, COUNT, 2)
    assert "retrieval_score" not in answer
    assert np.all(np.diff(answer["click"][0, :count]) <= 0)


def test_a_large_catalogue_needs_retrieval(tmp_path: Path) -> None:
    tasks = {"click": {"kind": "binary", "label": "click"}}
    serving = {"recommend": {"candidates": 29}}
    parts = make(tmp_path, {"tasks": tasks, "serving": serving})
    assert "recommend" not in ServedModel(parts).served


def test_a_saved_model_answers_alike(tmp_path: Path) -> None:
    parts = make(tmp_path, {})
    recommend, served = function(parts)
    write_saved_model(parts.model, tmp_path / "home", tmp_path / "1")
    loaded = LoadedVersion(tmp_path / "1", 1)
    signature = loaded.signatures["recommend"]
    assert set(signature.defaults) == set(served.defaults)
    raw = tiny.raw_rows(USERS, seed=4)
    changes = {"exclude": np.full((1, 1), "i3", object), "max_price": np.array([30.0], np.float32)}
    given = {**served.defaults, **{n: v for n, v in raw.items() if n in served.spec}, **changes}
    feeds = {
        signature.inputs[n].name: np.asarray(given[n], one.dtype.as_numpy_dtype)
        for n, one in served.spec.items()
    }
    names = list(signature.outputs)
    found = loaded.run(feeds, [signature.outputs[name].name for name in names])
    made = {n: tf.constant(given[n], one.dtype) for n, one in served.spec.items()}
    expected = recommend(**made)
    for name, values in zip(names, found, strict=True):
        if name == "item_id":
            assert values.tolist() == expected[name].numpy().tolist()
        else:
            np.testing.assert_allclose(values, expected[name].numpy(), rtol=1e-4, atol=1e-5)
    loaded.close()
