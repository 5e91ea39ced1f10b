"""Cosines of gradients against gradients taken one by one, and their record through a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.models.competition import cosines, gradient_products
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.examples import read_examples
from tfmtl.training.trainer import train

CHANGES: Mapping[str, Any] = {
    "model.trunk": {"kind": "mmoe", "experts": 2, "units": [8]},
    "tasks.click.weight": 3.0,
}
SCENARIOS = (2, 3)
"""Ids of search and feed."""


def batch(transformed: Path, model: MultiTaskModel) -> Any:
    return next(iter(read_examples(transformed / "train", model.config, batch_size=40)))


def flat(gradients: Any) -> np.ndarray:
    """Gradients as one vector, those of tables written out in full."""
    return np.concatenate(
        [tf.convert_to_tensor(g).numpy().ravel() for g in gradients if g is not None]
    )


def products(vectors: list[np.ndarray]) -> np.ndarray:
    return np.array([[one @ other for other in vectors] for one in vectors])


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    return tiny.make_model(CHANGES)


@pytest.fixture(scope="module")
def measured(transformed: Path, model: MultiTaskModel) -> dict[str, np.ndarray]:
    x, y, weights = batch(transformed, model)
    return {n: v.numpy() for n, v in gradient_products(model, x, y, weights).items()}


def test_products_on_the_tables_are_those_of_the_whole_gradients(
    transformed: Path, model: MultiTaskModel, measured: Mapping[str, np.ndarray]
) -> None:
    x, y, weights = batch(transformed, model)
    tables = model.encoding.embedding.trainable_variables
    vectors = []
    for task in model.config.tasks:
        with tf.GradientTape() as tape:
            loss = model.losses_by_task(x, y, weights)[task]
        dense = [
            tf.zeros_like(v.value) if g is None else tf.convert_to_tensor(g)
            for v, g in zip(tables, tape.gradient(loss, tables), strict=True)
        ]
        vectors.append(flat(dense))
    np.testing.assert_allclose(measured["tables"], products(vectors), rtol=1e-4, atol=1e-9)


def test_products_on_the_representation_add_up_over_the_rows_of_the_scenarios(
    transformed: Path, model: MultiTaskModel, measured: Mapping[str, np.ndarray]
) -> None:
    x, y, weights = batch(transformed, model)
    (shared,), own = model.ranking.shared(x, model.encoding(x))
    by_task = []
    for task in model.config.ranking_tasks:
        with tf.GradientTape() as tape:
            tape.watch(shared)
            loss = model.losses_from(x, y, weights, [shared], own)[task]
        by_task.append(tape.gradient(loss, shared).numpy().reshape(40, -1))
    expected = products([gradient.ravel() for gradient in by_task])
    np.testing.assert_allclose(measured["representation"], expected, rtol=1e-4, atol=1e-9)
    for place, value in enumerate(SCENARIOS):
        rows = x["scenario"].numpy() == value
        expected = products([gradient[rows].ravel() for gradient in by_task])
        np.testing.assert_allclose(measured["by_scenario"][place], expected, rtol=1e-4, atol=1e-9)


def test_products_of_scenarios_are_those_of_the_losses_on_their_rows_alone(
    transformed: Path, model: MultiTaskModel, measured: Mapping[str, np.ndarray]
) -> None:
    x, y, weights = batch(transformed, model)
    variables = model.ranking.trunk.trainable_variables
    vectors = []
    for value in SCENARIOS:
        rows = x["scenario"].numpy() == value
        part = {name: values[rows] for name, values in x.items()}
        labels = {task: values[rows] for task, values in y.items()}
        with tf.GradientTape() as tape:
            losses = model.losses_by_task(part, labels, weights[rows])
            loss = 3.0 * losses["click"] + losses["cart"] + losses["stars"]
        dense = [
            tf.zeros_like(v.value) if g is None else g
            for v, g in zip(variables, tape.gradient(loss, variables), strict=True)
        ]
        vectors.append(flat(dense))
    np.testing.assert_allclose(measured["scenarios"], products(vectors), rtol=1e-4, atol=1e-7)


def test_cosines_leave_out_who_has_no_gradient() -> None:
    gram = np.array([[4.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert cosines(gram, ["click", "cart", "stars"]) == {"click|cart": -0.5}


def test_a_model_of_one_task_and_no_scenario_has_nothing_to_compare(transformed: Path) -> None:
    alone = tiny.make_model(
        {"tasks": {"click": tiny.RAW["tasks"]["click"]}, "scenario": None, "evaluation": {}}
    )
    assert gradient_products(alone, *batch(transformed, alone)) == {}


def test_a_trunk_that_shares_nothing_is_compared_on_the_tables(transformed: Path) -> None:
    apart = tiny.make_model({"model.trunk": {"kind": "single_task", "units": [4]}})
    found = gradient_products(apart, *batch(transformed, apart))
    assert set(found) == {"tables", "scenarios"}


RECORDED = {
    "tasks": {name: tiny.RAW["tasks"][name] for name in ("click", "stars")},
    "model.trunk": {"kind": "shared_bottom", "units": [8], "dropout": 0.2},
    "training.epochs": 2,
    "training.batch_size": 12,
    "training.gradient_cosines": 3,
    "training.checkpoints": {"steps": 2},
}


@pytest.mark.slow
def test_a_training_records_them_and_learns_as_without(transformed: Path, tmp_path: Path) -> None:
    def stop(batch: int, logs: Any) -> None:
        seen.append(batch)
        if len(seen) == 9:
            raise KeyboardInterrupt

    seen: list[int] = []
    config = tiny.make_config(RECORDED)
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        train(config, transformed, callbacks=[callback], work=tmp_path)
    resumed = train(config, transformed, work=tmp_path)

    whole = train(config, transformed)
    steps = [(record["epoch"], record["step"]) for record in whole.cosines]
    assert steps == [(1, 2), (1, 4), (1, 6), (2, 8), (2, 10), (2, 12)], "64 rows, batches of 12"
    for record in whole.cosines:
        assert set(record["pairs"]) == set(record["tables"]) == {"click|stars"}
        assert set(record["scenarios"]) == {"search|feed"}
        assert abs(record["pairs"]["click|stars"]) <= 1
    assert resumed.cosines == whole.cosines

    plain = train(tiny.make_config({**RECORDED, "training.gradient_cosines": 0}), transformed)
    assert plain.cosines == []
    for one, other in zip(whole.model.variables, plain.model.variables, strict=True):
        assert np.array_equal(one.numpy(), other.numpy()), one.path
