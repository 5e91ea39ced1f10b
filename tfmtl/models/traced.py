"""Functions of batches as graphs."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf


def traced(
    function: Callable[[Mapping[str, tf.Tensor]], Any], spec: Mapping[str, tf.TensorSpec]
) -> Callable[[Mapping[str, tf.Tensor]], Any]:
    """The graph of a function of a batch, made once for batches of any size.

    A `tf.function` would make one for the first size and another for the second. The graph goes by
    the variables that there are now: make it anew when layers change.

    Args:
        function: of `{input: tensor}`.
        spec: of the inputs; the first axis is that of the batch, whatever its size here.

    Example:
        >>> rank = traced(model.rank, model.inputs_spec)
        >>> [rank({name: x[name] for name in model.inputs_spec}) for x, _, _ in examples]
    """
    any_size = {
        name: tf.TensorSpec([None, *one.shape[1:]], one.dtype) for name, one in spec.items()
    }
    graph = tf.function(lambda inputs: function(inputs)).get_concrete_function(any_size)
    return lambda batch: graph({name: tf.convert_to_tensor(batch[name]) for name in any_size})
