"""Thresholds: the best F1 by brute force, in training, saved, in the metrics."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config import Config, ConfigError
from tfmtl.heads.thresholds import ScoreCounts, Thresholds
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model, save_model
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.evaluating import evaluate_model
from tfmtl.training.examples import read_examples
from tfmtl.training.thresholding import tune_thresholds

NAN = float("nan")
CLICK = {"kind": "binary", "label": "click", "threshold": "tuned"}


def f1(labels: np.ndarray, chances: np.ndarray, weights: np.ndarray, threshold: float) -> float:
    known = ~np.isnan(labels)
    right, wrong, missed = 0.0, 0.0, 0.0
    for label, chance, weight in zip(labels[known], chances[known], weights[known], strict=True):
        predicted = chance >= threshold
        right += weight * (label == 1 and predicted)
        wrong += weight * (label == 0 and predicted)
        missed += weight * (label == 1 and not predicted)
    return 2 * right / (2 * right + wrong + missed) if right else 0.0


def tuned(labels: Any, chances: Any, weights: Any = None) -> np.ndarray:
    labels, chances = np.array(labels, np.float32), np.array(chances, np.float32)
    counts = ScoreCounts(labels.shape[1])
    weights = np.ones(len(labels)) if weights is None else weights
    half = len(labels) // 2
    for part in (slice(half), slice(half, None)):
        counts.add(labels[part], chances[part], weights[part])
    return counts.best()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(40, 80))
def test_no_other_threshold_is_better(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random((rows, 2)) < 0.5).astype(np.float32)
    labels[random.random((rows, 2)) < 0.1] = NAN
    chances = np.round(random.random((rows, 2)), 2) * 0.98 + 0.01
    weights = random.uniform(1, 3, rows)
    for label, threshold in enumerate(tuned(labels, chances, weights)):
        own = labels[:, label], chances[:, label].astype(np.float32), weights
        best = max(f1(*own, tried) for tried in np.arange(0.005, 1, 0.005))
        assert f1(*own, threshold) >= best - 1e-9


def test_it_lies_in_the_middle_of_a_gap() -> None:
    labels = [[1]] * 10 + [[0]] * 10
    (found,) = tuned(labels, [[0.8]] * 10 + [[0.2]] * 10)
    # The logits of 0.8 and 0.2 are 1.39 and -1.39.
    assert found == pytest.approx(0.5, abs=0.01)


def test_a_rare_label_takes_what_is_best_for_all() -> None:
    frequent = np.array([1.0] * 20 + [0.0] * 20)
    chances = np.array([0.4] * 20 + [0.1] * 20)
    rare = np.array([1.0] * 3 + [0.0] * 37)
    unseen = np.zeros(40)
    low = np.full(40, 0.01)
    found = tuned(np.stack([frequent, rare, unseen], 1), np.stack([chances, low, low], 1))
    assert 0.1 < found[0] < 0.4
    assert found[1] == found[2]
    assert 0.1 < found[1] < 0.4
    high = np.where(frequent > 0, 0.9, 0.8)
    found = tuned(np.stack([frequent, rare], 1), np.stack([high, low], 1))
    assert 0.8 < found[0] < 0.9
    assert found[1] == 0.5
    assert tuned(np.zeros((4, 1)), np.full((4, 1), 0.3)).tolist() == [0.5]
    assert tuned(np.full((4, 1), NAN), np.full((4, 1), 0.3)).tolist() == [0.5]


def test_values_are_those_that_were_assigned() -> None:
    layer = Thresholds(3)
    assert layer.values.tolist() == [0.5, 0.5, 0.5]
    layer.assign([0.1, 0.3, 0.7])
    assert layer.values.tolist() == [0.1, 0.3, 0.7]
    assert not layer.trainable_variables


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_transformed(tmp_path_factory.mktemp("thresholds") / "transformed", config())


def config(threshold: Any = "tuned") -> Config:
    return tiny.make_config({"tasks": {"click": {**CLICK, "threshold": threshold}}})


def rows(model: MultiTaskModel, directory: Path) -> tuple[np.ndarray, np.ndarray]:
    ((x, y, _),) = read_examples(directory, model.config, batch_size=1000, shuffle=False)
    return y["click"].numpy(), model.rank(x)["click"].numpy()


def test_the_threshold_of_the_validation_rows_is_kept_and_measured(
    transformed: Path, tmp_path: Path
) -> None:
    model = MultiTaskModel(config(), tiny.sizes())
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    found = float(tune_thresholds(model, transformed / "validation")["click"][0])
    labels, chances = rows(model, transformed / "validation")
    ones = np.ones(len(labels))
    best = max(f1(labels, chances, ones, tried) for tried in chances)
    assert f1(labels, chances, ones, found) == pytest.approx(best)

    save_model(model, tmp_path / "model", transformed)
    loaded = load_model(tmp_path / "model")
    assert loaded.ranking is not None
    assert loaded.ranking.thresholds["click"].values[0] == pytest.approx(found)
    overall = evaluate_model(loaded, config(), transformed)["click"]["overall"]
    labels, chances = rows(model, transformed / "test")
    assert overall["f1"] == pytest.approx(f1(labels, chances, np.ones(len(labels)), found))
    predicted = chances >= np.float32(found)
    assert overall["precision"] == pytest.approx(labels[predicted].mean())
    assert overall["recall"] == pytest.approx(predicted[labels == 1].mean())


def test_without_validation_rows_it_stays(transformed: Path, tmp_path: Path) -> None:
    model = MultiTaskModel(config(), tiny.sizes())
    assert tune_thresholds(model, tmp_path / "validation") == {}
    assert model.ranking is not None
    assert model.ranking.thresholds["click"].values.tolist() == [0.5]


def test_a_number_is_taken_as_it_is(transformed: Path) -> None:
    model = MultiTaskModel(config(0.3), tiny.sizes())
    assert tune_thresholds(model, transformed / "validation") == {}
    overall = evaluate_model(model, config(0.3), transformed)["click"]["overall"]
    labels, chances = rows(model, transformed / "test")
    assert overall["f1"] == pytest.approx(f1(labels, chances, np.ones(len(labels)), 0.3))
    plain = config(None)
    found = evaluate_model(MultiTaskModel(plain, tiny.sizes()), plain, transformed)["click"]
    assert "f1" not in found["overall"]
    json.dumps(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks.click.threshold": "best"},
            "threshold: give a probability .* or 'tuned', got 'best'",
        ),
        (
            {"tasks.click.threshold": 1.0},
            "threshold: give a probability between 0 and 1, .*got 1.0",
        ),
        (
            {"tasks.click": CLICK, "split.validation": "0d"},
            "tasks.click.threshold: it is tuned on validation rows; there are none",
        ),
        (
            {
                "tasks.click": CLICK,
                "tasks.click_thresholds": {"kind": "binary", "label": "cart"},
            },
            "tasks.click_thresholds: a served model names the thresholds of task 'click' so",
        ),
        (
            {"gate": [{"task": "click", "metric": "f1", "at_least": 0.1}]},
            "task 'click' has no metric 'f1'",
        ),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        tiny.make_config(changes)
    assert "\n" not in str(raised.value)


def test_a_gate_may_ask_for_f1() -> None:
    rule = {"task": "click", "metric": "f1", "at_least": 0.1}
    assert tiny.make_config({"tasks.click": CLICK, "gate": [rule]}).gate[0].metric == "f1"


def test_inputs_of_a_tuned_model_are_as_before(transformed: Path) -> None:
    x, *_ = tiny.batch(Preprocessor(config(), transformed))
    plain = MultiTaskModel(config(None), tiny.sizes())
    assert list(plain.inputs_spec) == list(MultiTaskModel(config(), tiny.sizes()).inputs_spec)
    assert set(plain.inputs_spec) <= set(x)
