"""One level of experts shared by all tasks and experts of single tasks."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from tfmtl.layers.mlp import mlp


class Extraction(keras.layers.Layer):
    """Extraction network of CGC and PLE.

    Task k reads `x_k` through its own experts `E_k`, and all tasks read the outputs of the shared
    experts `E_s`, whose input is `x_s`. The task's gate chooses between these two groups only:
    `g^k = softmax(W^k x_k) [E_k(x_k), E_s(x_s)]`. The shared gate of a level below another one
    chooses between all experts: `g^s = softmax(W^s x_s) [E_1(x_1), ..., E_K(x_K), E_s(x_s)]`.
    Experts of a task that was added to a trained network are not among them: its other tasks would
    not stay as they are.

    Reference: Tang et al., "Progressive layered extraction (PLE): a novel multi-task learning
    (MTL) model for personalized recommendations", RecSys 2020, equations 1 to 3 and 5.

    Args:
        tasks: names of the tasks.
        shared_experts: number of experts that all tasks share.
        task_experts: number of experts of every task.
        units: widths of an expert's layers.
        shared_gate: whether another level follows, which needs the shared gate.
        dropout: share of the activations dropped in training.
        dtype: dtype policy.

    Call arguments:
        common: what the shared experts read, `[batch, any]`.
        inputs: what the tasks read, `{task: [batch, any]}`.

    Returns:
        `g^s` `[batch, units[-1]]` and `{task: g^k}`, the inputs of the level above.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        shared_experts: int,
        task_experts: int,
        units: Sequence[int],
        shared_gate: bool,
        dropout: float,
        dtype: str,
        name: str,
    ) -> None:
        super().__init__(name=name, dtype=dtype)

        def expert(label: str) -> keras.Sequential:
            return mlp(units, name=f"expert_{label}", dropout=dropout, dtype=dtype)

        def gate(experts: int, label: str) -> keras.layers.Dense:
            return keras.layers.Dense(experts, use_bias=False, name=label, dtype=dtype)

        self.shared_experts = [expert(str(i)) for i in range(shared_experts)]
        self.task_experts = {
            task: [expert(f"{i}_{task}") for i in range(task_experts)] for task in tasks
        }
        self.task_gates = {
            task: gate(task_experts + shared_experts, f"gate_{task}") for task in tasks
        }
        self.shared_gate = None
        self.heard: keras.Variable | None = None
        if shared_gate:
            # Named by the tasks: with others its columns would mean other experts.
            label = "_".join(["shared_gate", *tasks])
            every = task_experts * len(tasks) + shared_experts
            self.shared_gate = gate(every, label)
            self.heard = self.add_weight(
                shape=(every,), initializer="ones", trainable=False, name=f"heard_{label}"
            )
        self.built = True

    def call(
        self, common: tf.Tensor, inputs: Mapping[str, tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        if self.shared_gate is None or self.heard is None:
            raise ValueError(f"level '{self.name}' has no shared gate, as no level follows it")
        shared, own = self.shared(common, training), self.own(inputs, training)
        every = [opinion for opinions in own.values() for opinion in opinions] + shared
        logits = tf.cast(self.shared_gate(common), tf.float32)
        logits = tf.where(self.heard.value > 0, logits, logits.dtype.min)
        mixed = _mix(_shares(logits), every)
        return mixed, self.by_task(inputs, shared, own)

    def take_over(self, source: "Extraction") -> list[keras.Variable]:
        """Takes over the shared gate of a level that has some of the tasks; experts of the others
        start as copies of the shared ones, and the shared gate leaves them out.

        Returns:
            The variables of the gate, where there is one.
        """
        for task in self.task_experts.keys() - source.task_experts.keys():
            for i, expert in enumerate(self.task_experts[task]):
                copied = source.shared_experts[i % len(source.shared_experts)].get_weights()
                if [tuple(v.shape) for v in expert.weights] == [v.shape for v in copied]:
                    expert.set_weights(copied)
        if self.shared_gate is None or source.shared_gate is None:
            return []
        assert self.heard is not None
        assert source.heard is not None
        places = {name: place for place, name in enumerate(source._experts())}
        kept = [places.get(name) for name in self._experts()]
        kernel, heard = self.shared_gate.kernel, self.heard.numpy() * 0
        before, columns = source.shared_gate.kernel.numpy(), kernel.numpy()
        for place, old in enumerate(kept):
            if old is not None and len(before) == len(columns):
                columns[:, place], heard[place] = before[:, old], source.heard.numpy()[old]
        kernel.assign(columns)
        self.heard.assign(heard)
        return [kernel, self.heard]

    def _experts(self) -> list[str]:
        """Names of all experts, in the order of the shared gate."""
        own = [expert for experts in self.task_experts.values() for expert in experts]
        return [expert.name for expert in [*own, *self.shared_experts]]

    def shared(self, common: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Outputs of the shared experts."""
        return [expert(common, training=training) for expert in self.shared_experts]

    def own(
        self, inputs: Mapping[str, tf.Tensor], training: bool = False
    ) -> dict[str, list[tf.Tensor]]:
        """Outputs of the tasks' own experts."""
        return {
            task: [expert(inputs[task], training=training) for expert in experts]
            for task, experts in self.task_experts.items()
        }

    def gates(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Shares of a task's own experts, then of the shared ones: `{task: [batch, experts]}`."""
        return {task: _shares(gate(inputs[task])) for task, gate in self.task_gates.items()}

    def by_task(
        self,
        inputs: Mapping[str, tf.Tensor],
        shared: list[tf.Tensor],
        own: Mapping[str, list[tf.Tensor]],
    ) -> dict[str, tf.Tensor]:
        """What the tasks' gates make of the experts' outputs."""
        gates = self.gates(inputs)
        return {task: _mix(gates[task], [*own[task], *shared]) for task in gates}


def _shares(logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(tf.cast(logits, tf.float32))


def _mix(shares: tf.Tensor, opinions: list[tf.Tensor]) -> tf.Tensor:
    stacked = tf.stack(opinions, axis=1)
    row = tf.expand_dims(tf.cast(shares, stacked.dtype), 1)
    return tf.squeeze(tf.matmul(row, stacked), 1)
