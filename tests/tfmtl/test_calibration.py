"""Platt scaling: its optimum by brute force, by scenario, with weights, in training and saved."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config import ConfigError
from tfmtl.heads.calibration import PlattScaling, fit_platt
from tfmtl.models.saved import load_model, save_model
from tfmtl.training.calibrating import calibrate
from tfmtl.training.trainer import train

RANKING = {name: dict(tiny.RAW["tasks"][name]) for name in ("click", "cart")}
CALIBRATED = {
    "tasks": {name: {**task, "calibration": "platt"} for name, task in RANKING.items()},
    "training.batch_size": 20,
}


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def penalised(logits, labels, weights, scale, shift, prior, strength):
    chances = sigmoid(scale * logits + shift)
    losses = -(labels * np.log(chances) + (1 - labels) * np.log(1 - chances))
    distance = (scale - prior[0]) ** 2 + (shift - prior[1]) ** 2
    return np.sum(weights * losses) + strength / 2 * distance


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 40), st.floats(0.1, 20.0))
def test_no_scale_and_shift_nearby_are_better(seed: int, rows: int, strength: float) -> None:
    random = np.random.default_rng(seed)
    logits, weights = random.normal(0, 2, rows), random.uniform(0.1, 3, rows)
    labels = (random.random(rows) < sigmoid(0.7 * logits + 0.5)).astype(float)
    prior = (0.9, -0.3)
    found = fit_platt(logits, labels, weights, prior, strength)
    least = penalised(logits, labels, weights, *found, prior, strength)
    assert found[0] > 0
    held = found[0] == prior[0]  # where the best scale is not positive
    for scale in [prior[0]] if held else np.linspace(0.02, 3, 40):
        for shift in np.linspace(-4, 4, 40):
            other = penalised(logits, labels, weights, scale, shift, prior, strength)
            assert least <= other + 1e-6


def test_finds_the_scale_and_shift_that_the_labels_were_drawn_with() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(-1, 1.5, 400_000)
    labels = (random.random(len(logits)) < sigmoid(0.6 * logits - 0.8)).astype(float)
    scale, shift = fit_platt(logits, labels, np.ones(len(logits)))
    # The standard errors are near .003.
    assert scale == pytest.approx(0.6, abs=0.02)
    assert shift == pytest.approx(-0.8, abs=0.02)


def test_logits_that_order_rows_the_wrong_way_are_shifted_only() -> None:
    logits, labels = np.array([-1.0, -1.0, 1.0, 1.0] * 50), np.array([1.0, 1.0, 0.0, 1.0] * 50)
    scale, shift = fit_platt(logits, labels, np.ones(200), strength=1e-6)
    assert scale == 1.0
    # With the scale held, the mean prediction is the labels' mean, 3/4.
    assert np.mean(sigmoid(logits + shift)) == pytest.approx(0.75, abs=1e-6)


def test_one_class_or_no_row_stays_near_the_prior() -> None:
    assert fit_platt(np.zeros(0), np.zeros(0), np.zeros(0), (0.8, 0.2)) == (0.8, 0.2)
    scale, shift = fit_platt(np.zeros(4), np.zeros(4), np.ones(4), (1.0, 0.0), strength=10.0)
    # By hand: 4 sigmoid(b) + 10 b = 0, whose root is -.181818 to the first order: b = -.1819.
    assert scale == 1.0
    assert shift == pytest.approx(-0.1819, abs=2e-3)


def test_the_layer_scales_each_scenario_by_its_own() -> None:
    layer = PlattScaling(scenarios=2)
    logits = tf.constant([1.0, 1.0, 1.0])
    assert layer(logits, tf.constant([0, 1, 2])).numpy().tolist() == [1.0, 1.0, 1.0]
    layer.assign(np.array([[2.0, 0.5], [0.5, -1.0], [1.0, 3.0]]))
    assert layer(logits, tf.constant([0, 1, 2])).numpy().tolist() == [2.5, -0.5, 4.0]
    assert not layer.trainable_variables


def predictions(model, split: Path) -> tuple[dict[str, np.ndarray], pa.Table]:
    table = pq.read_table(split)
    inputs = {}
    for name, spec in model.inputs_spec.items():
        column = table[name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            values = column.flatten().to_numpy().reshape(len(column), -1)
        else:
            values = column.to_numpy()
        inputs[name] = tf.constant(values.astype(spec.dtype.as_numpy_dtype))
    return {name: value.numpy() for name, value in model.rank(inputs).items()}, table


def test_probabilities_come_to_the_share_of_each_scenario(transformed: Path) -> None:
    """At Platt's optimum `sum_i w_i (p_i - y_i)` is what the penalty pulls, here below 1 row."""
    model = tiny.make_model(CALIBRATED)
    for head in model.ranking.heads.values():
        head.output_layer.bias.assign([2.0])  # predicts far too much
    split = transformed / "train"
    before, table = predictions(model, split)
    found = calibrate(model, split)
    after, _ = predictions(model, split)
    assert set(found) == {"click", "cart"}
    assert found["click"].shape == (3, 2)
    labels = table["label/click"].to_numpy()
    for scenario in ("search", "feed"):
        own = np.array(table["slice/scenario"].to_pylist()) == scenario
        assert np.mean(before["click"][own]) > np.mean(labels[own]) + 0.2
        assert np.mean(after["click"][own]) == pytest.approx(np.mean(labels[own]), abs=0.1)
    # Carts exist in search only: the feed's scales are those of all rows, which are search's.
    np.testing.assert_allclose(found["cart"][1], found["cart"][2])
    # Once more finds the same: what is fitted are the logits before calibration.
    again = calibrate(model, split)
    np.testing.assert_array_equal(found["click"], again["click"])


