"""The model as a whole: every trunk with every balancer, masks, saving, freezing."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import ConfigError
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_config, load_model, load_preprocessor, save_model
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.preprocessor import Preprocessor

TRUNKS = {
    "single_task": {"kind": "single_task", "units": [8]},
    "shared_bottom": {"kind": "shared_bottom", "units": [8]},
    "cross_stitch": {"kind": "cross_stitch", "units": [8]},
    "mmoe": {"kind": "mmoe", "experts": 2, "units": [8]},
    "cgc": {"kind": "cgc", "shared_experts": 1, "task_experts": 1, "units": [8]},
    "ple": {"kind": "ple", "levels": 2, "shared_experts": 1, "task_experts": 1, "units": [8]},
}
SCENARIO_NETS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "star": {"kind": "star", "units": [8], "auxiliary": [4]},
    "pepnet": {"kind": "pepnet", "gate_units": 8},
    "sar_net": {"kind": "sar_net", "shared_experts": 1, "scenario_experts": 1, "units": [8]},
    "hinet": {"kind": "hinet", "experts": 1, "units": [8], "attention": [4]},
    "m2m": {"kind": "m2m", "units": [8]},
}
BALANCERS: dict[str, dict[str, Any]] = {
    "static": {"kind": "static"},
    "uncertainty": {"kind": "uncertainty"},
    "dwa": {"kind": "dwa"},
    "rlw": {"kind": "rlw"},
    "famo": {"kind": "famo"},
    "priority": {
        "kind": "priority",
        "maximise": "stars",
        "subject_to": [{"task": "click", "metric": "auc", "at_least": 0.9}],
    },
    "gradnorm": {"kind": "gradnorm"},
    "mgda": {"kind": "mgda"},
    "pcgrad": {"kind": "pcgrad"},
    "gradvac": {"kind": "gradvac"},
    "cagrad": {"kind": "cagrad"},
    "imtl_g": {"kind": "imtl_g"},
    "nash_mtl": {"kind": "nash_mtl"},
}
CROSS = [
    (trunk, balancer, scenarios, net if scenarios > 1 else "none")
    for scenarios in (3, 1)
    for trunk in TRUNKS
    for balancer, net in zip(BALANCERS, itertools.cycle(SCENARIO_NETS), strict=False)
]
"""Every trunk with every balancer, and in three scenarios every trunk with every scenario net."""
QUICK = CROSS[: len(CROSS) // 2 : 3]
WHOLE = [
    ("mmoe", "none", "uncertainty", "float32"),
    ("ple", "pepnet", "pcgrad", "mixed_bfloat16"),
]
SMALL: dict[str, Any] = {
    "features": {
        "user": [{"name": "user_id", "kind": "id", "dim": 4}],
        "item": [{"name": "item_id", "kind": "id", "dim": 4}],
    },
    "tasks": {
        "click": {"kind": "binary", "label": "click"},
        "stars": {"kind": "regression", "label": "stars", "range": [1, 5]},
    },
    "scenario": None,
    "evaluation": {},
    "model.tower": [4],
}
TASKS = {"retrieve", "click", "cart", "stars"}


def tensors(batch: tuple) -> tuple:
    x, y, weights = batch
    return (
        {name: tf.constant(values) for name, values in x.items()},
        {name: tf.constant(values) for name, values in y.items()},
        tf.constant(weights),
    )


def total_loss(model: MultiTaskModel, batch: tuple) -> tf.Tensor:
    x, y, weights = tensors(batch)
    return model.weigh(model.losses_by_task(x, y, weights))


def gradients(model: MultiTaskModel, batch: tuple) -> dict[str, np.ndarray]:
    with tf.GradientTape() as tape:
        total = total_loss(model, batch)
    variables = model.trainable_variables
    found = tape.gradient(total, variables)
    return {
        variable.path: np.zeros(variable.shape) if g is None else np.array(tf.convert_to_tensor(g))
        for variable, g in zip(variables, found, strict=True)
    }


def compile_(model: MultiTaskModel, **options: object) -> MultiTaskModel:
    model.compile(optimizer=build_optimizer(model.config.training.optimizer), **options)
    return model


def train(model: MultiTaskModel, batch: tuple, steps: int = 1) -> None:
    for _ in range(steps):
        model.train_step(tensors(batch))


def values(model: MultiTaskModel) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in model.variables}


@pytest.mark.parametrize(
    ("trunk", "balancer", "scenarios", "net"),
    [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in CROSS],
)
def test_every_trunk_with_every_balancer_in_one_and_three_scenarios(
    preprocessor: Preprocessor,
    tmp_path: Path,
    trunk: str,
    balancer: str,
    scenarios: int,
    net: str,
) -> None:
    changes = {**SMALL, "model.trunk": TRUNKS[trunk], "model.balancer": BALANCERS[balancer]}
    changes["model.scenario_net"] = SCENARIO_NETS[net]
    if scenarios == 3:
        changes["scenario"] = {"column": "scenario", "values": ["search", "feed", "ads"]}
    model = tiny.make_model(changes)
    model.compile(optimizer=keras.optimizers.SGD(0.1))
    x, y, weights = tiny.batch(preprocessor, 12)
    x["scenario"] = np.arange(12, dtype=np.int32) % 4 + 1
    batch = tensors((x, {task: y[task] for task in SMALL["tasks"]}, weights))
    before = values(model)
    for _ in range(2):
        figures = model.train_step(batch)
    after = values(model)
    assert all(np.all(np.isfinite(value)) for value in [*figures.values(), *after.values()])
    moved = [path for path in before if not np.array_equal(before[path], after[path])]
    for part in ("embedding/", "/trunk/", "/click/", "/stars/"):
        assert any(part in path for path in moved), part

    predictions = model(batch[0])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded(batch[0])
    assert set(predictions) == set(SMALL["tasks"])
    for task, expected in predictions.items():
        assert np.array_equal(again[task], expected), task
    kept = values(loaded)
    assert all(np.array_equal(kept[path], value) for path, value in after.items())


@pytest.mark.slow
@pytest.mark.parametrize(("trunk", "net", "balancer", "policy"), WHOLE)
def test_the_whole_model_learns_and_survives_saving(
    preprocessor: Preprocessor,
    tmp_path: Path,
    trunk: str,
    net: str,
    balancer: str,
    policy: str,
) -> None:
    changes = {
        "model.trunk": TRUNKS[trunk],
        "model.scenario_net": SCENARIO_NETS[net],
        "model.balancer": BALANCERS[balancer],
    }
    model = compile_(tiny.make_model(changes, policy))
    batch = tiny.batch(preprocessor, 32)
    before = float(total_loss(model, batch))
    history = model.fit(tf.data.Dataset.from_tensors(batch).repeat(4), verbose=0).history
    assert set(history) >= {"loss", *(f"loss/{task}" for task in TASKS)}
    assert np.all(np.isfinite([figures[0] for figures in history.values()]))
    assert float(total_loss(model, batch)) < before

    predictions = model(tensors(batch)[0])
    assert set(predictions) == TASKS
    assert {tensor.shape for tensor in predictions.values()} == {(32,)}
    assert {tensor.dtype for tensor in predictions.values()} == {tf.float32}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.config == model.config
    assert loaded.policy == policy
    again = loaded(tensors(batch)[0])
    for task in TASKS:
        assert np.array_equal(again[task], predictions[task]), task


def test_evaluate_and_predict(preprocessor: Preprocessor) -> None:
    model = compile_(tiny.make_model())
    batch = tiny.batch(preprocessor, 16)
    figures = model.evaluate(tf.data.Dataset.from_tensors(batch), verbose=0, return_dict=True)
    x, y, weights = tensors(batch)
    expected = model.losses_by_task(x, y, weights)
    for task in TASKS:
        assert figures[f"loss/{task}"] == pytest.approx(float(expected[task]), rel=1e-5)
    assert figures["loss"] == pytest.approx(sum(map(float, expected.values())), rel=1e-5)
    predicted = model.predict(tf.data.Dataset.from_tensors(x), verbose=0)
    np.testing.assert_allclose(predicted["click"], model.rank(x)["click"], rtol=1e-5)
    assert set(model.rank(x)) == {"click", "cart", "stars"}


def test_bfloat16_computes_otherwise_than_float32(preprocessor: Preprocessor) -> None:
    x, *_ = tensors(tiny.batch(preprocessor, 16))
    exact, rough = tiny.make_model()(x), tiny.make_model(policy="mixed_bfloat16")(x)
    assert not np.array_equal(exact["click"], rough["click"])
    np.testing.assert_allclose(exact["click"], rough["click"], atol=0.05)


def test_retrieval_scores_are_products_of_the_towers(preprocessor: Preprocessor) -> None:
    model = tiny.make_model()
    x, *_ = tensors(tiny.batch(preprocessor, 8))
    query, item = model.query_vectors(x).numpy(), model.item_vectors(x).numpy()
    assert query.shape == item.shape == (8, 4)
    np.testing.assert_allclose(model(x)["retrieve"], (query * item).sum(axis=1), rtol=1e-5)


def test_vectors_of_length_one(preprocessor: Preprocessor) -> None:
    model = tiny.make_model({"model.retrieval.normalize": True})
    x, *_ = tensors(tiny.batch(preprocessor, 8))
    lengths = np.linalg.norm(model.query_vectors(x).numpy(), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)


def test_sum_towers_are_a_matrix_factorisation(preprocessor: Preprocessor) -> None:
    towers = {"kind": "sum", "dim": 4, "query": ["user_id"], "item": ["item_id"]}
    model = tiny.make_model({"model.retrieval": towers})
    x, *_ = tensors(tiny.batch(preprocessor, 8))
    tables = {n: model.encoding.embedding.rows_of(n) for n in ("user_id", "item_id")}
    expected = (tables["user_id"][x["user_id"]] * tables["item_id"][x["item_id"]]).sum(axis=1)
    np.testing.assert_allclose(model(x)["retrieve"], expected, rtol=1e-5)


def test_rows_without_a_label_do_not_influence_gradients(preprocessor: Preprocessor) -> None:
    click = {"click": {"kind": "binary", "label": "click"}}
    model = tiny.make_model({"tasks": click})
    x, y, weights = tiny.batch(preprocessor, 12)
    y = {"click": y["click"].copy()}
    weights = np.linspace(0.5, 2.0, 12, dtype=np.float32)
    y["click"][[1, 4, 5, 11]] = np.nan
    kept = np.isfinite(y["click"])
    known = ({n: v[kept] for n, v in x.items()}, {"click": y["click"][kept]}, weights[kept])
    masked, alone = gradients(model, (x, y, weights)), gradients(model, known)
    assert max(np.abs(g).max() for g in alone.values()) > 1e-3
    for path, gradient in alone.items():
        np.testing.assert_allclose(masked[path], gradient, rtol=1e-4, atol=1e-7, err_msg=path)


def test_rows_of_weight_zero_do_not_count(preprocessor: Preprocessor) -> None:
    model = tiny.make_model()
    x, y, _ = tiny.batch(preprocessor, 12)
    weights = (np.arange(12) < 8).astype(np.float32)
    other = {task: labels.copy() for task, labels in y.items()}
    for task in ("click", "cart", "stars"):
        other[task][8:] = 1.0
    first, second = gradients(model, (x, y, weights)), gradients(model, (x, other, weights))
    for path, gradient in first.items():
        np.testing.assert_allclose(second[path], gradient, atol=1e-7, err_msg=path)


def test_a_task_is_not_learnt_where_it_does_not_exist(preprocessor: Preprocessor) -> None:
    model = tiny.make_model()
    x, y, weights = tiny.batch(preprocessor, 32)
    feed = x["scenario"] == 3
    assert 0 < feed.sum() < 32
    assert np.isnan(y["cart"][feed]).all()
    x, y = ({n: v[feed] for n, v in part.items()} for part in (x, y))
    batch = (x, y, weights[feed])
    losses = model.losses_by_task(*tensors(batch))
    assert float(losses["cart"]) == 0.0
    assert float(losses["click"]) > 0.0
    found = gradients(model, batch)
    own = {path: g for path, g in found.items() if "tower_cart" in path or "/cart/" in path}
    assert own
    assert all(not g.any() for g in own.values())
    assert any(g.any() for path, g in found.items() if "tower_click" in path)


@pytest.mark.parametrize("eagerly", [True, False])
def test_a_batch_without_a_positive(preprocessor: Preprocessor, eagerly: bool) -> None:
    model = compile_(tiny.make_model(), run_eagerly=eagerly)
    x, y, weights = tiny.batch(preprocessor, 8)
    y = {**y, "retrieve": np.zeros(8, np.float32), "stars": np.full(8, np.nan, np.float32)}
    before = values(model)
    history = model.fit(tf.data.Dataset.from_tensors((x, y, weights)), verbose=0).history
    assert history["loss/retrieve"] == history["loss/stars"] == [0.0]
    after = values(model)
    assert all(np.isfinite(value).all() for value in after.values())
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert any("tower_click" in path for path in changed)
    assert not any("item_tower" in path or "tower_stars" in path for path in changed)


def test_frozen_tables_stay_and_the_rest_learns(preprocessor: Preprocessor) -> None:
    model = tiny.make_model({"model.factorised": {"dim": 2}})
    batch = tiny.batch(preprocessor, 16)
    tables = {v.path for v in model.variables if getattr(v, "is_table", False)}
    assert len(tables) == 4 + 3 * 4
    model.freeze(tables=True)
    compile_(model, run_eagerly=True)
    before = values(model)
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    after = values(model)
    for path in tables:
        assert np.array_equal(before[path], after[path]), path
    assert any(not np.array_equal(before[p], after[p]) for p in before if "trunk" in p)
    model.freeze(tables=False)
    compile_(model)
    train(model, batch)
    thawed = values(model)
    changed = {path for path in tables if not np.array_equal(after[path], thawed[path])}
    assert any(path.endswith("/user_factors") for path in changed)
    assert "embedding/dim_4" in {"/".join(path.split("/")[-2:]) for path in changed}


def test_factorised_adds_to_the_score(preprocessor: Preprocessor) -> None:
    model = tiny.make_model({"model.factorised": {"dim": 2}})
    x, *_ = tensors(tiny.batch(preprocessor, 8))
    plain = model.ranking(x, model.encoding(x))["click"].numpy()
    layer = model.ranking.factorised["click"]
    layer.user_bias.assign(np.arange(6, dtype="f")[:, None])
    lifted = model.ranking(x, model.encoding(x))["click"].numpy()
    np.testing.assert_allclose(lifted - plain, x["user_id"].numpy(), rtol=1e-4)


def test_task_names_do_not_mix(preprocessor: Preprocessor) -> None:
    tasks = {
        "click": {"kind": "binary", "label": "click"},
        "click_through": {"kind": "binary", "label": "cart"},
    }
    model = tiny.make_model({"tasks": tasks, "model.trunk": TRUNKS["mmoe"]})
    x, y, weights = tiny.batch(preprocessor, 16)
    none = np.full(16, np.nan, np.float32)
    found = gradients(model, (x, {"click": y["click"], "click_through": none}, weights))
    other = {path: g for path, g in found.items() if "click_through" in path}
    assert len(other) >= 4
    assert all(not g.any() for g in other.values())
    assert any(g.any() for path, g in found.items() if "gate_click/" in path)


@pytest.mark.parametrize("tasks", [["retrieve"], ["stars"]])
def test_one_task_alone(preprocessor: Preprocessor, tasks: list[str]) -> None:
    chosen = {name: tiny.RAW["tasks"][name] for name in tasks}
    model = tiny.make_model({"tasks": chosen})
    x, y, weights = tensors(tiny.batch(preprocessor, 16))
    assert set(model(x)) == set(tasks)
    losses = model.losses_by_task(x, {name: y[name] for name in tasks}, weights)
    assert set(losses) == set(tasks)
    assert all(float(loss) > 0 for loss in losses.values())


def test_one_seed_one_model() -> None:
    config, sizes = tiny.make_config(), tiny.sizes()
    made = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        made.append(values(MultiTaskModel(config, sizes)))
    first, second, other = made
    assert all(np.array_equal(first[path], second[path]) for path in first)
    tables = [path for path in first if path.startswith("embedding/")]
    assert len(tables) == 4
    assert not any(np.array_equal(first[path], other[path]) for path in tables)


def test_the_input_specification() -> None:
    spec = {n: (s.dtype, s.shape.as_list()) for n, s in tiny.make_model().inputs_spec.items()}
    assert spec == {
        "user_id": (tf.int32, [None]),
        "age": (tf.int32, [None]),
        "item_id": (tf.int32, [None]),
        "category": (tf.int32, [None]),
        "price": (tf.float32, [None]),
        "title_words": (tf.int32, [None, 3]),
        "query": (tf.int32, [None, 2]),
        "position": (tf.int32, [None]),
        "discount": (tf.float32, [None]),
        "click_history_item_id": (tf.int32, [None, 3]),
        "click_history_category": (tf.int32, [None, 3]),
        "scenario": (tf.int32, [None]),
    }


def test_tables_of_one_name_need_one_dimension() -> None:
    query = [{"name": "query", "kind": "text", "dim": 5, "table": "words"}]
    with pytest.raises(
        ConfigError, match=r"feature 'query': table 'words' has dim 3 elsewhere, got 5; features"
    ):
        tiny.make_model({"features.query": query})


def test_a_saved_directory_needs_nothing_else(transformed: Path, tmp_path: Path) -> None:
    model = tiny.make_model()
    save_model(model, tmp_path / "kept", transformed)
    loaded = load_model(tmp_path / "kept")
    assert loaded.home == tmp_path / "kept"
    assert load_config(tmp_path / "kept") == model.config
    raw = tiny.raw_rows(5)
    before = tiny.encode(Preprocessor(model.config, transformed), raw)
    after = tiny.encode(load_preprocessor(tmp_path / "kept"), raw)
    for name, expected in before.items():
        assert np.array_equal(expected, after[name]), name
    predicted = loaded.rank({name: tf.constant(value) for name, value in after.items()})
    expected = model.rank({name: tf.constant(value) for name, value in before.items()})
    for task in ("click", "cart", "stars"):
        assert np.array_equal(predicted[task], expected[task])


@pytest.mark.slow
def test_a_fresh_process_loads_a_compiled_model(transformed: Path, tmp_path: Path) -> None:
    model = compile_(tiny.make_model())
    save_model(model, tmp_path / "kept", transformed)
    code = "import sys, tfmtl; print(tfmtl.load_model(sys.argv[1]).optimizer.name)"
    command = [sys.executable, "-c", code, str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "split\n", done.stderr


def test_weights_by_task(preprocessor: Preprocessor) -> None:
    model = tiny.make_model()
    x, y, weights = tensors(tiny.batch(preprocessor, 16))
    whole = model.losses_by_task(x, y, weights)
    by_task = model.losses_by_task(x, y, {**dict.fromkeys(y, weights), "cart": weights * 0})
    assert by_task["click"] == whole["click"]
    assert by_task["cart"] == 0 < whole["cart"]


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a model directory with model\.keras"):
        load_model(tmp_path)
