"""Recommendations out of 100,000 items: retrieved, ranked and put in order in one request.

The model is the shop's, all features and a mixture of experts, with weights as they are at the
start: they take as long as trained ones. A request excludes what was seen and twenty items more.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

import tfmtl
from benchmarks.figures import Bar, Row
from benchmarks.serving_of.load import Load, write_requests
from benchmarks.serving_of.processes import clients, server, tfmtl_serve
from serving import signatures
from serving.exporting import write_saved_model
from serving.server.model import LoadedVersion
from tfmtl.config import Config, load
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.preprocessing.tables import Moments, write_moments, write_vocabulary

SHOP = Path(__file__).parents[2] / "pipelines" / "configs" / "shop.yaml"
MOST_MS = 15.0
_ITEMS, _CANDIDATES, _K = 100_000, 500, 50
_USERS, _BRANDS, _WORDS, _CATEGORIES = 50_000, 500, 3000, 40
_EXCLUDED, _HISTORY = 20, 20
_REQUESTS = 64


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Asks a server, one client after the other's answer; then the same model without it."""
    rounds, seconds = (2, 2.0) if quick else (5, 5.0)
    config = load(SHOP, [f"serving.recommend.candidates={_CANDIDATES}", "seed=7"])
    version = work / "run" / "serving" / config.served_name / "1"
    write_saved_model(*_model(config, work / "model"), version)
    asked = [_request(config, number) for number in range(_REQUESTS)]
    file = work / "requests.json"
    write_requests(file, [_proto(config, one) for one in asked])
    with (
        server(tfmtl_serve(work / "run"), work / "server.log") as serving,
        clients(work / "clients.log") as sender,
    ):
        sender.send(Load(serving.address, str(file), 1, 1.0))
        found = [sender.send(Load(serving.address, str(file), 1, seconds)) for _ in range(rounds)]
    failures = {text for answered in found for text in answered.failures}
    if failures:
        raise RuntimeError(f"requests failed: {failures}")
    p50 = statistics.median(answered.p50 for answered in found)
    rows = [
        Row(f"recommend, {_ITEMS:,} items, 1 client", p50, "ms p50"),
        Row("", statistics.median(answered.p99 for answered in found), "ms p99"),
        *_parts(config, version, asked, p50),
    ]
    return rows, [Bar("recommend, p50, ms", MOST_MS, p50, at_most=True)]


def _parts(
    config: Config, version: Path, asked: list[dict[str, np.ndarray]], p50: float
) -> list[Row]:
    """Where the time goes: the model without a server, and its halves as signatures."""
    loaded = LoadedVersion(version, 1)
    keys = [f"i{n}" for n in np.random.default_rng(1).integers(0, _ITEMS, _CANDIDATES)]
    candidates = np.array([keys], object)
    calls = {
        signatures.RECOMMEND: asked,
        signatures.RETRIEVE: [{**one, "k": np.array([_CANDIDATES], np.int32)} for one in asked],
        signatures.RANK: [{**one, config.source.log.item: candidates} for one in asked],
    }
    times = {name: _median_ms(_call(loaded, name), requests) for name, requests in calls.items()}
    recommend, retrieve, rank = times.values()
    return [
        Row("of that, the model", recommend, "ms p50"),
        Row("of that, gRPC and the server", p50 - recommend, "ms p50"),
        Row(f"retrieve alone, {_CANDIDATES}", retrieve, "ms p50"),
        Row(f"rank alone, {_CANDIDATES}", rank, "ms p50"),
    ]


def _call(loaded: LoadedVersion, name: str) -> Callable[[dict[str, np.ndarray]], object]:
    signature = loaded.signatures[name]
    preset = {n: tf.make_ndarray(proto) for n, proto in signature.defaults.items()}
    fetches = [info.name for info in signature.outputs.values()]

    def call(request: dict[str, np.ndarray]) -> object:
        values = {**preset, **{n: v for n, v in request.items() if n in signature.inputs}}
        feeds = {signature.inputs[n].name: value for n, value in values.items()}
        return loaded.run(feeds, fetches)

    return call


