"""A function of a batch is traced once, whatever the batches' sizes."""

from collections.abc import Mapping

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.models.traced import traced

SPEC = {"x": tf.TensorSpec([None, 2], tf.float32), "n": tf.TensorSpec([3], tf.int32)}


def test_one_graph_for_batches_of_all_sizes() -> None:
    traces = []

    def function(inputs: Mapping[str, tf.Tensor], doubled: bool = True) -> tf.Tensor:
        traces.append(inputs)
        sums = tf.reduce_sum(inputs["x"], axis=1) + tf.cast(inputs["n"], tf.float32)
        return 2 * sums if doubled else sums

    of_batch = traced(function, SPEC)
    for rows in (3, 0, 1):
        given = {"x": np.ones((rows, 2), np.float32), "n": np.arange(rows, dtype=np.int32)}
        found = of_batch({**given, "beside": np.array(["is not read"])})
        np.testing.assert_array_equal(found, [4.0, 6.0, 8.0][:rows])
    assert len(traces) == 1


def test_an_input_of_another_kind_is_refused() -> None:
    of_batch = traced(lambda inputs: inputs["x"], SPEC)
    with pytest.raises((TypeError, ValueError), match="n"):
        of_batch({"x": np.ones((1, 2), np.float32), "n": np.array(["one"])})
