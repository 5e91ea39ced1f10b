"""What belongs to one scenario, applied to the rows of that scenario."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


def by_scenario(
    function: Callable[[int, tf.Tensor], tf.Tensor],
    rows: tf.Tensor,
    scenario: tf.Tensor,
    scenarios: int,
) -> tf.Tensor:
    """Applies a function to the rows of every scenario, each row being passed through once.

    Args:
        function: called with every index up to `scenarios`, which stands for the unknown one, and
            with the rows of that scenario, `[any, width]`, of which there may be none.
        rows: `[batch, width]`.
        scenario: int32 `[batch]`.
        scenarios: number of scenarios.

    Returns:
        `[batch, ...]`, in the order of the rows.

    Example:
        >>> scale = [1.0, 10.0, 0.0]
        >>> rows, scenario = tf.constant([[1.0], [2.0], [3.0]]), tf.constant([1, 0, 2])
        >>> by_scenario(lambda i, part: scale[i] * part, rows, scenario, 2)[:, 0].numpy().tolist()
        [10.0, 2.0, 0.0]
    """
    places = tf.dynamic_partition(tf.range(tf.shape(rows)[0]), scenario, scenarios + 1)
    groups = tf.dynamic_partition(rows, scenario, scenarios + 1)
    return tf.dynamic_stitch(places, [function(i, group) for i, group in enumerate(groups)])


def membership(scenario: tf.Tensor, scenarios: int) -> tf.Tensor:
    """1 where a row is of a scenario, float32 `[batch, scenarios + 1]`; the last is the unknown.

    Multiplied with values by scenario it looks up a row's; transposed and multiplied with values
    by row it sums a scenario's. Both are many times faster than gather and segment sums are,
    forward or backward.
    """
    return tf.one_hot(scenario, scenarios + 1)


def pick(values: Sequence[tf.Tensor], members: tf.Tensor) -> tf.Tensor:
    """The vector of a row's scenario.

    Args:
        values: float32 vectors `[width]`, one a scenario and one for the unknown.
        members: `[batch, scenarios + 1]`, as `membership` gives it.

    Returns:
        float32 `[batch, width]`.
    """
    return tf.matmul(members, tf.stack(list(values)))


def start_at_mean(variables: Sequence[keras.Variable], first: int) -> None:
    """Gives the variables from `first` on, one a scenario, the mean of those before."""
    mean = tf.add_n([variable.value for variable in variables[:first]]) / first
    for variable in variables[first:]:
        variable.assign(mean)


def mix(weights: tf.Tensor, opinions: Sequence[tf.Tensor]) -> tf.Tensor:
    """Weighted sum of experts' opinions: `sum_i w_i f_i`.

    Args:
        weights: `[batch, experts]`.
        opinions: of every expert, `[batch, width]`.

    Returns:
        `[batch, width]`, in the opinions' dtype.
    """
    weights = tf.cast(weights, opinions[0].dtype)
    return tf.add_n([weights[:, i : i + 1] * opinion for i, opinion in enumerate(opinions)])
