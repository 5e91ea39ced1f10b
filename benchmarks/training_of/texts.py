"""What frozen encoders of texts cost: a training step once vectors are kept, and making them.

The step is that of the work, 20 features and an MMoE, with a title beside them; batches come from
Parquet files as in a run. Texts, CrowdFlower's titles below $TFMTL_DATA, are encoded by
all-MiniLM-L6-v2, in turns with sentence-transformers.
"""

import csv
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from benchmarks.figures import Bar, Row
from benchmarks.quality_of.crowdflower import minilm
from benchmarks.training_of import workload
from benchmarks.training_of.environments import python_of
from benchmarks.training_of.peers.tfmtl_mmoe import RESERVED, configure
from benchmarks.training_of.work import PEERS, Worker
from tfmtl.config import Config, parse
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.encoders import ENCODERS, encoding_name, write_encoders
from tfmtl.preprocessing.text_vectors import vectors_path
from tfmtl.training.examples import read_examples

PEER, OURS = "sentence-transformers", "tfmtl"
NONE, VECTOR, FROZEN = "no title", "vector in the rows", "frozen encoder"
_WIDTH, _TEXTS = 384, 50_000
_TITLE: dict[str, Any] = {"name": "title", "dim": workload.DIM}
_FEATURES: dict[str, dict[str, Any] | None] = {
    NONE: None,
    VECTOR: {**_TITLE, "kind": "vector", "size": _WIDTH},
    FROZEN: {
        **_TITLE,
        "kind": "text",
        "length": 64,
        "encoder": {"kind": "pretrained", "checkpoint": "all-MiniLM-L6-v2"},
    },
}


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """A step with and without, then both libraries' encoding."""
    took = _steps(work, rounds=12 if quick else 60)
    rows = [Row(f"step, {name}", 1e3 * seconds, "ms") for name, seconds in took.items()]
    cost = took[FROZEN] / took[NONE]
    bars = [Bar("step with a frozen text over one without", 1.1, cost, at_most=True)]
    speed, cosine = _encoding(work, quick)
    rows += [Row(f"encoding, {name}", value, "texts/s") for name, value in speed.items()]
    rows.append(Row("encoding, least cosine of the two libraries' vectors", cosine, ""))
    bars.append(Bar(f"texts/s over {PEER}'s", 1.0, speed[OURS] / speed[PEER]))
    return rows, bars


def _steps(work: Path, rounds: int) -> dict[str, float]:
    """Median seconds a step, with the reading of its batch, in turns."""
    batches, models, taken = {}, {}, {}
    for place, (name, feature) in enumerate(_FEATURES.items()):
        config = _configured(feature)
        directory = work / f"texts-{place}"
        _write(config, directory, feature)
        models[name] = _step(config, directory)
        batches[name] = _endless(read_examples(directory / "train", config))
        models[name](next(batches[name]))
        taken[name] = []
    random = np.random.default_rng(0)
    for _ in range(rounds):
        for name in random.permutation(list(models)):
            began = time.perf_counter()
            models[name](next(batches[name]))
            taken[name].append(time.perf_counter() - began)
    return {name: median(found) for name, found in taken.items()}


def _endless(dataset: tf.data.Dataset) -> Iterator[Any]:
    while True:
        for x, y, weights in dataset:
            if len(weights) == workload.BATCH:
                yield x, y, weights


def _configured(feature: Mapping[str, Any] | None) -> Config:
    training = {"batch_size": workload.BATCH, "optimizer": {"tables": {"kind": "lazy_adam"}}}
    raw = configure(workload.TASKS, training).model_dump(mode="json")
    raw["features"]["item"] += [feature] if feature else []
    return parse(raw)


def _step(config: Config, directory: Path) -> Any:
    sizes = {f"f{i}": size for i, size in enumerate(workload.SIZES)}
    encoders = {"all-MiniLM-L6-v2": {"fingerprint": "0" * 32, "width": _WIDTH}}
    model = MultiTaskModel(config, sizes, "float32", encoders)
    model.compile(optimizer=build_optimizer(config.training.optimizer))
    step = tf.function(model.train_step)
    return lambda data: {name: figure.numpy() for name, figure in step(data).items()}


def _write(config: Config, directory: Path, feature: Mapping[str, Any] | None) -> None:
    """Rows of the work with a title, in the layout that Transform leaves."""
    rows = 16 * workload.BATCH
    ids, labels, _ = workload.make(rows, seed=4)
    columns = {f"f{i}": pa.array(ids[:, i] + RESERVED) for i in range(ids.shape[1])}
    for place, task in enumerate(workload.TASKS):
        columns[f"label/{task}"] = pa.array(labels[:, place])
    columns["meta/weight"] = pa.array(np.ones(rows, np.float32))
    random = np.random.default_rng(5)
    titles = random.integers(0, _TEXTS, rows).astype(np.int32)
    vectors = random.normal(0, 0.05, (_TEXTS, _WIDTH)).astype(np.float32)
    (directory / ENCODERS).mkdir(parents=True, exist_ok=True)
    if feature and feature["kind"] == "text":
        columns["title"] = pa.array(titles)
        known = {"all-MiniLM-L6-v2": {"fingerprint": "0" * 32, "width": _WIDTH}}
        write_encoders(directory, known)
        text: Any = config.features.by_name["title"]
        path = vectors_path(directory, encoding_name(directory, text))
        path.parent.mkdir(exist_ok=True)
        np.save(path, vectors)
    elif feature:
        flat = pa.array(vectors[titles].ravel())
        columns["title"] = pa.FixedSizeListArray.from_arrays(flat, _WIDTH)
    (directory / "train").mkdir(exist_ok=True)
    path = directory / "train" / "part-00000.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=16_384)


def _encoding(work: Path, quick: bool) -> tuple[dict[str, float], float]:
    """Texts a second by library, and the least cosine between their vectors of a text."""
    texts = _titles()[: 256 if quick else 2048]
    path = work / "texts.json"
    path.write_text(json.dumps(texts), encoding="utf-8")
    script = PEERS / "encoded_texts.py"
    pythons = {OURS: Path(sys.executable), PEER: python_of(PEER)}
    workers = {
        name: Worker([python, script, name, path, minilm()], work / f"texts-{name}.log")
        for name, python in pythons.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(4 if quick else 6):
        for name, worker in workers.items():
            taken[name].append(worker.ask("epoch")["seconds"])
    vectors = []
    for name, worker in workers.items():
        worker.ask(f"predict {work / f'texts-{name}.npy'}")
        made = np.load(work / f"texts-{name}.npy")
        vectors.append(made / np.linalg.norm(made, axis=1, keepdims=True))
        worker.close()
    # The first round traces and allocates, in both libraries.
    speed = {name: len(texts) / median(found[1:]) for name, found in taken.items()}
    return speed, float((vectors[0] * vectors[1]).sum(axis=1).min())


def _titles() -> list[str]:
    """Different product titles of the CrowdFlower data."""
    path = Path(os.environ.get("TFMTL_DATA", "data")) / "crowdflower" / "relevance.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: expected the CrowdFlower data; TFMTL_DATA is the directory that holds it"
        )
    with path.open(encoding="utf-8", newline="") as file:
        return list(dict.fromkeys(row["product_title"] for row in csv.DictReader(file)))
