"""Every scenario's network as the product of a shared one and its own."""

from collections.abc import Collection, Sequence
from itertools import pairwise

import keras
import tensorflow as tf

from tfmtl.layers.mlp import mlp
from tfmtl.layers.situation import Situation
from tfmtl.scenario_nets.grouping import by_scenario, membership, pick, start_at_mean
from tfmtl.scenario_nets.interface import ScenarioNet
from tfmtl.scenario_nets.partitioned_normalization import PartitionedNormalization


class StarNetwork(keras.layers.Layer):
    """Dense layers of the star topology.

    A layer of scenario p has the weights `W_p* = W_p W` (element-wise) and `b_p* = b_p + b` and
    gives `relu(W_p*^T x + b_p*)`. The scenarios' own weights start at ones, their biases at zeros;
    an unknown scenario has no others.

    Args:
        units: width of every layer; none hands the features on.
        scenarios: number of scenarios.
        dtype: dtype policy; the products of weights are float32.

    Call arguments:
        features: `[batch, any]`.
        scenario: int32 `[batch]`, `scenarios` where unknown.

    Returns:
        `[batch, units[-1]]`.

    Example:
        >>> network = StarNetwork([8, 4], scenarios=2, dtype="float32", name="star")
        >>> network(tf.ones([3, 5]), tf.constant([0, 1, 2])).shape
        TensorShape([3, 4])
    """

    def __init__(self, units: Sequence[int], scenarios: int, dtype: str, name: str) -> None:
        super().__init__(name=name, dtype=dtype)
        self.units = list(units)
        self.scenarios = scenarios

    def build(self, features_shape: Sequence[int]) -> None:
        self.shared: list[list[keras.Variable]] = []
        self.own: list[list[list[keras.Variable]]] = []
        for layer, shape in enumerate(pairwise([features_shape[-1], *self.units])):
            self.shared.append(self._layer(shape, "he_uniform", f"{layer}"))
            self.own.append(
                [self._layer(shape, "ones", f"{layer}_{i}") for i in range(self.scenarios)]
            )

    def _layer(self, shape: tuple[int, int], start: str, name: str) -> list[keras.Variable]:
        return [
            self.add_weight(shape=shape, initializer=start, name=f"kernel_{name}", autocast=False),
            self.add_weight(
                shape=shape[1:], initializer="zeros", name=f"bias_{name}", autocast=False
            ),
        ]

    def start_scenarios(self, first: int) -> None:
        """Lets scenarios from `first` on start with the mean of the others' own weights."""
        for own in self.own if self.units else ():
            for variables in zip(*own, strict=True):
                start_at_mean(variables, first)

    def call(self, features: tf.Tensor, scenario: tf.Tensor) -> tf.Tensor:
        if not self.units:
            return features
        return by_scenario(self._of_scenario, features, scenario, self.scenarios)

    def _of_scenario(self, index: int, rows: tf.Tensor) -> tf.Tensor:
        for layer, (kernel, bias) in enumerate(self.shared):
            kernel, bias = kernel.value, bias.value
            if index < self.scenarios:
                own_kernel, own_bias = self.own[layer][index]
                kernel, bias = own_kernel.value * kernel, own_bias.value + bias
            product = tf.matmul(rows, tf.cast(kernel, rows.dtype))
            rows = tf.nn.relu(product + tf.cast(bias, rows.dtype))
        return rows


