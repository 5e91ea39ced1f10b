"""One training step under the clock: models in turns, so that what else runs slows all alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import tensorflow as tf

from benchmarks.training_of import workload
from benchmarks.training_of.peers.tfmtl_mmoe import inputs_of
from tfmtl.models.multi_task import MultiTaskModel

Step = Callable[[], object]


def batch(tasks: int, sizes: tuple[int, ...] = workload.SIZES) -> tuple:
    """A batch of the work as `train_step` takes it, ids within tables of other sizes."""
    ids, labels, _ = workload.make(workload.BATCH, seed=3)
    ids = ids * (np.array(sizes) / np.array(workload.SIZES))
    inputs = inputs_of(ids.astype(np.int32))
    names = TASKS[:tasks]
    by_task = {task: tf.constant(labels[:, i % labels.shape[1]]) for i, task in enumerate(names)}
    return {n: tf.constant(v) for n, v in inputs.items()}, by_task, tf.ones([workload.BATCH])


TASKS = (*workload.TASKS, "share")
"""Names of up to three tasks."""


def training_step(model: MultiTaskModel, data: tuple) -> Step:
    """A compiled step of a model on one batch, traced and warm."""
    step = tf.function(model.train_step)

    def run() -> object:
        return {name: figure.numpy() for name, figure in step(data).items()}

    run()
    return run


def seconds(steps: Mapping[str, Step], rounds: int) -> dict[str, float]:
    """Median seconds a step, every round one of each in another order: a step that follows a long
    one finds the processor in another state."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    random = np.random.default_rng(0)
    for _ in range(rounds):
        for name in random.permutation(list(steps)):
            began = time.perf_counter()
            steps[name]()
            taken[name].append(time.perf_counter() - began)
    return {name: median(found) for name, found in taken.items()}
