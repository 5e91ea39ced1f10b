"""The training reader: from Parquet as Transform writes it to shuffled batches of 1,024 rows.

A row has 12 integers, 4 floats, a history of 20 ids and 3 labels; integers and histories are drawn
by Zipf's law. Batches are consumed by TensorFlow, as in training.
"""

import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa

from benchmarks.figures import Bar, Row
from benchmarks.preprocess_of.measuring import median
from pipelines.preprocess.writing import ROW_GROUP, write_parquet
from tfmtl.config import Config, parse
from tfmtl.preprocessing import columns

LEAST_SPEED, BATCH, LAST = 1e6, 1_024, 20
IDS = ("user", "item", *[f"id{i}" for i in range(9)])
NUMBERS = tuple(f"number{i}" for i in range(4))
LABELS = ("click", "cart", "purchase")


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Reads all rows, several times."""
    import tensorflow as tf

    from tfmtl.training.examples import read_examples

    rows, rounds = (200_000, 3) if quick else (2_000_000, 5)
    write(work / "train", rows)
    batches = read_examples(work / "train", config(), batch_size=BATCH)

    @tf.function
    def read() -> Any:
        total = tf.constant(0.0)
        for _, labels, _ in batches:
            total += labels["click"][0]
        return total

    seconds = []
    for _ in range(rounds + 1):
        began = time.process_time()
        read()
        seconds.append(time.process_time() - began)
    # The first time builds the graph.
    speed = rows / median(seconds[1:])
    return [Row("reading, shuffled batches", speed, "rows/CPU s")], [
        Bar("rows/CPU s of the training reader", LEAST_SPEED, speed)
    ]


def config() -> Config:
    """The configuration that the rows are read with: 11 ids and the scenario are 12 integers."""
    features = [{"name": name, "kind": "id"} for name in IDS]
    numbers = [{"name": name, "kind": "numeric"} for name in NUMBERS]
    raw: dict[str, Any] = {
        "name": "reading",
        "source": {
            "impressions": {"path": "log.csv", "time": "time", "user": "user", "item": "item"}
        },
        "features": {
            "user": features[:1],
            "item": features[1:2],
            "context": [*features[2:], *numbers],
            "history": [{"of": ["item"], "where": "click", "last": LAST}],
        },
        "scenario": {"column": "scenario", "values": ["search", "feed"]},
        "tasks": {label: {"kind": "binary", "label": label} for label in LABELS},
    }
    return parse(raw)


def write(directory: Path, rows: int) -> None:
    """Writes rows in files and row groups as Transform does."""
    random = np.random.default_rng(1)

    def ids(count: int) -> pa.Array:
        return pa.array(np.minimum(random.zipf(1.3, count), 10_000).astype(np.int32))

    shard = 8 * ROW_GROUP
    for number, start in enumerate(range(0, rows, shard)):
        count = min(shard, rows - start)
        table: dict[str, pa.Array] = {name: ids(count) for name in (*IDS, columns.SCENARIO)}
        for name in NUMBERS:
            table[name] = pa.array(random.normal(size=count).astype(np.float32))
        (history,) = config().features.history
        (name,) = history.input_names
        table[name] = pa.FixedSizeListArray.from_arrays(ids(count * LAST), LAST)
        for label in LABELS:
            values = (random.random(count) < 0.1).astype(np.float32)
            table[columns.label(label)] = pa.array(values, mask=random.random(count) < 0.05)
        table[columns.WEIGHT] = pa.array(np.ones(count, np.float32))
        table[columns.USER] = ids(count).cast(pa.string())
        table[columns.TIME] = pa.array(np.arange(start, start + count))
        write_parquet(pa.table(table), directory / f"part-{number:05d}.parquet", ROW_GROUP)