class StarTower(keras.layers.Layer):
    """A task tower of star layers, beside the auxiliary network.

    The head, one dense unit, is the last layer of both: it adds the logits of the two,
    `s_m + s_a`. The star's part of that last layer stands here: what goes into it is scaled by the
    scenario's own weights, and the scenario's own bias, which the head scales in turn, is put
    beside it.

    Args:
        units: width of every star layer.
        auxiliary: hidden widths of the auxiliary network.
        scenarios: number of scenarios.
        dtype: dtype policy.

    Call arguments:
        representation: `[batch, any]`.
        situation: of the rows.

    Returns:
        `[batch, units[-1] + 1 + auxiliary[-1]]`.
    """

    def __init__(
        self,
        units: Sequence[int],
        auxiliary: Sequence[int],
        scenarios: int,
        dtype: str,
        name: str,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.scenarios = scenarios
        self.network = StarNetwork(units, scenarios, dtype, name="hidden")
        self.auxiliary = mlp(auxiliary, name="auxiliary", dtype=dtype)

    def build(self, representation_shape: Sequence[int]) -> None:
        width = self.network.units[-1] if self.network.units else representation_shape[-1]
        self.own_kernel = [
            self.add_weight(
                shape=(width,), initializer="ones", name=f"output_kernel_{i}", autocast=False
            )
            for i in range(self.scenarios)
        ]
        self.own_bias = [
            self.add_weight(
                shape=(1,), initializer="zeros", name=f"output_bias_{i}", autocast=False
            )
            for i in range(self.scenarios)
        ]

    def start_scenarios(self, first: int) -> None:
        """Lets scenarios from `first` on start with the mean of the others' own weights."""
        self.network.start_scenarios(first)
        start_at_mean(self.own_kernel, first)
        start_at_mean(self.own_bias, first)

    def call(
        self, representation: tf.Tensor, situation: Situation, training: bool = False
    ) -> tf.Tensor:
        hidden = self.network(representation, situation.scenario)
        members = membership(situation.scenario, self.scenarios)
        kernels = [own.value for own in self.own_kernel]
        biases = [own.value for own in self.own_bias]
        own_kernel = pick([*kernels, tf.ones_like(kernels[0])], members)
        own_bias = pick([*biases, tf.zeros_like(biases[0])], members)
        direct = tf.concat([situation.domain, situation.features], axis=1)
        parts = [
            tf.cast(hidden, tf.float32) * own_kernel,
            own_bias,
            self.auxiliary(direct, training=training),
        ]
        return tf.concat([tf.cast(part, self.compute_dtype) for part in parts], axis=1)


class Star(ScenarioNet):
    """Star topology adaptive recommender.

    Features are normalised by scenario and pass through star layers; the trunk is all scenarios';
    the task towers are star layers, too, one set a scenario and task. A row of an unknown scenario
    passes through what is shared: `W`, `b`, `gamma`, `beta` and the statistics of all rows.

    Reference: Sheng et al., "One model to serve all: star topology adaptive recommender for
    multi-domain CTR prediction", CIKM 2021: sections "Partitioned Normalization", "Star Topology
    FCN" and "Auxiliary Network". Deviations: the paper's network has one task and no trunk; the
    scenarios' own weights start at ones, where the paper does not say.

    Args:
        tasks: names of the ranking tasks.
        scenarios: number of scenarios.
        units: widths of the star layers below the trunk.
        auxiliary: hidden widths of the auxiliary network, of which every task has one.
        momentum: of the moving averages of the normalisation.
        dtype: dtype policy.

    Call arguments:
        features: `[batch, any]`.
        situation: of the rows.

    Returns:
        `[batch, units[-1]]`.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        scenarios: int,
        units: Sequence[int],
        auxiliary: Sequence[int],
        momentum: float = 0.99,
        dtype: str = "float32",
    ) -> None:
        super().__init__(tasks, scenarios, dtype)
        self.auxiliary = list(auxiliary)
        self.normalization = PartitionedNormalization(scenarios, momentum, dtype=dtype)
        self.network = StarNetwork(units, scenarios, dtype, name="star")

    def build(self, features_shape: Sequence[int]) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def call(self, features: tf.Tensor, situation: Situation, training: bool = False) -> tf.Tensor:
        normal = self.normalization(features, situation.scenario, training=training)
        return self.network(normal, situation.scenario)

    def start_scenarios(self, first: int, towers: Collection[keras.layers.Layer]) -> None:
        for part in (self.normalization, self.network, *towers):
            part.start_scenarios(first)

    def tower(self, task: str, units: Sequence[int]) -> StarTower:
        return StarTower(
            units, self.auxiliary, self.scenarios, self.dtype_policy.name, name=f"tower_{task}"
        )
