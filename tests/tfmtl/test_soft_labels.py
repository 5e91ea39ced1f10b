"""Losses against a teacher's predictions and representations, on numbers worked out apart."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.heads import hints, soft_labels

RANDOM = np.random.default_rng(5)


def test_events_by_hand() -> None:
    # Hinton et al. (2015): cross-entropy at temperature 2, times 4.
    found = soft_labels.of_events(tf.constant([2.0, 0.0]), tf.constant([0.0, 4.0]), 2.0)
    wanted = 1 / (1 + np.exp(-1))
    by_hand = [
        -4 * (wanted * np.log(0.5) + (1 - wanted) * np.log(0.5)),
        -4 * (0.5 * np.log(1 / (1 + np.exp(-2))) + 0.5 * np.log(1 - 1 / (1 + np.exp(-2)))),
    ]
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_classes_as_a_loop_has_them(temperature: float) -> None:
    teacher, student = RANDOM.normal(size=(2, 5, 4)).astype(np.float32) * 2
    expected = []
    for t, s in zip(teacher, student, strict=True):
        wanted, found = (np.exp(v / temperature) for v in (t, s))
        wanted, found = wanted / wanted.sum(), found / found.sum()
        expected.append(-(temperature**2) * sum(wanted * np.log(found)))
    found = soft_labels.of_classes(tf.constant(teacher), tf.constant(student), temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_gradient_is_of_one_size_whatever_the_temperature() -> None:
    # At high temperatures it goes to (s - t) / 4 for events, as Hinton et al. derive.
    student = tf.Variable([1.0])
    with tf.GradientTape() as tape:
        loss = soft_labels.of_events(tf.constant([3.0]), student, 1000.0)
    np.testing.assert_allclose(tape.gradient(loss, student), [(1.0 - 3.0) / 4], rtol=1e-2)


def test_the_mean_of_no_row_is_nothing() -> None:
    zeros = tf.zeros([3])
    assert float(soft_labels.weighted_mean(tf.constant([1.0, 2.0, 3.0]), zeros)) == 0
    weights = tf.constant([1.0, 0.0, 3.0])
    assert float(soft_labels.weighted_mean(tf.constant([1.0, 2.0, 3.0]), weights)) == 2.5


def test_a_linear_map_of_the_student_costs_next_to_nothing() -> None:
    student = RANDOM.normal(size=(400, 4)).astype(np.float32)
    teacher = student @ RANDOM.normal(size=(4, 7)).astype(np.float32) + 3
    loss = hints.unexplained(tf.constant(student), tf.constant(teacher), tf.ones([400]))
    assert float(loss) < 1e-4


def test_what_no_map_explains_is_left() -> None:
    """As ridge regression in NumPy leaves it, rows of weight 0 out of sight."""
    student, teacher = RANDOM.normal(size=(300, 3)), RANDOM.normal(size=(300, 5))
    teacher[:, 0] = student[:, 1]
    weights = RANDOM.choice([0.0, 1.0, 2.0], 300)
    shares = weights / weights.sum()
    own = student - shares @ student
    other = teacher - shares @ teacher
    products = own.T @ (own * shares[:, None])
    ridge = 1e-3 * np.trace(products) / 3 + 1e-7
    best = np.linalg.solve(products + ridge * np.eye(3), own.T @ (other * shares[:, None]))
    expected = (shares @ (other - own @ best) ** 2).sum() / (shares @ other**2).sum()
    # Rows that do not count may be anything.
    student[weights == 0] = 1e3
    found = hints.unexplained(
        *(tf.constant(one, tf.float32) for one in (student, teacher, weights))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert 0.5 < expected < 0.85  # one of five columns is explained


def test_descent_on_a_hint_brings_the_student_nearer() -> None:
    teacher = tf.constant(RANDOM.normal(size=(64, 6)), tf.float32)
    student = tf.Variable(RANDOM.normal(size=(64, 3)).astype(np.float32))
    losses = []
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = hints.unexplained(student, teacher, tf.ones([64]))
        student.assign_sub(20.0 * tape.gradient(loss, student))
        losses.append(float(loss))
    # The best three directions of the teacher's six are what is left to find.
    centred = teacher.numpy() - teacher.numpy().mean(axis=0)
    spectrum = np.linalg.svd(centred, compute_uv=False) ** 2
    assert losses[-1] < losses[0] - 0.05
    assert losses[-1] > spectrum[3:].sum() / spectrum.sum()


def test_a_batch_without_rows_has_no_loss() -> None:
    loss = hints.unexplained(tf.zeros([0, 3]), tf.zeros([0, 5]), tf.zeros([0]))
    assert float(loss) == 0
    same = tf.ones([4, 3])
    assert float(hints.unexplained(same, same, tf.zeros([4]))) == 0
