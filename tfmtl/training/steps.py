"""A model's steps as compiled functions, on one replica or several."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.replicas import own_rows
from tfmtl.training.budgets.control import Part
from tfmtl.training.budgets.rows import some_rows

Figures = dict[str, float]


@dataclass(frozen=True)
class Batch:
    """What a batch has shown.

    Attributes:
        figures: `loss`, `loss/TASK`, and what a balancer of gradients tells.
        counted: task -> 1 where the batch has rows of it, else 0.
        rows: rows of the batch.
    """

    figures: Figures
    counted: Figures
    rows: int


@dataclass
class Means:
    """Means of figures over batches; a task's loss counts where the batch has rows of the task.

    Attributes:
        sums: figure -> weighted sum.
        weights: figure -> sum of the weights.
    """

    sums: Figures = field(default_factory=dict)
    weights: Figures = field(default_factory=dict)

    def add(self, batch: Batch, weight: float = 1.0) -> None:
        """Takes a batch in."""
        for name, value in batch.figures.items():
            task = name.removeprefix("loss/")
            own = weight * batch.counted[task] if task != name else weight
            self.sums[name] = self.sums.get(name, 0.0) + (own * value if own else 0.0)
            self.weights[name] = self.weights.get(name, 0.0) + own

    def result(self) -> Figures:
        """The means so far, 0 where nothing counted."""
        return {name: value / (self.weights[name] or 1.0) for name, value in self.sums.items()}


def learning(
    model: MultiTaskModel, strategy: tf.distribute.Strategy
) -> Callable[[Iterator[Any], Part | None], Batch]:
    """A function that learns from the next batch of an iterator over a dataset, or from a part of
    it where a budget says so.

    Every process of a strategy is given the whole batch; its replicas take their rows of it.
    """

    @tf.function
    def step(iterator: Any, tasks: tuple[str, ...] | None, rows: Any) -> Any:
        batch = next(iterator)
        if rows is not None:
            batch = some_rows(batch, rows)

        def learn(all_rows: Any) -> Any:
            x, y, weights = own_rows(all_rows)
            return model.learn(x, y, weights, tasks)

        figures = strategy.run(learn, (batch,))
        # The replicas have learnt from all rows together, so that they all say the same.
        figures = {n: strategy.experimental_local_results(v)[0] for n, v in figures.items()}
        counted = model.counted(*batch[1:])
        if tasks is not None:
            counted = {n: v if n in tasks else tf.zeros_like(v) for n, v in counted.items()}
        return figures, counted, tf.shape(batch[2])[0]

    def learn_from(iterator: Iterator[Any], part: Part | None) -> Batch:
        if part is None:
            return _batch(*step(iterator, None, None))
        rows = tf.constant(part.rows) if part.rows else None
        return _batch(*step(iterator, part.tasks, rows))

    return learn_from


def measuring(model: MultiTaskModel) -> Callable[[tf.data.Dataset], Figures]:
    """A function that gives the mean losses of a dataset's rows; every process takes them all."""

    @tf.function
    def step(iterator: Any) -> Any:
        x, y, weights = next(iterator)
        return model.measure(x, y, weights), model.counted(y, weights), tf.shape(weights)[0]

    def measure(examples: tf.data.Dataset) -> Figures:
        iterator, means = iter(examples), Means()
        for _ in range(int(examples.cardinality())):
            batch = _batch(*step(iterator))
            means.add(batch, batch.rows)
        return means.result()

    return measure


def _batch(figures: Any, counted: Any, rows: tf.Tensor) -> Batch:
    return Batch(_numbers(figures), _numbers(counted), int(rows))


def _numbers(figures: dict[str, tf.Tensor]) -> Figures:
    return {name: float(value) for name, value in figures.items()}