def _median_ms(
    call: Callable[[dict[str, np.ndarray]], object], requests: list[dict[str, np.ndarray]]
) -> float:
    took = []
    for place in range(4 * len(requests)):
        began = time.perf_counter()
        call(requests[place % len(requests)])
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took[len(requests) :])


def _model(config: Config, work: Path) -> tuple[MultiTaskModel, Path]:
    """The shop's model over its large catalogue, and its directory."""
    random = np.random.default_rng(config.seed)
    words = [f"word{n}" for n in range(_WORDS)]
    values = {
        "user_id": [f"u{n}" for n in range(_USERS)],
        "item_id": [f"i{n}" for n in range(_ITEMS)],
        "category": [f"category{n}" for n in range(_CATEGORIES)],
        "brand": [f"brand{n}" for n in range(_BRANDS)],
        "age_band": [f"age{n}" for n in range(6)],
        "region": [f"region{n}" for n in range(20)],
        "device": ["phone", "desktop", "tablet"],
        "position": [str(n) for n in range(1, 31)],
        "words": words,
    }
    for name, own in values.items():
        write_vocabulary(work, name, own)
    write_moments(work, {"price": Moments(3.0, 1.0)})
    raw = {
        "item_id": np.array(values["item_id"], object),
        "category": random.choice(values["category"], _ITEMS).astype(object),
        "brand": random.choice(values["brand"], _ITEMS).astype(object),
        "price": np.exp(random.normal(3, 1, _ITEMS)).astype(np.float32),
        "title": np.array([" ".join(row) for row in random.choice(words, (_ITEMS, 4))], object),
    }
    preprocessor = Preprocessor(config, work)
    table: dict[str, object] = {"key": raw["item_id"], "title": raw["title"]}
    for made in config.features.inputs.values():
        if made.reads[0].side == "item":
            columns = [tf.constant(raw[read.column]) for read in made.reads]
            table[made.name] = _column(preprocessor.feature(made.name)(*columns).numpy())
    table |= {f"raw/{name}": pa.array(column) for name, column in raw.items()}
    pq.write_table(pa.table(table), work / "catalogue.parquet")
    keras.utils.set_random_seed(config.seed)
    model = MultiTaskModel(config, {name: len(own) for name, own in values.items()})
    tfmtl.save_model(model, work / "home", work)
    return model, work / "home"


def _column(values: np.ndarray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _request(config: Config, number: int) -> dict[str, np.ndarray]:
    """What a user asks."""
    random = np.random.default_rng(number)

    def some(name: str, values: int, count: int) -> np.ndarray:
        return np.array([[f"{name}{n}" for n in random.integers(0, values, count)]], object)

    history = config.features.history[0]
    of = {
        "item_id": ("i", _ITEMS),
        "category": ("category", _CATEGORIES),
        "brand": ("brand", _BRANDS),
    }
    request = {name: some(*of[feature], _HISTORY) for name, feature in history.item_inputs.items()}
    assert config.scenario
    return request | {
        "user_id": some("u", _USERS, 1)[0],
        "age_band": some("age", 6, 1)[0],
        "region": some("region", 20, 1)[0],
        "device": np.array(["phone"], object),
        "query": np.array([" ".join(some("word", _WORDS, 2)[0])], object),
        config.scenario.column: np.array([config.scenario.values[number % 3]], object),
        signatures.EXCLUDE: some("i", _ITEMS, _EXCLUDED),
        signatures.K: np.array([_K], np.int32),
    }


def _proto(config: Config, values: dict[str, np.ndarray]) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = config.served_name
    request.model_spec.signature_name = signatures.RECOMMEND
    for name, array in values.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return request.SerializeToString()
