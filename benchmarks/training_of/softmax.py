"""What a catalogue's size costs a retrieval task: softmax over 10,000 items and over 1,000,000."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.figures import Bar, Row
from benchmarks.training_of.steps import seconds, training_step
from tfmtl.config import parse
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing import columns
from tfmtl.training.precision import dtype_policy

ITEMS = (10_000, 1_000_000)
USERS = 100_000
BATCH = 4096
DIM = 64
SAMPLED: dict[str, Any] = {"kind": "sampled", "negatives": 2048}


def _model(items: int, loss: Any) -> MultiTaskModel:
    """A matrix factorisation of users and items, trained by a loss over the catalogue."""
    config = parse(
        {
            "name": "softmax",
            "source": {"impressions": {"path": "log.csv"}},
            "features": {
                "user": [{"name": "user_id", "kind": "id", "dim": DIM}],
                "item": [{"name": "item_id", "kind": "id", "dim": DIM}],
            },
            "tasks": {"next": {"kind": "retrieval", "loss": loss}},
            "model": {"retrieval": {"kind": "sum", "dim": DIM}},
            "training": {"batch_size": BATCH},
        }
    )
    sizes = {"user_id": USERS, "item_id": items}
    model = MultiTaskModel(config, sizes, dtype_policy(config.training))
    assert model.retrieval is not None
    ids = np.arange(2, items + 2, dtype=np.int32)
    model.retrieval.know({"item_id": ids}, np.full(items, 1 / items))
    model.compile(optimizer=build_optimizer(config.training.optimizer))
    return model


def _batch(items: int) -> Any:
    random = np.random.default_rng(0)
    places = random.integers(items, size=BATCH).astype(np.int32)
    inputs = {
        "user_id": random.integers(2, USERS + 2, size=BATCH).astype(np.int32),
        "item_id": places + 2,
        columns.ITEM: places,
        columns.SAMPLING_PROBABILITY: np.full(BATCH, 1 / items, np.float32),
    }
    ones = tf.ones([BATCH])
    return {name: tf.constant(values) for name, values in inputs.items()}, {"next": ones}, ones


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Times steps over both catalogues in turns; those over all items of the small one beside."""
    losses: dict[tuple[str, int], Any] = {("sampled", items): SAMPLED for items in ITEMS}
    losses["all items", ITEMS[0]] = "all_items"
    losses["in batch", ITEMS[1]] = "in_batch"
    steps = {
        f"{name}, {items:,} items": training_step(_model(items, loss), _batch(items))
        for (name, items), loss in losses.items()
    }
    took = seconds(steps, rounds=9 if quick else 31)
    rows = [Row(f"step, {name}", 1e3 * value, "ms") for name, value in took.items()]
    small, large = (took[f"sampled, {items:,} items"] for items in ITEMS)
    return rows, [Bar("sampled step of 1M items over 10k", 2.0, large / small, at_most=True)]
