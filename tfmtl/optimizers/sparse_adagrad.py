"""Adagrad that touches only the rows of a batch."""

import keras
import tensorflow as tf

from tfmtl.optimizers.rates import own_rate
from tfmtl.optimizers.summing import sum_duplicates


@keras.saving.register_keras_serializable("tfmtl")
class SparseAdagrad(keras.optimizers.Optimizer):
    """Adagrad whose cost depends on the batch, not on the table.

    For every row r with gradient `g_r` (duplicates in the batch are added up first):
    `a_r += g_r^2`, `w_r -= rate * g_r / (sqrt(a_r) + epsilon)`. Rows without a gradient stay as
    they are, which for Adagrad is exact. Dense gradients update the whole variable alike.

    Reference: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12 (2011).

    Args:
        learning_rate: step size.
        initial_accumulator_value: start of `a`.
        epsilon: keeps the division finite.

    Example:
        >>> optimizer = SparseAdagrad(0.1)
        >>> table = keras.Variable(tf.zeros([4, 2]))
        >>> optimizer.apply([tf.IndexedSlices(tf.ones([1, 2]), [2], [4, 2])], [table])
    """

    def __init__(
        self,
        learning_rate: float = 0.05,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        name: str = "sparse_adagrad",
        **kwargs: object,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._accumulators = self.accumulators_of(variables)

    def accumulators_of(self, variables: list[keras.Variable]) -> list[keras.Variable]:
        """Makes the sums of squares of the variables."""
        return self.add_optimizer_variables(
            variables,
            "accumulator",
            initializer=keras.initializers.Constant(self.initial_accumulator_value),
        )

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable | keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        index = self._get_variable_index(variable)
        accumulator = self._accumulators[index].value
        value = variable.value if isinstance(variable, keras.Variable) else variable
        rate = tf.cast(own_rate(self, index, learning_rate), value.dtype)
        epsilon = tf.constant(self.epsilon, value.dtype)
        if isinstance(gradient, tf.IndexedSlices):
            rows, summed = sum_duplicates(gradient)
            tf.raw_ops.ResourceSparseApplyAdagradV2(
                var=value.handle,
                accum=accumulator.handle,
                lr=rate,
                epsilon=epsilon,
                grad=tf.cast(summed, value.dtype),
                indices=rows,
            )
        else:
            tf.raw_ops.ResourceApplyAdagradV2(
                var=value.handle,
                accum=accumulator.handle,
                lr=rate,
                epsilon=epsilon,
                grad=tf.cast(gradient, value.dtype),
            )

    def get_config(self) -> dict[str, object]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