def test_rows_of_downsampled_negatives_count_for_those_they_stand_for(
    transformed: Path, tmp_path: Path
) -> None:
    """A negative kept at a rate of 1/4 stands for four rows."""
    split = tmp_path / "split"
    shutil.copytree(transformed / "train", split)
    table = pq.read_table(split)
    shutil.rmtree(split)
    split.mkdir()
    rate = pa.array(np.full(len(table), 0.25, np.float32))
    pq.write_table(table.append_column("meta/keep_rate", rate), split / "part-0.parquet")
    model = tiny.make_model({**CALIBRATED, "tasks": {"click": CALIBRATED["tasks"]["click"]}})
    calibrate(model, split)
    found, _ = predictions(model, split)
    labels = table["label/click"].to_numpy()
    weights = np.where(labels == 1, 1.0, 4.0)
    share = np.sum(weights * labels) / np.sum(weights)
    assert np.sum(weights * found["click"]) / np.sum(weights) == pytest.approx(share, abs=0.03)
    assert share < 0.3 < np.mean(labels)


def test_training_calibrates_and_the_scales_are_saved(transformed: Path, tmp_path: Path) -> None:
    trained = train(tiny.make_config(CALIBRATED), transformed).model
    scales = trained.ranking.calibrations["click"].scales.numpy()
    assert not np.allclose(scales, [[1.0, 0.0]] * 3)
    save_model(trained, tmp_path / "model", transformed)
    loaded = load_model(tmp_path / "model")
    expected, _ = predictions(trained, transformed / "test")
    given_back, _ = predictions(loaded, transformed / "test")
    np.testing.assert_array_equal(expected["click"], given_back["click"])


def test_a_funnel_stays_in_order_when_calibrated(transformed: Path) -> None:
    tasks = {name: dict(task) for name, task in CALIBRATED["tasks"].items()}
    tasks["cart"]["after"] = "click"
    model = tiny.make_model({**CALIBRATED, "tasks": tasks, "model.funnel": {"kind": "esmm"}})
    model.ranking.calibrations["cart"].assign(np.array([[1.0, 9.0]] * 3))
    found, _ = predictions(model, transformed / "test")
    assert np.all(found["cart"] <= found["click"])
    np.testing.assert_allclose(found["cart_after_click"], 1.0)


def test_a_task_that_is_not_binary_has_no_calibration() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.stars.*calibration"):
        tiny.make_config({"tasks.stars.calibration": "platt"})


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ConfigError, match="platt"):
        tiny.make_config({"tasks.click.calibration": "isotonic"})
