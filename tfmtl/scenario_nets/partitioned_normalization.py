"""Batch normalisation with the statistics of a row's own scenario."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfmtl.scenario_nets.grouping import membership, pick, start_at_mean


class PartitionedNormalization(keras.layers.Layer):
    """Normalises every scenario by itself.

    `z' = (gamma * gamma_p) (z - mu_p) / sqrt(var_p + epsilon) + (beta + beta_p)`, where `mu_p` and
    `var_p` are of the batch's rows of scenario p in training, moving averages otherwise.

    A row of an unknown scenario is normalised with the statistics of all rows, `gamma` and `beta`
    alone; so is one of a scenario that training never saw. A scenario without a row in a batch
    keeps its averages as they are. Where the batch is spread over replicas, it is the whole batch
    that counts.

    Reference: Sheng et al., "One model to serve all: star topology adaptive recommender for
    multi-domain CTR prediction", CIKM 2021, section "Partitioned Normalization". The paper trains
    on batches of one scenario; here a batch may mix them. The averages are those of all batches
    so far until there are enough for a moving one, so that a short training is not told of its
    initial values.

    Args:
        scenarios: number of scenarios.
        momentum: share that the moving averages keep at every step.
        epsilon: added to the variance.
        dtype: dtype policy of the output; the statistics are float32.

    Call arguments:
        features: `[batch, width]`.
        scenario: int32 `[batch]`, `scenarios` where unknown.
        training: whether the batch's statistics are used, and the averages moved.

    Returns:
        `[batch, width]`.

    Example:
        >>> layer = PartitionedNormalization(scenarios=2)
        >>> rows = tf.constant([[1.0], [3.0], [50.0], [70.0]])
        >>> layer(rows, tf.constant([0, 0, 1, 1]), training=True)[:, 0].numpy().round().tolist()
        [-1.0, 1.0, -1.0, 1.0]
    """

    def __init__(
        self,
        scenarios: int,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        dtype: str = "float32",
        name: str = "normalization",
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.scenarios = scenarios
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, features_shape: Sequence[int]) -> None:
        width = features_shape[-1]
        names = [*map(str, range(self.scenarios)), "all"]

        def learnt(name: str, start: str) -> list[keras.Variable]:
            return [
                self.add_weight(
                    shape=(width,), initializer=start, name=f"{name}_{of}", autocast=False
                )
                for of in names
            ]

        def counted(name: str, start: str, shape: tuple[int, ...]) -> list[keras.Variable]:
            return [
                self.add_weight(
                    shape=shape,
                    initializer=start,
                    name=f"{name}_{of}",
                    trainable=False,
                    autocast=False,
                    aggregation="only_first_replica",  # all hold the same
                )
                for of in names
            ]

        *self.own_gamma, self.gamma = learnt("gamma", "ones")
        *self.own_beta, self.beta = learnt("beta", "zeros")
        self.moving_mean = counted("moving_mean", "zeros", (width,))
        self.moving_variance = counted("moving_variance", "ones", (width,))
        self.steps = counted("steps", "zeros", ())

    def start_scenarios(self, first: int) -> None:
        """Lets scenarios from `first` on start with the others' mean scale and shift; until they
        have rows their statistics are those of all rows."""
        start_at_mean(self.own_gamma, first)
        start_at_mean(self.own_beta, first)

    def call(self, features: tf.Tensor, scenario: tf.Tensor, training: bool = False) -> tf.Tensor:
        values = tf.cast(features, tf.float32)
        members = membership(scenario, self.scenarios)
        if training:
            means, variances = self._of_batch(values, members)
        else:
            means, variances = self._of_training()
        gamma, beta = self.gamma.value, self.beta.value
        scales = [*(gamma * own.value for own in self.own_gamma), gamma]
        shifts = [*(beta + own.value for own in self.own_beta), beta]
        scales = [
            scale * tf.math.rsqrt(variance + self.epsilon)
            for scale, variance in zip(scales, variances, strict=True)
        ]
        centred = values - pick(means, members)
        return tf.cast(centred * pick(scales, members) + pick(shifts, members), self.compute_dtype)

    def _of_batch(
        self, values: tf.Tensor, members: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Means and variances by scenario, then those of all rows; the averages are moved."""
        counts = _over_replicas(tf.reduce_sum(members, axis=0))[:, None]
        rows = tf.reduce_sum(counts)

        def mean_by_scenario(of_rows: tf.Tensor) -> tf.Tensor:
            added = _over_replicas(tf.matmul(members, of_rows, transpose_a=True))
            return tf.math.divide_no_nan(added, counts)

        def mean_of_all(of_scenarios: tf.Tensor) -> tf.Tensor:
            return tf.math.divide_no_nan(tf.reduce_sum(counts * of_scenarios, axis=0), rows)

        mean = mean_by_scenario(values)
        variance = mean_by_scenario(tf.square(values - tf.matmul(members, mean)))
        mean_all = mean_of_all(mean)
        variance_all = mean_of_all(variance + tf.square(mean - mean_all))
        means = [*tf.unstack(mean)[:-1], mean_all]
        variances = [*tf.unstack(variance)[:-1], variance_all]
        self._move(means, variances, [*tf.unstack(counts[:, 0])[:-1], rows])
        return means, variances

    def _move(
        self, means: list[tf.Tensor], variances: list[tf.Tensor], counts: list[tf.Tensor]
    ) -> None:
        for i, count in enumerate(counts):
            seen = tf.cast(count > 0, tf.float32)
            self.steps[i].assign_add(seen)
            share = seen * tf.maximum(1 - self.momentum, 1 / tf.maximum(self.steps[i].value, 1.0))
            for average, now in (
                (self.moving_mean[i], means[i]),
                (self.moving_variance[i], variances[i]),
            ):
                average.assign_add(share * (now - average.value))

    def _of_training(self) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """The moving averages; those of all rows for a scenario that training never saw."""

        def known(averages: list[keras.Variable]) -> list[tf.Tensor]:
            return [
                tf.where(steps.value > 0, average.value, averages[-1].value)
                for steps, average in zip(self.steps, averages, strict=True)
            ]

        return known(self.moving_mean), known(self.moving_variance)


def _over_replicas(tensor: tf.Tensor) -> tf.Tensor:
    """The sum over the replicas of a `tf.distribute` strategy; all get the same."""
    replica = tf.distribute.get_replica_context()
    return tensor if replica is None else replica.all_reduce(tf.distribute.ReduceOp.SUM, tensor)
