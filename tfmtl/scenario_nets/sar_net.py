"""A linear transformation by scenario, then experts of all scenarios and of each."""

from collections.abc import Collection, Sequence

import keras
import tensorflow as tf

from tfmtl.layers.mlp import mlp
from tfmtl.layers.situation import Situation
from tfmtl.scenario_nets.grouping import by_scenario, membership, mix, pick, start_at_mean
from tfmtl.scenario_nets.interface import ScenarioNet


class SarNet(ScenarioNet):
    """Scenario-aware ranking network.

    Features are transformed by scenario p, `x' = beta_p x + gamma_p` (element-wise), and read by
    experts `f_i`: those of all scenarios and those of scenario p. One gate mixes them:
    `sum_i g_i(x') f_i(x')`, `g(x') = softmax(W x' + b)`. A row of an unknown scenario is not
    transformed and has the shared experts alone, among which its gate divides the whole.

    Reference: Shen et al., "SAR-Net: A scenario-aware ranking network for personalized fair
    recommendation in hundreds of travel scenarios", CIKM 2021: sections on the scenario-specific
    transform layer and the mixture of debias experts. Deviations: the experts give vectors for the
    trunk above them, in the paper logits, and are dense layers with relu; their bias nets, which
    read a coefficient of manual intervention and are dropped when serving, are left out, as logs
    lack it; the cross-scenario attention over behaviour is for the encoders of histories.

    Args:
        tasks: names of the ranking tasks.
        scenarios: number of scenarios.
        shared_experts: number of experts of all scenarios.
        scenario_experts: number of experts of every scenario.
        units: widths of an expert's layers.
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
        shared_experts: int,
        scenario_experts: int,
        units: Sequence[int],
        dtype: str = "float32",
    ) -> None:
        super().__init__(tasks, scenarios, dtype)
        if shared_experts < 1 or scenario_experts < 1 or not units:
            raise ValueError(
                "SAR-Net needs shared and scenario experts of at least one layer. Received: "
                f"shared_experts={shared_experts}, scenario_experts={scenario_experts}, "
                f"units={list(units)}"
            )
        self.width = units[-1]
        self.shared_experts = [
            mlp(units, name=f"shared_expert_{i}", dtype=dtype) for i in range(shared_experts)
        ]
        self.scenario_experts = [
            [mlp(units, name=f"expert_{p}_{i}", dtype=dtype) for i in range(scenario_experts)]
            for p in range(scenarios)
        ]
        self.gate = keras.layers.Dense(shared_experts + scenario_experts, name="gate", dtype=dtype)

    def build(self, features_shape: Sequence[int]) -> None:
        width = features_shape[-1]
        self.beta, self.gamma = (
            [
                self.add_weight(
                    shape=(width,), initializer=start, name=f"{name}_{p}", autocast=False
                )
                for p in range(self.scenarios)
            ]
            for name, start in (("beta", "ones"), ("gamma", "zeros"))
        )

    def start_scenarios(self, first: int, towers: Collection[keras.layers.Layer]) -> None:
        """The transformation starts as the others' mean; the experts, of which a mean would mix
        units that have nothing in common, as copies of the shared ones."""
        start_at_mean(self.beta, first)
        start_at_mean(self.gamma, first)
        for experts in self.scenario_experts[first:]:
            for i, expert in enumerate(experts):
                shared = self.shared_experts[i % len(self.shared_experts)]
                expert.set_weights(shared.get_weights())

    def transform(self, features: tf.Tensor, scenario: tf.Tensor) -> tf.Tensor:
        """`beta_p x + gamma_p`, `[batch, any]`."""
        members = membership(scenario, self.scenarios)
        beta = [own.value for own in self.beta]
        gamma = [own.value for own in self.gamma]
        scale = pick([*beta, tf.ones_like(beta[0])], members)
        shift = pick([*gamma, tf.zeros_like(gamma[0])], members)
        return tf.cast(tf.cast(features, tf.float32) * scale + shift, features.dtype)

    def gates(self, transformed: tf.Tensor, scenario: tf.Tensor) -> tf.Tensor:
        """Weights of the experts, the shared ones first, float32 `[batch, experts]`."""
        logits = tf.cast(self.gate(transformed), tf.float32)
        own = tf.range(logits.shape[1]) >= len(self.shared_experts)
        absent = (scenario == self.scenarios)[:, None] & own
        return tf.nn.softmax(tf.where(absent, logits.dtype.min, logits), axis=1)

    @property
    def experts_by_gate(self) -> dict[str, list[str]]:
        own = self.gate.units - len(self.shared_experts)
        shared = [expert.name for expert in self.shared_experts]
        return {"experts": [*shared, *(f"own_expert_{i}" for i in range(own))]}

    def shares(self, situation: Situation) -> dict[str, tf.Tensor]:
        rows = self.transform(situation.features, situation.scenario)
        return {"experts": self.gates(rows, situation.scenario)}

    def call(self, features: tf.Tensor, situation: Situation, training: bool = False) -> tf.Tensor:
        rows = self.transform(features, situation.scenario)
        count = self.gate.units - len(self.shared_experts)

        def experts_of(index: int, part: tf.Tensor) -> tf.Tensor:
            if index == self.scenarios:
                return tf.zeros([tf.shape(part)[0], count * self.width], part.dtype)
            experts = self.scenario_experts[index]
            return tf.concat([expert(part, training=training) for expert in experts], axis=1)

        shared = [expert(rows, training=training) for expert in self.shared_experts]
        own = by_scenario(experts_of, rows, situation.scenario, self.scenarios)
        return mix(self.gates(rows, situation.scenario), [*shared, *tf.split(own, count, axis=1)])
