"""The index over a million items, whose vectors this project has trained.

The simulated shop has a million items and 300,000 impressions. The pipeline reads its logs, splits
them by time and trains the shop's retrieval task alone, with an item tower of the items' features
without their ids, of which nearly all would have been seen once or never. Queries are positives of
the test split; the index has chosen its probes by those of the validation split.

What is timed is a SavedModel in a v1 session, called as a server calls it, one query at a time,
all indexes in turns.
"""

import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import tensorflow as tf
from rich.console import Console
from tensorflow.core.protobuf import config_pb2

from benchmarks.figures import Bar, Row
from pipelines.commands.common import load_config
from pipelines.pipeline import components
from pipelines.runner import run
from pipelines.simulator import simulate
from serving.index.building import build_index
from serving.index.interface import Index
from serving.index.probing import best_places
from tfmtl.config import Index as IndexSpec
from tfmtl.models.catalogue import catalogue_inputs, column_array, embed_items, in_batches
from tfmtl.models.queries import held_out_queries
from tfmtl.models.saved import CATALOGUE, load_model

LEAST_TIMES = 10.0
LEAST_RECALL = 0.98
AT = 100

_EXACT, _INVERTED = ("exact", "float32"), ("inverted_file", "float32")
_INDEXES = [_EXACT, _INVERTED] + [
    (kind, storage) for storage in ("bfloat16", "int8") for kind in ("exact", "inverted_file")
]
_CHANGES = [
    "tasks={retrieve: {kind: retrieval, positive: click}}",
    "scenario=null",
    "gate=[]",
    "serving={name: shop}",
    "evaluation={top_k: [100]}",
    "model.balancer={kind: static}",
    "model.retrieval.item=[category, brand, price, title_words]",
    "training.epochs=5",
]

Session = Callable[[np.ndarray], list[np.ndarray]]


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Trains, builds the indexes, asks each the same queries in turns."""
    items, impressions, rounds = (100_000, 60_000, 50) if quick else (1_000_000, 300_000, 200)
    vectors, held_out, asked, seed = _trained(work, items, impressions)
    best = best_places(vectors, asked, AT)
    rows, sessions = [], {}
    for kind, storage in _INDEXES:
        name = f"{kind} {storage}"
        spec = IndexSpec(kind=kind, storage=storage, recall=LEAST_RECALL, at=AT)
        began = time.monotonic()
        index = build_index(spec, vectors, held_out, seed)
        rows.append(Row(f"{name}, built and measured in", time.monotonic() - began, "s"))
        about = index.about()
        if "probes" in about:
            rows.append(
                Row(f"{name}, cells looked into of {about['cells']:,}", about["probes"], "")
            )
        rows.append(Row(f"{name}, kept in", about["bytes"] / 1e6, "MB"))
        _export(index, work / f"{kind}-{storage}")
        sessions[kind, storage] = _session(work / f"{kind}-{storage}")
    recalls = {one: _recall(session, asked, best) for one, session in sessions.items()}
    took = _timed(sessions, asked, rounds)
    for one in _INDEXES:
        name = " ".join(one)
        rows.append(Row(f"{name}, recall@{AT}, {len(asked)} queries", recalls[one], ""))
        rows.append(Row(f"{name}, one query", 1000 * median(took[one]), "ms p50"))
    times = median(took[_EXACT]) / median(took[_INVERTED])
    size = f"{items:,} x {vectors.shape[1]}"
    return rows, [
        Bar(f"inverted file, times as fast as exact, {size}, batch 1", LEAST_TIMES, times),
        Bar(f"inverted file, recall@{AT}, {size}", LEAST_RECALL, recalls[_INVERTED]),
    ]


def _trained(
    work: Path, items: int, impressions: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, int]:
    """Vectors of the items, of queries of the validation split and of the test split; the seed."""
    logs, output = work / "logs", work / "run"
    simulate(logs, impressions, 7, 0, impressions // 15, items)
    config = load_config("shop", _CHANGES)
    steps = components(config)
    last = next(place for place, step in enumerate(steps) if step.name == "Trainer")
    run(steps[: last + 1], config, logs, output, Console(file=StringIO()))
    home = output / "artifacts" / "model"
    model = load_model(home)
    vectors = embed_items(model, catalogue_inputs(model, pq.read_table(home / CATALOGUE)))
    test = ds.dataset(output / "artifacts" / "transformed" / "test", format="parquet")
    names = model.config.query_features
    rows = test.to_table(columns=names, filter=ds.field("meta/positive") > 0).slice(0, 1000)
    inputs = {name: column_array(rows[name], model.inputs_spec[name]) for name in names}
    asked = in_batches(model.query_vectors, inputs)
    return vectors, held_out_queries(model, home), asked, config.seed


def _export(index: Index, directory: Path) -> None:
    def search(queries: tf.Tensor) -> dict[str, tf.Tensor]:
        places, scores = index.search(queries, tf.constant(AT))
        return {"places": places, "scores": scores}

    spec = tf.TensorSpec([None, index.dim], tf.float32, "queries")
    traced = tf.function(search).get_concrete_function(spec)
    tf.saved_model.save(index, str(directory), {"search": traced})


def _session(directory: Path) -> Session:
    """Calls a SavedModel through a v1 session; `queries` to `places` and `scores`."""
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(directory))
    signature = meta.signature_def["search"]
    options = config_pb2.CallableOptions()
    options.feed.append(signature.inputs["queries"].name)
    options.fetch.extend(signature.outputs[name].name for name in ("places", "scores"))
    return session._make_callable_from_options(options)


def _recall(session: Session, queries: np.ndarray, best: np.ndarray) -> float:
    found = np.concatenate([session(query[None])[0] for query in queries])
    pairs = zip(found.tolist(), best.tolist(), strict=True)
    return float(np.mean([len({*row} & {*wanted}) / AT for row, wanted in pairs]))


def _timed(
    sessions: dict[tuple[str, str], Session], queries: np.ndarray, rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Seconds of each call, the indexes in turns."""
    took: dict[tuple[str, str], list[float]] = {one: [] for one in sessions}
    for place in range(rounds):
        query = queries[place % len(queries)][None]
        for one, session in sessions.items():
            session(query)  # what another index has driven out of the caches comes back
            began = time.perf_counter()
            session(query)
            took[one].append(time.perf_counter() - began)
    return took
