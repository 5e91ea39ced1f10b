"""Weights in fewer bytes: what they lose at most, and models that read them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmtl.layers.stored import Stored
from tfmtl.models.compression import Compression
from tfmtl.models.multi_task import MultiTaskModel

FLOATS = st.floats(-1e3, 1e3, width=32)
TABLES = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=FLOATS)
LARGE = {
    "model.trunk": {"kind": "shared_bottom", "units": [64, 32]},
    "model.tower": [40],
    "model.retrieval": {"dim": 40, "units": [64]},
}
"""Kernels of more than 1,024 numbers, which are worth storing otherwise."""


@settings(max_examples=50, deadline=None)
@given(TABLES)
def test_int8_is_at_most_half_a_scale_off(values: np.ndarray) -> None:
    stored = Stored(values, "int8")
    largest = np.abs(values).max(axis=1, keepdims=True)
    assert np.all(np.abs(stored.whole().numpy() - values) <= largest / 127 * 0.5001 + 1e-30)
    assert stored.nbytes == values.size + 4 * len(values)


@settings(max_examples=50, deadline=None)
@given(TABLES)
def test_bfloat16_is_at_most_a_five_hundredth_off(values: np.ndarray) -> None:
    stored = Stored(values, "bfloat16")
    assert np.all(np.abs(stored.whole().numpy() - values) <= np.abs(values) * 2**-8 + 1e-37)
    assert stored.nbytes == 2 * values.size


def test_int8_by_hand() -> None:
    stored = Stored(np.array([[1.27, -0.63, 0.004], [0.0, 0.0, 0.0]], np.float32), "int8")
    assert stored.values.numpy().tolist() == [[127, -63, 0], [0, 0, 0]]
    np.testing.assert_allclose(stored.scales.numpy(), [[0.01], [1.0]])
    np.testing.assert_allclose(stored.gather(tf.constant([[1, 0]]))[0, 1], [1.27, -0.63, 0.0])


def test_columns_of_a_kernel_have_scales_of_their_own() -> None:
    kernel = np.array([[100.0, 0.01], [-50.0, 0.02]], np.float32)
    stored = Stored(kernel, "int8", axis=-2)
    np.testing.assert_allclose(stored.scales.numpy(), [[100 / 127, 0.02 / 127]], rtol=1e-6)
    np.testing.assert_allclose(stored.whole().numpy(), kernel, rtol=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected finite numbers to store as int8"):
        Stored(np.array([[bad]], np.float32), "int8")


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    """Its tables, too, have more than 1,024 numbers."""
    keras.utils.set_random_seed(1)
    return MultiTaskModel(tiny.make_config(LARGE), tiny.sizes() | {"user_id": 1_200})


@pytest.mark.parametrize(("kind", "bound"), [("bfloat16", 0.02), ("int8", 0.03)])
def test_a_model_reads_what_is_stored(model, preprocessor, kind: str, bound: float) -> None:
    x, _, _ = tiny.batch(preprocessor)
    inputs = {name: tf.constant(x[name]) for name in model.inputs_spec}
    compression = Compression(model, kind)
    unpacked = compression.unpacked()

    @tf.function
    def compressed(inputs):
        with compression.reading():
            return model(inputs)

    full, expected, found = model(inputs), unpacked(inputs), compressed(inputs)
    assert list(found) == ["click", "cart", "stars", "retrieve"]
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)
        assert 0 < np.abs(values - full[name]).max() < bound
    # Outside of `reading` the model is as it was.
    for name, values in model(inputs).items():
        np.testing.assert_array_equal(values, full[name])


def test_the_graph_holds_no_weight_twice(model) -> None:
    compression = Compression(model, "int8")

    def compressed(inputs):
        with compression.reading():
            return model.rank(inputs)

    spec = {n: tf.TensorSpec([None, *s.shape[1:]], s.dtype) for n, s in model.inputs_spec.items()}
    graph = tf.function(compressed).get_concrete_function(spec).graph
    captured = {id(v) for v in graph.variables}
    large = [v.value for v in model.variables if v.dtype == "float32" and np.prod(v.shape) >= 1024]
    assert any(v.shape == (1_202 + 6 + 2, 4) for v in large)
    assert not captured & {id(v) for v in large if len(v.shape) >= 2}


def test_bytes_shrink(model) -> None:
    sizes = {kind: Compression(model, kind).nbytes for kind in ("bfloat16", "int8")}
    full = sum(4 * int(np.prod(v.shape)) for v in model.variables)
    assert sizes["int8"] < sizes["bfloat16"] < full
