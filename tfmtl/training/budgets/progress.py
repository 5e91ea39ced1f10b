"""How low the losses are on validation rows, by task and scenario."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing import columns
from tfmtl.preprocessing.tables import RESERVED
from tfmtl.training.examples import read_examples

Losses = dict[str, dict[str, float]]
"""`{scenario: {task: mean loss}}`, NaN where there is no row; one scenario `""` where none is
declared."""


def progress_of(model: MultiTaskModel, examples: Path, rows: int) -> Callable[[], Losses]:
    """A function that measures the model's losses on the first rows of a split.

    The rows are read once and held in memory, by scenario.

    Args:
        model: the model.
        examples: the split.
        rows: how many at most.
    """
    scenarios = model.config.scenario.values if model.config.scenario else [""]
    batches = list(_batches(model, examples, rows, scenarios))

    @tf.function(reduce_retracing=True)
    def measure(batch: Any) -> Any:
        return model.losses_by_task(*batch), model.counted(*batch[1:])

    def losses() -> Losses:
        sums = {name: dict.fromkeys(model.config.tasks, 0.0) for name in scenarios}
        counts = {name: dict.fromkeys(model.config.tasks, 0.0) for name in scenarios}
        for name, batch in batches:
            found, counted = measure(batch)
            for task, loss in found.items():
                weight = float(counted[task]) * len(batch[2])
                sums[name][task] += weight * float(loss)
                counts[name][task] += weight
        return {
            name: {task: _ratio(total, counts[name][task]) for task, total in own.items()}
            for name, own in sums.items()
        }

    return losses


def over(losses: Losses, shares: dict[str, float]) -> dict[str, float]:
    """Every task's loss over all scenarios, weighed by their shares of the rows."""
    tasks = next(iter(losses.values()))
    return {
        task: _mean([(own[task], shares[scenario]) for scenario, own in losses.items()])
        for task in tasks
    }


def relative(losses: Losses, first: Losses, priorities: dict[str, float]) -> dict[str, float]:
    """Every scenario's losses relative to those at the start, weighed by the tasks' priorities."""
    return {
        scenario: _mean(
            [
                (loss / (abs(first[scenario][task]) or 1.0), priorities[task])
                for task, loss in own.items()
            ]
        )
        for scenario, own in losses.items()
    }


def _batches(
    model: MultiTaskModel, examples: Path, rows: int, scenarios: list[str]
) -> Iterator[tuple[str, Any]]:
    size = min(rows, model.config.training.batch_size)
    dataset = read_examples(examples, model.config, batch_size=size, shuffle=False)
    for batch in dataset.take(-(-rows // size)):
        if not model.config.scenario:
            yield "", batch
            continue
        ids = batch[0][columns.SCENARIO].numpy()
        for number, name in enumerate(scenarios):
            places = np.flatnonzero(ids == number + RESERVED)
            if len(places):
                yield name, tf.nest.map_structure(lambda t, at=places: tf.gather(t, at), batch)


def _mean(pairs: list[tuple[float, float]]) -> float:
    """A weighted mean without the values that are no number."""
    known = [(value, weight) for value, weight in pairs if not np.isnan(value)]
    return _ratio(sum(v * w for v, w in known), sum(w for _, w in known))


def _ratio(total: float, weight: float) -> float:
    return total / weight if weight else float("nan")
