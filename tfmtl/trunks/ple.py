"""Levels of shared and of task experts, one above the other."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmtl.trunks.extraction import Extraction
from tfmtl.trunks.interface import GatedTrunk, Trunk


class Ple(GatedTrunk):
    """Progressive layered extraction.

    Level j has experts of every task and experts of all. With `S^{k,j}` the outputs of task k's
    own experts and of the shared ones: `g^{k,j}(x) = softmax(W^{k,j} g^{k,j-1}(x)) S^{k,j}(x)`,
    where `g^{k,0}(x) = x`. Between two levels, a shared gate mixes all experts for the shared
    experts above; the last level has none.

    The shared representation is what the shared experts of the last level say. The levels below,
    where tasks meet too, are passed through once by what all tasks send down.

    Reference: Tang et al., "Progressive layered extraction (PLE): a novel multi-task learning
    (MTL) model for personalized recommendations", RecSys 2020, equations 1 to 3 and 5, section
    4.2. Deviation: all tasks and levels have the same number of experts of the same widths.

    Args:
        tasks: names of the ranking tasks.
        levels: number of levels; with one, this is CGC.
        shared_experts: number of experts in a level that all tasks share.
        task_experts: number of experts in a level for every task.
        units: widths of an expert's layers, at every level.
        dropout: share of the activations dropped in training.
        dtype: dtype policy.

    Call arguments:
        features: `[batch, any]`.

    Returns:
        `{task: [batch, units[-1]]}`.

    Example:
        >>> trunk = Ple(["click", "cart"], levels=2, shared_experts=2, task_experts=1, units=[8])
        >>> trunk(tf.ones([2, 3]))["cart"].shape
        TensorShape([2, 8])
        >>> trunk.gates(tf.ones([2, 3]), level=0)["cart"].shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        tasks: Sequence[str],
        levels: int,
        shared_experts: int,
        task_experts: int,
        units: Sequence[int],
        dropout: float = 0.0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(tasks, dtype)
        if min(levels, shared_experts, task_experts) < 1 or not units:
            raise ValueError(
                "CGC and PLE need at least one level, one shared expert, one expert a task and "
                f"one layer. Received: levels={levels}, shared_experts={shared_experts}, "
                f"task_experts={task_experts}, units={list(units)}"
            )
        self.levels = [
            Extraction(
                self.tasks,
                shared_experts,
                task_experts,
                units,
                shared_gate=level + 1 < levels,
                dropout=dropout,
                dtype=dtype,
                name=f"level_{level}",
            )
            for level in range(levels)
        ]

    @property
    def experts_by_task(self) -> dict[str, list[str]]:
        last = self.levels[-1]
        return {
            task: [expert.name for expert in [*own, *last.shared_experts]]
            for task, own in last.task_experts.items()
        }

    def gates(self, features: tf.Tensor, level: int = -1) -> dict[str, tf.Tensor]:
        """Shares of the experts of one level, the last where none is named."""
        _, inputs = self._ascend(self.levels[:level], features)
        return self.levels[level].gates(inputs)

    def shared(
        self, features: tf.Tensor, training: bool = False
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        *below, last = self.levels
        common, inputs = self._ascend(below, features, training)
        with keras.name_scope(last.name):
            return last.shared(common, training), inputs

    def by_task(
        self, shared: list[tf.Tensor], own: dict[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        last = self.levels[-1]
        with keras.name_scope(last.name):
            return last.by_task(own, shared, last.own(own, training))

    def take_over(self, source: Trunk) -> list[keras.Variable]:
        """The shared gates choose as before, among the experts that there were; experts of new
        tasks are their tasks' alone, and start as copies of the shared ones."""
        if not isinstance(source, Ple) or len(source.levels) != len(self.levels):
            return []
        levels = zip(self.levels, source.levels, strict=True)
        return [variable for own, old in levels for variable in own.take_over(old)]

    def _ascend(
        self, levels: Sequence[Extraction], features: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What shared experts and tasks read above some levels."""
        common, inputs = features, dict.fromkeys(self.tasks, features)
        for level in levels:
            common, inputs = level(common, inputs, training=training)
        return common, inputs
