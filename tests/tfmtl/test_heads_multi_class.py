"""The multi-class head against its loss written out in numpy."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.heads import MultiClassHead

NAN = float("nan")


def loss(labels: list, scores: list, weights: list) -> float:
    head = MultiClassHead("season", classes=3)
    return float(
        head.loss(
            tf.constant(labels, tf.float32),
            tf.reshape(tf.constant(scores, tf.float32), [-1, 3]),
            tf.constant(weights, tf.float32),
        )
    )


def test_softmax_cross_entropy_worked_by_hand() -> None:
    # exp of the scores is (1, 2, 1) and (3, 1, 4): the probabilities are 2/4 and 3/8.
    scores = [[0.0, np.log(2), 0.0], [np.log(3), 0.0, np.log(4)]]
    expected = (1 * -np.log(2 / 4) + 3 * -np.log(3 / 8)) / 4
    assert loss([1, 0], scores, [1, 3]) == pytest.approx(expected, rel=1e-6)


def test_rows_without_a_label_do_not_count() -> None:
    scores = [[1.0, 2.0, 3.0], [9.0, -4.0, 0.5], [0.3, 0.2, -8.0]]
    alone = loss([2, 0], [scores[0], scores[2]], [1, 2])
    assert loss([2, NAN, 0], scores, [1, 50, 2]) == pytest.approx(alone, rel=1e-6)
    assert loss([2, np.inf, 0], scores, [1, 50, 2]) == pytest.approx(alone, rel=1e-6)


def test_a_missing_label_has_no_gradient() -> None:
    scores = tf.constant([[0.5, 2.0, -1.0], [0.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = MultiClassHead("t", 3).loss(tf.constant([NAN, 1.0]), scores, tf.constant([7.0, 1]))
    gradient = tape.gradient(value, scores).numpy()
    assert gradient[0].tolist() == [0, 0, 0]
    # The gradient of softmax cross-entropy is p - 1[c = y].
    chances = np.exp([0, 1, 0]) / np.exp([0, 1, 0]).sum()
    np.testing.assert_allclose(gradient[1], chances - [0, 1, 0], rtol=1e-5)


@pytest.mark.parametrize(("labels", "weights"), [([NAN, NAN], [1, 1]), ([1, 2], [0, 0]), ([], [])])
def test_nothing_to_learn_from_is_no_loss(labels: list, weights: list) -> None:
    assert loss(labels, [[0.1, 0.2, 0.3]] * len(labels), weights) == 0


def test_scores_far_apart_stay_finite() -> None:
    assert loss([0, 2], [[-500.0, 500.0, 0.0], [0.0, 0.0, 800.0]], [1, 1]) == pytest.approx(500)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="outside the valid range"):
        loss([label], [[0.0, 0.0, 0.0]], [1])


def test_predictions_add_up_to_one() -> None:
    head = MultiClassHead("season", classes=3)
    chances = head.predict_from(tf.constant([[0.0, np.log(2), 0.0], [900.0, 0.0, 900.0]]))
    np.testing.assert_allclose(chances, [[0.25, 0.5, 0.25], [0.5, 0, 0.5]], rtol=1e-6)


def test_scores_are_float32() -> None:
    scores = MultiClassHead("season", classes=3)(tf.constant([[1.0, 2.0]], tf.bfloat16))
    assert scores.dtype == tf.float32
    assert scores.shape == (1, 3)


def test_rare_classes_count_as_much_as_frequent_ones() -> None:
    head = MultiClassHead("season", classes=3, balance=1.0)
    head.weigh(np.array([6, 2, 0]))
    # By 8 rows: 1/6 and 1/2, times the 4 that make the rows' mean 1.
    np.testing.assert_allclose(head.class_weights[:2], [4 / 6, 4 / 2], rtol=1e-6)
    scores = tf.math.log([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    found = head.loss(tf.constant([0.0, 1.0]), scores, tf.constant([1.0, 3.0]))
    expected = (1 * 4 / 6 * np.log(2) + 3 * 2 * np.log(2)) / 4
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert [v.name for v in head.trainable_variables] == []


def test_half_balanced_classes_weigh_by_the_root_of_their_rows() -> None:
    head = MultiClassHead("season", classes=2, balance=0.5)
    head.weigh(np.array([9, 1]))
    # 1/3 and 1; nine rows of the one and one of the other weigh 4, not 10.
    np.testing.assert_allclose(head.class_weights, [10 / 12, 10 / 4], rtol=1e-6)
    head.weigh(np.zeros(2))
    np.testing.assert_allclose(head.class_weights, [10 / 12, 10 / 4], rtol=1e-6)
    assert MultiClassHead("season", classes=2).class_weights is None
