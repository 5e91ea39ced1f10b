"""What every trunk does."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class Trunk(keras.layers.Layer):
    """Turns what all tasks read into one representation a task.

    A trunk always returns a mapping with exactly the names of its tasks, also where the tasks
    share one tensor; towers and heads use the same keys.

    It works in two halves. What all tasks pass through comes first and gives the *shared
    representation*, on which balancers that work with gradients weigh the tasks against one
    another; what belongs to single tasks, such as gates, reads it afterwards.

    Args:
        tasks: names of the ranking tasks.
        dtype: dtype policy of the trunk's computation.
    """

    def __init__(self, tasks: Sequence[str], dtype: str, name: str = "trunk") -> None:
        super().__init__(name=name, dtype=dtype)
        if not tasks:
            raise ValueError("a trunk needs at least one task. Received: tasks=[]")
        self.tasks = list(tasks)

    @abstractmethod
    def shared(self, features: tf.Tensor, training: bool = False) -> tuple[list[tf.Tensor], Any]:
        """The half that all tasks pass through.

        Args:
            features: `[batch, any]`.
            training: whether dropout is on.

        Returns:
            The shared representation, tensors whose gradients the tasks compete for, and a
            structure of whatever tensors else the second half reads. Where nothing is shared, the
            list is empty: gradient balancers then see inner products of 0.
        """

    @abstractmethod
    def by_task(
        self, shared: list[tf.Tensor], own: Any, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """The half that belongs to single tasks.

        Args:
            shared: the shared representation.
            own: what else `shared` returned.
            training: whether dropout is on.

        Returns:
            `{task: [batch, width]}`.
        """

    def take_over(self, source: "Trunk") -> list[keras.Variable]:
        """Takes over, of a trunk with some of its tasks, weights whose shape goes by the tasks, so
        that these tasks' representations stay as they are.

        Returns:
            The own variables that were set.
        """
        return []

    def call(self, features: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Maps `[batch, any]` to `{task: [batch, width]}`."""
        return self.by_task(*self.shared(features, training), training)


class GatedTrunk(Trunk):
    """A trunk whose tasks choose between experts by gates that reports can read."""

    @property
    @abstractmethod
    def experts_by_task(self) -> dict[str, list[str]]:
        """Names of the experts that a task's gate chooses between."""

    @abstractmethod
    def gates(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        """How much every expert counts for every task.

        Args:
            features: `[batch, any]`, as the trunk is called with.

        Returns:
            `{task: [batch, experts]}`, float32, in the order of `experts_by_task`; the experts
            of one task and row add up to 1.
        """
