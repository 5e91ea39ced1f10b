"""A network for every task, stitched to the others after every layer."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tfmtl.layers.mlp import mlp
from tfmtl.trunks.interface import Trunk


class CrossStitch(Trunk):
    """Cross-stitch network.

    After layer l, whose activations are `x_j` for task j, every task goes on with a mixture:
    `x'_k = sum_j alpha^l_kj x_j`. With the identity for every `alpha` nothing is shared.

    The shared representation is what the last cross-stitch unit reads, as every task reads the
    activations of all; the mixture it makes for a task is the task's own.

    Reference: Misra et al., "Cross-stitch networks for multi-task learning", CVPR 2016,
    equation 1. Deviations: any number of tasks instead of two; networks start at random, not
    from trained single-task ones; the units learn at the model's rate, not at a higher one of
    their own. One `alpha` serves all activations of a layer.

    Args:
        tasks: names of the ranking tasks.
        units: widths of a task's layers.
        same_task: what a task's own activations weigh at first; those of the others share the
            rest, so that a mixture starts as a mean.
        dropout: share of the activations dropped in training.
        dtype: dtype policy.

    Attributes:
        stitches: `alpha` of every layer, float32 `[tasks, tasks]`, a row for each task that reads.

    Call arguments:
        features: `[batch, any]`.

    Returns:
        `{task: [batch, units[-1]]}`.

    Example:
        >>> CrossStitch(["click", "cart"], units=[8])(tf.ones([2, 3]))["cart"].shape
        TensorShape([2, 8])
    """

    def __init__(
        self,
        tasks: Sequence[str],
        units: Sequence[int],
        same_task: float = 0.9,
        dropout: float = 0.0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(tasks, dtype)
        if not units:
            raise ValueError("cross-stitch needs at least one layer. Received: units=[]")
        self.layers_by_depth = [
            [mlp([width], name=f"layer_{i}_{task}", dropout=dropout, dtype=dtype) for task in tasks]
            for i, width in enumerate(units)
        ]
        # Named by the tasks: with others its rows would mean other mixtures.
        self.stitches = [
            self.add_weight(
                shape=(len(tasks), len(tasks)),
                initializer=keras.initializers.Constant(_mean(len(tasks), same_task)),
                name="_".join([f"stitch_{i}", *self.tasks]),
            )
            for i in range(len(units))
        ]

    def shared(self, features: tf.Tensor, training: bool = False) -> tuple[list[tf.Tensor], None]:
        read = [features] * len(self.tasks)
        activations: list[tf.Tensor] = []
        for depth, layers in enumerate(self.layers_by_depth):
            if depth:
                read = self._stitch(depth - 1, activations)
            activations = [
                layer(x, training=training) for layer, x in zip(layers, read, strict=True)
            ]
        return activations, None

    def by_task(
        self, shared: list[tf.Tensor], own: None, training: bool = False
    ) -> dict[str, tf.Tensor]:
        return dict(zip(self.tasks, self._stitch(-1, shared), strict=True))

    def take_over(self, source: Trunk) -> list[keras.Variable]:
        """The tasks' mixtures stay as they are, without the activations of those that are new."""
        if not isinstance(source, CrossStitch) or len(source.stitches) != len(self.stitches):
            return []
        kept = [task for task in self.tasks if task in source.tasks]
        own, old = ([tasks.index(t) for t in kept] for tasks in (self.tasks, source.tasks))
        for stitch, before in zip(self.stitches, source.stitches, strict=True):
            mixtures = stitch.numpy()
            mixtures[own] = 0
            mixtures[np.ix_(own, own)] = before.numpy()[np.ix_(old, old)]
            stitch.assign(mixtures)
        return list(self.stitches)

    def _stitch(self, depth: int, activations: list[tf.Tensor]) -> list[tf.Tensor]:
        """Mixtures by task, as one product of `alpha` with the tasks' flattened activations."""
        stacked = tf.stack(activations)
        alpha = tf.cast(self.stitches[depth].value, stacked.dtype)
        mixed = tf.matmul(alpha, tf.reshape(stacked, [len(activations), -1]))
        return tf.unstack(tf.reshape(mixed, tf.shape(stacked)), len(activations))


def _mean(tasks: int, same_task: float) -> np.ndarray:
    if tasks == 1:
        return np.ones((1, 1))
    others = (1 - same_task) / (tasks - 1)
    return np.full((tasks, tasks), others) + (same_task - others) * np.eye(tasks)
