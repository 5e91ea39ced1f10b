"""What every scenario net may do: adapt the features, and build the task towers."""

from collections.abc import Collection, Sequence

import keras
import tensorflow as tf

from tfmtl.layers.mlp import mlp
from tfmtl.layers.situation import Situation


class TaskTower(keras.layers.Layer):
    """Dense layers between the trunk and one ranking task's output, the same in every scenario.

    Args:
        units: width of every layer; none hands the representation on.
        dtype: dtype policy of its computation.

    Call arguments:
        representation: `[batch, any]`.
        situation: of the rows; None where there is no scenario.

    Returns:
        `[batch, units[-1]]`.
    """

    def __init__(self, units: Sequence[int], dtype: str, name: str) -> None:
        super().__init__(name=name, dtype=dtype)
        self.network = mlp(units, name="hidden", dtype=dtype)

    def call(
        self, representation: tf.Tensor, situation: Situation | None, training: bool = False
    ) -> tf.Tensor:
        return self.network(representation, training=training)


class ScenarioNet(keras.layers.Layer):
    """Adapts a multi-task network to the scenario of a row.

    It stands in two places: below the trunk, where it maps features to features, and above it,
    where it builds the tower of every task. A net overrides what its paper changes. A row of an
    unknown scenario passes through what it shares among scenarios, and nothing else.

    Args:
        tasks: names of the ranking tasks.
        scenarios: number of scenarios; index `scenarios` means an unknown one.
        dtype: dtype policy of its computation.
    """

    def __init__(
        self, tasks: Sequence[str], scenarios: int, dtype: str, name: str = "scenario_net"
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.tasks = list(tasks)
        self.scenarios = scenarios

    def call(self, features: tf.Tensor, situation: Situation, training: bool = False) -> tf.Tensor:
        """Maps features `[batch, any]` to features `[batch, any other]`."""
        return features

    @property
    def experts_by_gate(self) -> dict[str, list[str]]:
        """Names of the experts that each gate of the net chooses between, for reports to read."""
        return {}

    def shares(self, situation: Situation) -> dict[str, tf.Tensor]:
        """How much every expert counts: `{gate: [batch, experts]}`, float32, in the order of
        `experts_by_gate`."""
        return {}

    def start_scenarios(self, first: int, towers: Collection[keras.layers.Layer]) -> None:
        """Lets scenarios that were added start from what the others know.

        Args:
            first: number of the first of them; those before it have learnt.
            towers: those of tasks that have learnt, too.
        """

    def tower(self, task: str, units: Sequence[int]) -> keras.layers.Layer:
        """Builds the tower of one task, which is called as a `TaskTower` is."""
        return TaskTower(units, self.dtype_policy.name, name=f"tower_{task}")
