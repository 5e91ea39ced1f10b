"""Adam that touches only the rows of a batch."""

import keras
import tensorflow as tf

from tfmtl.optimizers.rates import own_rate
from tfmtl.optimizers.summing import sum_duplicates


@keras.saving.register_keras_serializable("tfmtl")
class LazyAdam(keras.optimizers.Optimizer):
    """Adam whose cost depends on the batch, not on the table.

    For every row r with gradient `g_r` at step t (duplicates in the batch are added up first):
    `m_r = beta_1 m_r + (1 - beta_1) g_r`, `v_r = beta_2 v_r + (1 - beta_2) g_r^2`,
    `w_r -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m_r / (sqrt(v_r) + epsilon)`.

    It differs from Adam in the rows without a gradient: their moments do not decay, and they do
    not move on along `m_r`. The bias correction goes by the number of steps t, not by how often a
    row was met, so that a row met first at a late step is hardly corrected: its first step is
    `(1 - beta_1) / sqrt(1 - beta_2)` times the rate, about 3.2 times at the defaults. Dense
    gradients update the whole variable as Adam does, by one kernel where Keras's takes a dozen.

    Reference: Kingma and Ba, "Adam: A method for stochastic optimization", ICLR 2015, algorithm 1
    in the order of computation of section 2, so that epsilon is its epsilon hat.

    Args:
        learning_rate: step size.
        beta_1: decay of the first moment.
        beta_2: decay of the second.
        epsilon: keeps the division finite.

    Example:
        >>> optimizer = LazyAdam(0.001)
        >>> table = keras.Variable(tf.zeros([4, 2]))
        >>> optimizer.apply([tf.IndexedSlices(tf.ones([1, 2]), [2], [4, 2])], [table])
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "lazy_adam",
        **kwargs: object,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self._first, self._second = self.add_optimizer_variables(
            variables, ["first_moment", "second_moment"]
        )

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable | keras.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        index = self._get_variable_index(variable)
        first, second = self._first[index].value, self._second[index].value
        value = variable.value if isinstance(variable, keras.Variable) else variable
        rate = tf.cast(own_rate(self, index, learning_rate), value.dtype)
        step = tf.cast(self.iterations + 1, value.dtype)
        powers = [tf.pow(tf.constant(b, value.dtype), step) for b in (self.beta_1, self.beta_2)]
        if not isinstance(gradient, tf.IndexedSlices):
            tf.raw_ops.ResourceApplyAdam(
                var=value.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=tf.cast(gradient, value.dtype),
            )
            return
        rows, change = sum_duplicates(gradient)
        change = tf.cast(change, value.dtype)
        m = self.beta_1 * tf.gather(first, rows) + (1 - self.beta_1) * change
        v = self.beta_2 * tf.gather(second, rows) + (1 - self.beta_2) * change**2
        tf.raw_ops.ResourceScatterUpdate(resource=first.handle, indices=rows, updates=m)
        tf.raw_ops.ResourceScatterUpdate(resource=second.handle, indices=rows, updates=v)
        rate *= tf.sqrt(1 - powers[1]) / (1 - powers[0])
        tf.raw_ops.ResourceScatterSub(
            resource=value.handle, indices=rows, updates=rate * m / (tf.sqrt(v) + self.epsilon)
        )

    def get_config(self) -> dict[str, object]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
