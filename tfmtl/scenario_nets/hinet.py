"""What all scenarios share, what one knows, and what the others could tell it."""

from collections.abc import Collection, Sequence

import keras
import tensorflow as tf

from tfmtl.layers.mlp import mlp
from tfmtl.layers.situation import Situation
from tfmtl.scenario_nets.grouping import membership, mix
from tfmtl.scenario_nets.interface import ScenarioNet

_NOT_HEARD = -20.0
"""Added to a logit: a share below a hundred-millionth of that of others."""


class SubExpertIntegration(keras.layers.Layer):
    """One expert made of several: `Q(x) = sum_k g_k(x) q_k(x)`, `g(x) = softmax(W x)`.

    Args:
        experts: number of sub-experts.
        units: widths of a sub-expert's layers.
        dtype: dtype policy.

    Call arguments:
        features: `[batch, any]`.

    Returns:
        `[batch, units[-1]]`.
    """

    def __init__(self, experts: int, units: Sequence[int], dtype: str, name: str) -> None:
        super().__init__(name=name, dtype=dtype)
        self.experts = [mlp(units, name=f"expert_{i}", dtype=dtype) for i in range(experts)]
        self.gate = keras.layers.Dense(experts, use_bias=False, name="gate", dtype=dtype)

    def build(self, features_shape: Sequence[int]) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def shares(self, features: tf.Tensor) -> tf.Tensor:
        """`g(x)`, float32 `[batch, experts]`."""
        return tf.nn.softmax(tf.cast(self.gate(features), tf.float32), axis=1)

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        experts = [expert(features, training=training) for expert in self.experts]
        return mix(self.shares(features), experts)


class HiNet(ScenarioNet):
    """Scenario extraction layer of the hierarchical information extraction network.

    With integrations of sub-experts `G` (of all scenarios) and `S_m` (of scenario m), a row of
    scenario i becomes `[A_i, S_i, G]`. The scenario-aware attentive network hears the others:
    `A_i = sum_(m != i) g_m S_m`, `g = softmax(MLP(embedding of i))`. The paper's task extraction
    layer is the trunk above, CGC being its own. A row of an unknown scenario becomes `[0, 0, G]`.

    Every row passes through every scenario's expert, as the attention asks for; a scenario absent
    from a batch therefore still learns from what its expert tells the others.

    Reference: Zhou et al., "HiNet: Novel multi-scenario & multi-task learning with hierarchical
    information extraction", ICDE 2023, section "Scenario Extraction Layer". The softmax is over
    all scenarios and the row's own is then left out, as in the authors' code; its relu on the
    gates' logits, of which the formulas know nothing, is not.

    Args:
        tasks: names of the ranking tasks.
        scenarios: number of scenarios.
        experts: sub-experts of an integration.
        units: widths of a sub-expert's layers.
        attention: hidden widths of the attentive network.
        dtype: dtype policy.

    Call arguments:
        features: `[batch, any]`.
        situation: of the rows.

    Returns:
        `[batch, 3 * units[-1]]`.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        scenarios: int,
        experts: int,
        units: Sequence[int],
        attention: Sequence[int],
        dtype: str = "float32",
    ) -> None:
        super().__init__(tasks, scenarios, dtype)
        if experts < 1 or not units:
            raise ValueError(
                "HiNet needs at least one sub-expert of at least one layer. "
                f"Received: experts={experts}, units={list(units)}"
            )
        self.shared = SubExpertIntegration(experts, units, dtype, name="shared")
        self.own = [
            SubExpertIntegration(experts, units, dtype, name=f"scenario_{m}")
            for m in range(scenarios)
        ]
        self.attention = mlp(attention, name="attention", dtype=dtype)
        # A unit a scenario, so that the others' stay as they are when one is added.
        self.attention_units = [
            keras.layers.Dense(1, name=f"attention_{m}", dtype=dtype) for m in range(scenarios)
        ]

    def build(self, features_shape: Sequence[int]) -> None:
        """Sublayers build themselves when they are first called."""
        self.built = True

    def others(self, situation: Situation, training: bool = False) -> tf.Tensor:
        """Weights of the scenarios' experts in `A_i`, float32 `[batch, scenarios]`."""
        hidden = self.attention(situation.domain, training=training)
        logits = tf.concat([unit(hidden) for unit in self.attention_units], axis=1)
        members = membership(situation.scenario, self.scenarios)
        own, unknown = members[:, :-1], members[:, -1:]
        return tf.nn.softmax(tf.cast(logits, tf.float32), axis=1) * (1 - own) * (1 - unknown)

    def start_scenarios(self, first: int, towers: Collection[keras.layers.Layer]) -> None:
        """An added scenario starts with a copy of the shared expert, and is not heard by others."""
        quietest = min(float(unit.bias.numpy().min()) for unit in self.attention_units[:first])
        for expert, unit in zip(self.own[first:], self.attention_units[first:], strict=True):
            expert.set_weights(self.shared.get_weights())
            unit.kernel.assign(tf.zeros_like(unit.kernel.value))
            unit.bias.assign([quietest + _NOT_HEARD])

    @property
    def experts_by_gate(self) -> dict[str, list[str]]:
        """Sub-experts of the shared expert, sub-experts of the row's own, and who else is heard."""
        experts = [expert.name for expert in self.shared.experts]
        scenarios = [expert.name for expert in self.own]
        return {"shared": experts, "own": experts, "others": scenarios}

    def shares(self, situation: Situation) -> dict[str, tf.Tensor]:
        members = membership(situation.scenario, self.scenarios)
        own = [expert.shares(situation.features) for expert in self.own]
        return {
            "shared": self.shared.shares(situation.features),
            "own": mix(members, own),
            "others": self.others(situation),
        }

    def call(self, features: tf.Tensor, situation: Situation, training: bool = False) -> tf.Tensor:
        shared = self.shared(features, training=training)
        experts = [expert(features, training=training) for expert in self.own]
        heard = mix(self.others(situation, training), experts)
        own = mix(membership(situation.scenario, self.scenarios), experts)
        return tf.concat([heard, own, shared], axis=1)
