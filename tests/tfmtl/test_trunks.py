"""What every trunk does, and those without experts of single tasks, in numpy."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from tfmtl.config.trunks import Trunk as TrunkSpec
from tfmtl.trunks import GatedTrunk, Mmoe, SharedBottom, SingleTask, Trunk, build_trunk

TASKS = ["click", "click_through", "cart"]
TRUNKS: dict[str, dict[str, Any]] = {
    "single_task": {"units": [5, 4]},
    "shared_bottom": {"units": [5, 4]},
    "cross_stitch": {"units": [5, 4]},
    "mmoe": {"experts": 2, "units": [5, 4]},
    "cgc": {"shared_experts": 2, "task_experts": 1, "units": [5, 4]},
    "ple": {"levels": 3, "shared_experts": 1, "task_experts": 2, "units": [5, 4]},
}


def make(kind: str, tasks: list[str] = TASKS, dtype: str = "float32", **changes: Any) -> Trunk:
    keras.utils.set_random_seed(1)
    spec = TypeAdapter(TrunkSpec).validate_python({"kind": kind, **TRUNKS[kind], **changes})
    return build_trunk(spec, tasks, dtype)


def rows(count: int = 5, width: int = 3) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, width)).astype("f")


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def dense(layer: keras.Sequential, x: np.ndarray) -> np.ndarray:
    """What two dense layers with relu make of `x`."""
    w1, b1, w2, b2 = layer.get_weights()
    return relu(relu(x @ w1 + b1) @ w2 + b2)


def randomize(layer: keras.layers.Layer, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    for variable in layer.variables:
        variable.assign(random.normal(size=variable.shape))


def gradients_of(trunk: Trunk, task: str) -> dict[str, tf.Tensor | None]:
    """Gradients of one task's representation by the variables' paths, where every unit is on."""
    x = np.abs(rows(20))
    trunk(x)
    random = np.random.default_rng(0)
    for variable in trunk.variables:
        variable.assign(random.uniform(0.1, 0.8, size=variable.shape))
    with tf.GradientTape() as tape:
        objective = tf.reduce_sum(trunk(x)[task] ** 2)
    variables = trunk.trainable_variables
    found = tape.gradient(objective, variables)
    return {variable.path: g for variable, g in zip(variables, found, strict=True)}


def test_single_task_is_a_network_for_every_task() -> None:
    x = rows()
    trunk = make("single_task")
    trunk(x)
    randomize(trunk)
    found = trunk(x)
    assert list(found) == TASKS
    assert trunk.shared(x)[0] == []
    for task in TASKS:
        np.testing.assert_allclose(found[task], dense(trunk.networks[task], x), rtol=1e-5)
    assert not np.allclose(found["click"], found["click_through"])


def test_shared_bottom_is_one_network_for_all_tasks() -> None:
    x = rows()
    trunk = make("shared_bottom")
    trunk(x)
    randomize(trunk)
    found = trunk(x)
    assert list(found) == TASKS
    for task in TASKS:
        np.testing.assert_allclose(found[task], dense(trunk.bottom, x), rtol=1e-5)


def test_mmoe_equations_5_to_7() -> None:
    """Ma et al. 2018: `f^k(x) = sum_i g^k(x)_i f_i(x)`, `g^k(x) = softmax(W_gk x)`."""
    experts = 3
    x = rows(width=4)
    trunk = make("mmoe", experts=experts)
    trunk(x)
    randomize(trunk)
    opinions = [dense(expert, x) for expert in trunk.experts]
    weights = {variable.path: variable.numpy() for variable in trunk.variables}
    found = trunk(x)
    assert list(found) == TASKS
    for task in TASKS:
        (gate,) = (w for path, w in weights.items() if f"gate_{task}/" in path)
        assert gate.shape == (4, experts)
        logits = np.exp(x @ gate)
        share = logits / logits.sum(axis=1, keepdims=True)
        expected = sum(share[:, [i]] * opinions[i] for i in range(experts))
        np.testing.assert_allclose(found[task], expected, rtol=1e-4)
        np.testing.assert_allclose(trunk.gates(x)[task], share, rtol=1e-4)
    assert not np.allclose(found["click"], found["click_through"])
    assert trunk.experts_by_task == {task: ["expert_0", "expert_1", "expert_2"] for task in TASKS}


def test_mmoe_of_one_expert_is_that_expert() -> None:
    x = rows()
    trunk = make("mmoe", experts=1)
    found = trunk(x)
    np.testing.assert_allclose(found["click"], trunk.experts[0](x), rtol=1e-6)
    np.testing.assert_allclose(found["click"], found["cart"], rtol=1e-6)


@pytest.mark.parametrize("kind", TRUNKS)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_mapping_has_exactly_the_tasks(kind: str, dtype: str) -> None:
    for tasks in (["click"], TASKS):
        trunk = make(kind, tasks, dtype)
        found = trunk(rows())
        assert list(found) == tasks
        assert {value.shape for value in found.values()} == {(5, 4)}
        expected = tf.bfloat16 if dtype == "mixed_bfloat16" else tf.float32
        assert {value.dtype for value in found.values()} == {expected}
        assert {variable.dtype for variable in trunk.variables} == {"float32"}


@pytest.mark.parametrize("kind", TRUNKS)
def test_bfloat16_is_near_float32(kind: str) -> None:
    exact, rough = make(kind), make(kind, dtype="mixed_bfloat16")
    exact(rows())
    rough(rows())
    rough.set_weights(exact.get_weights())
    for task in TASKS:
        found = tf.cast(rough(rows())[task], tf.float32)
        np.testing.assert_allclose(found, exact(rows())[task], atol=0.05, rtol=0.05)


@pytest.mark.parametrize("kind", TRUNKS)
def test_every_variable_learns_and_has_its_own_path(kind: str) -> None:
    trunk = make(kind)
    reached: set[str] = set()
    for task in TASKS:
        found = gradients_of(trunk, task)
        reached |= {path for path, g in found.items() if g is not None and np.any(g)}
    paths = [variable.path for variable in trunk.trainable_variables]
    assert reached == set(paths)
    assert len(reached) == len(paths)


@pytest.mark.parametrize(
    ("kind", "own"),
    {"single_task": "network_", "mmoe": "gate_", "cgc": "", "ple": "level_2"}.items(),
)
def test_what_is_a_tasks_own_stays_as_it_is_without_its_loss(kind: str, own: str) -> None:
    trunk = make(kind, ["click", "through", "cart"])
    found = {path: g for path, g in gradients_of(trunk, "click").items() if own in path}
    mine = [g for path, g in found.items() if "click/" in path]
    others = [g for path, g in found.items() if "through/" in path or "cart/" in path]
    assert len(others) == 2 * len(mine) > 0
    assert all(np.any(g) for g in mine)
    assert all(g is None or not np.any(g) for g in others)


@pytest.mark.parametrize(("kind", "mark"), [("cross_stitch", "/stitch"), ("ple", "/shared_gate")])
def test_what_is_laid_out_by_the_tasks_is_not_taken_for_that_of_others(
    kind: str, mark: str
) -> None:
    """Fine-tuning transfers variables of the same path and shape."""
    paths: list[set[str]] = []
    for tasks in (["click", "cart"], ["cart", "click"]):
        trunk = make(kind, tasks)
        trunk(rows())
        paths.append({variable.path for variable in trunk.variables if mark in variable.path})
    assert len(paths[0]) == len(paths[1]) > 0
    assert paths[0].isdisjoint(paths[1])


@pytest.mark.parametrize("kind", TRUNKS)
def test_the_halves_make_the_whole(kind: str) -> None:
    trunk = make(kind)
    x = rows()
    whole = trunk(x)
    found = trunk.by_task(*trunk.shared(tf.constant(x)))
    for task in TASKS:
        assert np.array_equal(found[task], whole[task])


@pytest.mark.parametrize("kind", ["mmoe", "cgc", "ple"])
def test_gates_are_shares_in_float32(kind: str) -> None:
    trunk = make(kind, dtype="mixed_bfloat16")
    assert isinstance(trunk, GatedTrunk)
    x = rows(6)
    trunk(x)
    gates = trunk.gates(tf.constant(x))
    assert list(gates) == TASKS
    for task, shares in gates.items():
        assert shares.shape == (6, len(trunk.experts_by_task[task]))
        assert shares.dtype == tf.float32
        assert np.all(shares.numpy() > 0)
        np.testing.assert_allclose(tf.reduce_sum(shares, axis=1), np.ones(6), rtol=1e-5)


@pytest.mark.parametrize("kind", TRUNKS)
def test_dropout_is_for_training_only(kind: str) -> None:
    trunk = make(kind, dropout=0.5)
    x = rows(20)
    calm = trunk(x)["cart"]
    assert np.array_equal(trunk(x)["cart"], calm)
    assert not np.array_equal(trunk(x, training=True)["cart"], calm)


def test_what_a_trunk_refuses() -> None:
    with pytest.raises(ValueError, match=r"at least one task\. Received: tasks=\[\]"):
        SharedBottom([], units=[4])
    with pytest.raises(ValueError, match=r"at least one task\. Received: tasks=\[\]"):
        SingleTask([], units=[4])
    with pytest.raises(ValueError, match=r"Received: experts=0, units=\[4\]"):
        Mmoe(["a"], experts=0, units=[4])
    with pytest.raises(ValueError, match=r"Received: experts=2, units=\[\]"):
        Mmoe(["a"], experts=2, units=[])


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("mmoe", "experts", 0),
        ("mmoe", "units", []),
        ("cgc", "shared_experts", 0),
        ("cgc", "task_experts", 0),
        ("cgc", "units", []),
        ("ple", "levels", 0),
        ("ple", "units", []),
        ("cross_stitch", "units", []),
        ("cross_stitch", "same_task", 1.5),
        ("single_task", "units", [0]),
    ],
)
def test_what_the_configuration_refuses(kind: str, key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(TrunkSpec).validate_python({"kind": kind, key: value})
    assert caught.value.errors()[0]["loc"][:2] == (kind, key)
