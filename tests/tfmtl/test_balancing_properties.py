"""What holds for balancers of gradients, whatever the gradients."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.balancing import (
    CaGrad,
    GradientBalancer,
    GradNorm,
    GradVac,
    ImtlG,
    Mgda,
    NashMtl,
    PcGrad,
)

COUNT, WIDTH = 3, 5
TASKS = {f"task_{i}": 1.0 for i in range(COUNT)}
MAKE = {
    "gradnorm": lambda tasks: GradNorm(tasks),
    "mgda": lambda tasks: Mgda(tasks),
    "mgda_norm": lambda tasks: Mgda(tasks, "loss_norm"),
    "pcgrad": lambda tasks: PcGrad(tasks, seed=1),
    "gradvac": lambda tasks: GradVac(tasks, seed=1),
    "cagrad": lambda tasks: CaGrad(tasks),
    "imtl_g": lambda tasks: ImtlG(tasks),
    "nash_mtl": lambda tasks: NashMtl(tasks),
}
STATELESS = ("mgda", "mgda_norm", "cagrad", "imtl_g", "nash_mtl")
KEPT: dict[str, tuple[GradientBalancer, tf.types.experimental.GenericFunction]] = {}

numbers = st.floats(-1, 1, width=32)
sizes = st.sampled_from([0.0, 1e-6, 1e-3, 1.0, 1.0, 1e3])
kinds = st.sampled_from(["free", "free", "same", "opposed"])


@st.composite
def gradients(draw: st.DrawFn) -> np.ndarray:
    """Gradients of very different sizes; some 0, some the same as the first, or against it."""
    rows = draw(arrays.arrays(np.float32, (COUNT, WIDTH), elements=numbers)).astype(np.float64)
    for i in range(COUNT):
        kind = draw(kinds)
        if kind != "free":
            rows[i] = rows[0] if kind == "same" else -rows[0]
        rows[i] *= draw(sizes)
    return rows


def weigh(kind: str, rows: np.ndarray, scale: float = 1.0) -> np.ndarray:
    if kind not in KEPT:
        balancer = MAKE[kind](TASKS)
        KEPT[kind] = balancer, tf.function(balancer, reduce_retracing=True)
    gram = tf.constant(rows @ rows.T * scale, tf.float32)
    return KEPT[kind][1](gram, tf.ones(COUNT), training=kind in STATELESS).numpy()


def independent(seed: int) -> np.ndarray:
    """Gradients far from depending on one another, in conflict or not, of sizes 0.1 to 10."""
    random = np.random.default_rng(seed)
    while True:
        rows = random.standard_normal((COUNT, WIDTH))
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        if np.linalg.eigvalsh(units @ units.T).min() > 0.1:
            return units * 10 ** random.uniform(-1, 1, (COUNT, 1))


independents = st.integers(0, 10**9).map(independent)


@pytest.mark.parametrize("kind", MAKE)
@settings(max_examples=60, deadline=None)
@given(rows=gradients())
def test_weights_are_finite_and_not_negative(kind: str, rows: np.ndarray) -> None:
    found = weigh(kind, rows)
    assert np.isfinite(found).all()
    if kind != "imtl_g":
        assert found.min() >= 0
    sums = np.abs(found).sum()
    if kind in ("mgda", "mgda_norm", "imtl_g", "nash_mtl", "gradnorm"):
        assert sums == pytest.approx(COUNT, rel=1e-4)


@pytest.mark.parametrize("kind", MAKE)
def test_nothing_shared_leaves_fixed_weights(kind: str) -> None:
    balancer = MAKE[kind](TASKS)
    found = balancer(tf.zeros([COUNT, COUNT]), tf.ones(COUNT), training=True)
    assert found.numpy().tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", MAKE)
def test_two_gradients_alike_count_alike(kind: str) -> None:
    same = np.array([[0.3, 0.4, 0, 0, 0]] * COUNT)
    np.testing.assert_allclose(weigh(kind, same), np.full(COUNT, weigh(kind, same)[0]), rtol=1e-3)


@pytest.mark.parametrize("kind", ["mgda", "mgda_norm", "imtl_g", "nash_mtl"])
def test_opposed_gradients_cancel(kind: str) -> None:
    balancer = MAKE[kind]({"a": 1.0, "b": 1.0})
    gram = tf.constant([[1.0, -2.0], [-2.0, 4.0]])
    assert balancer(gram, tf.ones(2)).numpy() == pytest.approx([4 / 3, 2 / 3], abs=1e-3)


@pytest.mark.parametrize("kind", MAKE)
@settings(max_examples=20, deadline=None)
@given(rows=independents)
def test_an_absent_task_changes_nothing_for_the_others(kind: str, rows: np.ndarray) -> None:
    two, three = MAKE[kind]({"a": 1.0, "b": 1.0}), MAKE[kind](TASKS)
    rows = rows[:2]
    gram = np.zeros((3, 3))
    gram[:2, :2] = rows @ rows.T
    alone = two(tf.constant(gram[:2, :2], tf.float32), tf.ones(2), training=True)
    beside = three(tf.constant(gram, tf.float32), tf.constant([1.0, 1.0, 0.0]), training=True)
    ratios = beside.numpy()[:2] / beside.numpy()[:2].sum()
    np.testing.assert_allclose(ratios, alone.numpy() / alone.numpy().sum(), atol=2e-3)


@pytest.mark.parametrize("kind", STATELESS)
@settings(max_examples=30, deadline=None)
@given(rows=independents, scale=st.sampled_from([1e-12, 1e-4, 1e4]))
def test_the_size_of_all_gradients_does_not_matter(
    kind: str, rows: np.ndarray, scale: float
) -> None:
    np.testing.assert_allclose(weigh(kind, rows, scale), weigh(kind, rows), atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(rows=gradients())
def test_mgda_is_no_longer_than_any_gradient(rows: np.ndarray) -> None:
    """And no gradient points against it: `g_k . d >= ||d||^2`."""
    norms = np.linalg.norm(rows, axis=1)
    present = norms > 1e-12
    if not present.any():
        return
    found = np.where(present, weigh("mgda", rows), 0) / present.sum()
    direction = found @ rows
    largest = norms.max()
    assert np.linalg.norm(direction) <= norms[present].min() + 1e-3 * largest
    products = rows[present] @ direction
    assert products.min() >= direction @ direction - 2e-3 * largest**2


@settings(max_examples=60, deadline=None)
@given(rows=gradients())
def test_cagrad_stays_near_the_mean_and_is_no_worse_for_the_worst_task(rows: np.ndarray) -> None:
    norms = np.linalg.norm(rows, axis=1)
    present = norms > 1e-12
    if not present.any():
        return
    rows, found = rows[present], weigh("cagrad", rows)[present]
    mean, direction = rows.mean(axis=0), found @ rows / len(rows)
    allowed = 1e-3 * norms.max()
    assert np.linalg.norm(direction - mean) <= 0.5 * np.linalg.norm(mean) + allowed
    assert (rows @ direction).min() >= (rows @ mean).min() - allowed * norms.max()


@settings(max_examples=40, deadline=None)
@given(rows=gradients())
def test_pcgrad_of_two_tasks_ends_conflict(rows: np.ndarray) -> None:
    gram = (rows[:2] @ rows[:2].T).astype(np.float32)
    found = PcGrad({"a": 1.0, "b": 1.0}, seed=1)(tf.constant(gram), tf.ones(2)).numpy()
    direction = found @ rows[:2]
    norms = np.linalg.norm(rows[:2], axis=1)
    assert (rows[:2] @ direction).min() >= -1e-3 * norms.max() ** 2


@settings(max_examples=40, deadline=None)
@given(rows=independents)
def test_imtl_g_projects_equally(rows: np.ndarray) -> None:
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    direction = weigh("imtl_g", rows) @ rows
    projections = units @ direction
    assert projections.min() > 0
    assert projections.max() - projections.min() <= 1e-2 * projections.max()


@pytest.mark.parametrize("kind", ["imtl_g", "nash_mtl"])
@settings(max_examples=30, deadline=None)
@given(rows=independents, factor=st.sampled_from([0.01, 3.0, 200.0]))
def test_the_size_of_one_gradient_does_not_turn_the_direction(
    kind: str, rows: np.ndarray, factor: float
) -> None:
    scaled = rows * np.array([[factor], [1.0], [1.0]])
    directions = [weigh(kind, one) @ one for one in (rows, scaled)]
    units = [direction / np.linalg.norm(direction) for direction in directions]
    np.testing.assert_allclose(units[0], units[1], atol=5e-3)
