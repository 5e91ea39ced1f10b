"""CGC and PLE against the paper's equations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.trunks import Cgc, Ple

TASKS = ["click", "click_through"]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def mix(shares: np.ndarray, opinions: list[np.ndarray]) -> np.ndarray:
    assert shares.shape[1] == len(opinions)
    return sum(shares[:, [i]] * opinions[i] for i in range(len(opinions)))


def randomize(trunk: keras.layers.Layer) -> dict[str, np.ndarray]:
    """Gives every variable random values; returns them by path below the trunk."""
    random = np.random.default_rng(0)
    for variable in trunk.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.7)
    return {v.path.split("trunk/")[1]: v.numpy() for v in trunk.trainable_variables}


def expert(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return relu(x @ weights[f"{name}/dense_0/kernel"] + weights[f"{name}/dense_0/bias"])


def set_expert(layer: keras.Sequential, kernel: float) -> None:
    layer.set_weights([np.array([[kernel]]), np.zeros(1)])


def test_cgc_equations_1_to_3_by_hand() -> None:
    """Tang et al. 2020: `g^k(x) = softmax(W^k x) [E_k(x), E_s(x)]`.

    One feature, x = 1; the experts of a and b multiply by 2 and 8, the shared one by 4. The gate of
    a has the logits (ln 3, 0), that is the shares (.75, .25): .75 * 2 + .25 * 4 = 2.5. That of b
    has (0, 0): .5 * 8 + .5 * 4 = 6.
    """
    trunk = Cgc(["a", "b"], shared_experts=1, task_experts=1, units=[1])
    x = tf.ones([1, 1])
    trunk(x)
    (level,) = trunk.levels
    set_expert(level.task_experts["a"][0], 2.0)
    set_expert(level.task_experts["b"][0], 8.0)
    set_expert(level.shared_experts[0], 4.0)
    level.task_gates["a"].set_weights([np.array([[np.log(3.0), 0.0]])])
    level.task_gates["b"].set_weights([np.zeros((1, 2))])
    found = trunk(x)
    assert float(found["a"][0, 0]) == pytest.approx(2.5)
    assert float(found["b"][0, 0]) == pytest.approx(6.0)
    np.testing.assert_allclose(trunk.gates(x)["a"], [[0.75, 0.25]], rtol=1e-6)


def test_ple_equation_5_by_hand() -> None:
    """Tang et al. 2020: level 2 reads what level 1's gates made, `g^{k,1}`, and the shared gate's.

    Level 1 is that of the CGC above, without preference: a has (2 + 4) / 2 = 3, b has
    (8 + 4) / 2 = 6, and the shared gate over (2, 8, 4) with the logits (0, ln 2, 0) gives
    2 / 4 + 8 / 2 + 4 / 4 = 5.5. At level 2 all experts multiply by 1 and no gate prefers: a has
    (3 + 5.5) / 2 = 4.25, b has (6 + 5.5) / 2 = 5.75.
    """
    trunk = Ple(["a", "b"], levels=2, shared_experts=1, task_experts=1, units=[1])
    x = tf.ones([1, 1])
    trunk(x)
    first, second = trunk.levels
    for layer, kernel in (
        (first.task_experts["a"][0], 2.0),
        (first.task_experts["b"][0], 8.0),
        (first.shared_experts[0], 4.0),
        (second.task_experts["a"][0], 1.0),
        (second.task_experts["b"][0], 1.0),
        (second.shared_experts[0], 1.0),
    ):
        set_expert(layer, kernel)
    for level in trunk.levels:
        for gate in level.task_gates.values():
            gate.set_weights([np.zeros((1, 2))])
    first.shared_gate.set_weights([np.array([[0.0, np.log(2.0), 0.0]])])
    found = trunk(x)
    assert float(found["a"][0, 0]) == pytest.approx(4.25)
    assert float(found["b"][0, 0]) == pytest.approx(5.75)
    (shared,), inputs = trunk.shared(x)
    assert float(shared[0, 0]) == pytest.approx(5.5)
    assert {task: float(value[0, 0]) for task, value in inputs.items()} == {"a": 3.0, "b": 6.0}


def test_ple_of_two_levels_in_numpy() -> None:
    """Two experts of a task, three shared ones; task names of which one begins the other."""
    x = np.random.default_rng(2).normal(size=(6, 4)).astype("f")
    trunk = Ple(TASKS, levels=2, shared_experts=3, task_experts=2, units=[5])
    trunk(x)
    weights = randomize(trunk)
    inputs, common = dict.fromkeys(TASKS, x), x
    for level in ("level_0", "level_1"):
        shared = [expert(weights, f"{level}/expert_{i}", common) for i in range(3)]
        own = {
            task: [expert(weights, f"{level}/expert_{i}_{task}", inputs[task]) for i in range(2)]
            for task in TASKS
        }
        gates = {
            task: softmax(inputs[task] @ weights[f"{level}/gate_{task}/kernel"]) for task in TASKS
        }
        found = trunk.gates(x, level=int(level[-1]))
        for task in TASKS:
            np.testing.assert_allclose(found[task], gates[task], rtol=1e-4)
        inputs = {task: mix(gates[task], own[task] + shared) for task in TASKS}
        if level == "level_0":
            every = own["click"] + own["click_through"] + shared
            common = mix(
                softmax(common @ weights["level_0/shared_gate_click_click_through/kernel"]), every
            )
    assert [path for path in weights if "shared_gate" in path and "level_1" in path] == []
    found = trunk(x)
    for task in TASKS:
        np.testing.assert_allclose(found[task], inputs[task], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(trunk.gates(x)[task], gates[task], rtol=1e-4)
    assert trunk.experts_by_task["click"] == [
        *("expert_0_click", "expert_1_click"),
        *("expert_0", "expert_1", "expert_2"),
    ]


def test_ple_of_one_level_is_cgc() -> None:
    x = tf.random.stateless_normal([6, 3], seed=[1, 2])
    ple = Ple(TASKS, levels=1, shared_experts=2, task_experts=2, units=[5, 4])
    cgc = Cgc(TASKS, shared_experts=2, task_experts=2, units=[5, 4])
    ple(x)
    cgc(x)
    assert [v.path for v in ple.variables] == [v.path for v in cgc.variables]
    cgc.set_weights(ple.get_weights())
    for task in TASKS:
        assert np.array_equal(ple(x)[task], cgc(x)[task])


def test_a_gate_never_sees_the_experts_of_another_task() -> None:
    x = tf.random.stateless_normal([6, 3], seed=[1, 2])
    trunk = Cgc(TASKS, shared_experts=1, task_experts=2, units=[4])
    before = trunk(x)
    for layer in trunk.levels[0].task_experts["click"]:
        layer.set_weights([np.full(w.shape, np.nan) for w in layer.get_weights()])
    after = trunk(x)
    assert np.all(np.isnan(after["click"]))
    assert np.array_equal(after["click_through"], before["click_through"])


def test_the_tasks_compete_for_the_shared_experts_of_the_last_level() -> None:
    keras.utils.set_random_seed(1)
    trunk = Ple(TASKS, levels=2, shared_experts=3, task_experts=1, units=[4])
    x = tf.random.stateless_normal([20, 3], seed=[1, 2])
    shared, own = trunk.shared(x)
    assert [tensor.shape for tensor in shared] == 3 * [(20, 4)]
    assert list(own) == TASKS
    sources = [*shared, own["click"], own["click_through"]]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        click = trunk.by_task(shared, own)["click"]
    gradients = tape.gradient(click, sources)
    assert all(np.any(gradient) for gradient in gradients[:4])
    assert gradients[4] is None


def test_lower_levels_are_shared_through_the_shared_gate() -> None:
    keras.utils.set_random_seed(1)
    trunk = Ple(TASKS, levels=2, shared_experts=1, task_experts=1, units=[4])
    x = tf.random.stateless_normal([40, 3], seed=[1, 2])
    trunk(x)
    with tf.GradientTape() as tape:
        objective = tf.reduce_sum(trunk(x)["click"])
    found = dict(
        zip(
            [v.path.split("trunk/")[1] for v in trunk.trainable_variables],
            tape.gradient(objective, trunk.trainable_variables),
            strict=True,
        )
    )
    assert np.any(found["level_0/expert_0_click_through/dense_0/kernel"])
    assert found["level_0/gate_click_through/kernel"] is None
    assert found["level_1/expert_0_click_through/dense_0/kernel"] is None
    assert found["level_1/gate_click_through/kernel"] is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("levels", 0), ("shared_experts", 0), ("task_experts", 0), ("units", [])],
)
def test_what_it_refuses(key: str, value: object) -> None:
    arguments = {"levels": 1, "shared_experts": 1, "task_experts": 1, "units": [4], key: value}
    with pytest.raises(ValueError, match=r"at least one level, .* Received: levels=") as caught:
        Ple(TASKS, **arguments)
    assert f"{key}={value}" in str(caught.value)


def test_only_a_level_below_another_has_a_shared_gate() -> None:
    trunk = Cgc(TASKS, shared_experts=1, task_experts=1, units=[4])
    x = tf.ones([2, 3])
    with pytest.raises(ValueError, match="level 'level_0' has no shared gate"):
        trunk.levels[0](x, dict.fromkeys(TASKS, x))
