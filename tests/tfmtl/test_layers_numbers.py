"""Embeddings of numbers against the equations of Gorishniy et al. 2022."""

from statistics import NormalDist

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.layers.periodic import Periodic
from tfmtl.layers.piecewise import PiecewiseLinear


def test_waves_by_hand() -> None:
    """Section 3.3: `[sin 2 pi c x; cos 2 pi c x]`."""
    layer = Periodic(frequencies=2, sigma=1.0, dim=1)
    layer.frequencies.assign([0.25, 1.0])
    found = layer.waves(tf.constant([1.0, 0.0, 0.5]))
    half = np.sqrt(0.5)
    expected = [[1, 0, 0, 1], [0, 0, 1, 1], [half, 0, half, -1]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_periodic_embedding_ends_in_a_dense_layer() -> None:
    layer = Periodic(frequencies=1, sigma=1.0, dim=2)
    layer(tf.constant([1.0]))
    layer.frequencies.assign([0.25])
    layer.dense.set_weights([np.array([[2.0, -2.0], [5.0, 5.0]]), np.array([0.5, 0.5])])
    np.testing.assert_allclose(layer(tf.constant([1.0])), [[2.5, 0.0]], atol=1e-5)


def test_frequencies_start_as_wide_as_sigma() -> None:
    drawn = Periodic(frequencies=4000, sigma=0.3, dim=1).frequencies.numpy()
    assert abs(drawn.mean()) < 0.03
    assert drawn.std() == pytest.approx(0.3, rel=0.05)


def test_frequencies_learn() -> None:
    layer = Periodic(frequencies=3, sigma=0.5, dim=2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.constant([0.7, -1.2])))
    assert tape.gradient(loss, layer.frequencies.value).numpy().any()


def test_waves_keep_their_phase_in_bfloat16() -> None:
    rough = Periodic(frequencies=2, sigma=1.0, dim=1, dtype="mixed_bfloat16")
    rough.frequencies.assign([0.25, 1.0])
    x = np.array([100.2, -33.3], "f")
    waves = [np.sin(2 * np.pi * c * x) for c in (0.25, 1.0)]
    np.testing.assert_allclose(rough.waves(tf.constant(x))[:, :2], np.stack(waves, 1), atol=1e-3)
    assert rough(tf.constant(x)).dtype == tf.bfloat16


def test_shares_of_bins_by_hand() -> None:
    """Equation 1 with the bounds 0, 1, 3, 4."""
    layer = PiecewiseLinear(bins=3, dim=1)
    layer.bounds.assign([0.0, 1.0, 3.0, 4.0])
    found = layer.shares(tf.constant([-2.0, 0.0, 0.25, 1.0, 2.0, 3.5, 6.0]))
    expected = [
        [-2, 0, 0],
        [0, 0, 0],
        [0.25, 0, 0],
        [1, 0, 0],
        [1, 0.5, 0],
        [1, 1, 0.5],
        [1, 1, 3],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_bin_is_a_line() -> None:
    layer = PiecewiseLinear(bins=1, dim=1)
    layer.bounds.assign([1.0, 3.0])
    assert layer.shares(tf.constant([0.0, 2.0, 5.0])).numpy().tolist() == [[-0.5], [0.5], [2.0]]


def test_bounds_are_quantiles() -> None:
    layer = PiecewiseLinear(bins=4, dim=1)
    layer.adapt(np.array([8.0, 0.0, 2.0, 4.0, 100.0]))
    assert layer.bounds.numpy().tolist() == [0.0, 2.0, 4.0, 8.0, 100.0]
    assert not layer.bounds.trainable


def test_bounds_start_at_the_normal_distributions() -> None:
    bounds = PiecewiseLinear(bins=4, dim=1).bounds.numpy()
    expected = [-3.0, NormalDist().inv_cdf(0.25), 0.0, NormalDist().inv_cdf(0.75), 3.0]
    np.testing.assert_allclose(bounds, expected, atol=1e-6)
    assert np.all(np.diff(PiecewiseLinear(bins=1024, dim=1).bounds.numpy()) >= 0)


def test_bins_of_no_width_are_steps() -> None:
    layer = PiecewiseLinear(bins=4, dim=1)
    layer.adapt(np.zeros(9))
    found = layer.shares(tf.constant([-1.0, 0.0, 2.0]))
    assert found.numpy().tolist() == [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]


def test_a_bin_of_next_to_no_width_is_a_step() -> None:
    layer = PiecewiseLinear(bins=2, dim=1)
    layer.adapt(np.array([0.0, 1e-38, 1.0]))
    assert layer.shares(tf.constant([-1.0, 0.5])).numpy().tolist() == [[0, 0], [1, 0.5]]


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=30),
    x=st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=10),
)
def test_shares_never_fall_and_never_fail(values: list[float], x: list[float]) -> None:
    layer = PiecewiseLinear(bins=5, dim=1)
    layer.adapt(np.array(values))
    found = layer.shares(tf.constant(sorted(x), tf.float32)).numpy()
    assert np.isfinite(found).all()
    assert np.all(np.diff(found, axis=0) >= 0)
