"""Metrics of multi-label tasks against figures worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.evaluation import Evaluation, MultiLabel, Summary
from tfmtl.evaluation.multi_label import log_loss, macro_f1, micro_f1, pr_auc

NAN = float("nan")
LABELS = [[1, 0, 0], [1, 1, 0], [0, 1, 0]]
CHANCES = [[0.9, 0.6, 0.1], [0.4, 0.8, 0.2], [0.3, 0.7, 0.5]]
# By label: TP 1, FN 1 | TP 2, FP 1 | FP 1.


def evaluate_multi_label(
    labels: list[list[float]],
    chances: list[list[float]],
    slices: dict[str, list[str]] | None = None,
    threshold: float = 0.5,
) -> Summary:
    evaluation = Evaluation({"tags": MultiLabel(3, threshold)}, list(slices or {}))
    evaluation.update({"tags": labels}, {"tags": chances}, slices=slices)
    return evaluation.result().tasks["tags"]


def test_worked_by_hand() -> None:
    assert micro_f1(LABELS, CHANCES) == pytest.approx(6 / (6 + 2 + 1))
    assert macro_f1(LABELS, CHANCES) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    # The first two labels order their rows rightly, the third has no positive.
    assert pr_auc(LABELS, CHANCES) == pytest.approx(1.0)
    right = [0.9, 0.4, 0.9, 0.4, 0.8, 0.8, 0.7, 0.7, 0.5]
    assert log_loss(LABELS, CHANCES) == pytest.approx(-np.mean(np.log(right)))


def test_average_precision_worked_by_hand() -> None:
    # Positives at ranks 1 and 3: (1/1 + 2/3) / 2. The other label at rank 2: 1/2.
    labels = [[1, 0], [0, 1], [1, 0]]
    chances = [[0.9, 0.7], [0.8, 0.6], [0.7, 0.5]]
    assert pr_auc(labels, chances) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_a_threshold_is_reached_not_passed() -> None:
    # From .6 on: TP 1, FN 1 | TP 2, FP 1 | nothing, which leaves the third label out.
    assert micro_f1(LABELS, CHANCES, threshold=0.6) == pytest.approx(6 / (6 + 1 + 1))
    assert macro_f1(LABELS, CHANCES, threshold=0.6) == pytest.approx((2 / 3 + 4 / 5) / 2)
    found = evaluate_multi_label(LABELS, CHANCES, threshold=0.6)["overall"]
    assert found["micro_f1"] == pytest.approx(6 / 8)


def test_a_missing_label_is_left_out_alone() -> None:
    labels = [[1, NAN, 0], [1, 1, 0], [0, 1, 0], [NAN, NAN, NAN]]
    chances = [*CHANCES, [1.0, 1.0, 1.0]]
    # Without the false positive of the second label: TP 2.
    assert micro_f1(labels, chances) == pytest.approx(6 / (6 + 1 + 1))
    assert macro_f1(labels, chances) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert evaluate_multi_label(labels, chances)["overall"]["rows"] == 3


def test_weights_worked_by_hand() -> None:
    weights = [2, 3, 1]
    # By label: TP 2, FN 3 | TP 4, FP 2 | FP 1.
    assert micro_f1(LABELS, CHANCES, weights) == pytest.approx(12 / (12 + 3 + 3))
    assert macro_f1(LABELS, CHANCES, weights) == pytest.approx((4 / 7 + 8 / 10 + 0) / 3)
    logs = np.log([[0.9, 0.4, 0.9], [0.4, 0.8, 0.8], [0.7, 0.7, 0.5]])
    assert log_loss(LABELS, CHANCES, weights) == pytest.approx(
        -np.average(logs.mean(1), weights=weights)
    )


def test_slices() -> None:
    found = evaluate_multi_label(LABELS, CHANCES, slices={"shop": ["a", "b", "b"]})
    assert found["slices"]["shop"]["a"]["micro_f1"] == pytest.approx(2 / 3)
    assert found["slices"]["shop"]["a"]["pr_auc"] is None
    assert found["slices"]["shop"]["b"]["rows"] == 2


@pytest.mark.parametrize("metric", [micro_f1, macro_f1, pr_auc, log_loss])
def test_nothing_to_measure(metric) -> None:
    assert math.isnan(metric(np.zeros((0, 2)), np.zeros((0, 2))))
    assert math.isnan(metric([[NAN, NAN]], [[0.1, 0.9]]))
    assert math.isnan(metric([[1, 0]], [[0.1, 0.9]], [0]))
    assert math.isnan(metric([[1, 0], [0, 1]], [[0.1, NAN], [0.5, 0.5]]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[1, 2]], "should be 0, 1 or NaN. Received values from 1 to 2"),
        ([1, 0], r"same shape \[n, labels\]. Received: \(2,\) and \(1, 2\)"),
        ([[1]], r"same shape \[n, labels\]. Received: \(1, 1\) and \(1, 2\)"),
    ],
)
def test_wrong_labels_are_refused(labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        micro_f1(labels, [[0.1, 0.9]])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=3), min_size=1)
)
def test_micro_f1_is_precision_and_recall_of_all_pairs(rows: list) -> None:
    pairs = np.array(rows, float)
    labels, predicted = pairs[..., 0], pairs[..., 1]
    hits, found, wanted = (labels * predicted).sum(), predicted.sum(), labels.sum()
    if found + wanted == 0:
        assert math.isnan(micro_f1(labels, predicted))
    elif hits == 0:
        assert micro_f1(labels, predicted) == 0
    else:
        precision, recall = hits / found, hits / wanted
        expected = 2 * precision * recall / (precision + recall)
        assert micro_f1(labels, predicted) == pytest.approx(expected)


def test_what_is_found_of_each_label() -> None:
    kind = MultiLabel(3, threshold=[0.5, 0.75, 0.9], names=["new", "sale", "gift"])
    evaluation = Evaluation({"tags": kind})
    evaluation.update({"tags": LABELS}, {"tags": CHANCES}, weights=[1, 2, 1])
    new, sale, gift = evaluation.result().tasks["tags"]["classes"]
    # Rows 1 and 2 are new, which row 1 is predicted to be; they are in the right order.
    assert new == {
        "name": "new",
        "support": 3,
        "predicted": 1,
        "precision": 1.0,
        "recall": pytest.approx(1 / 3),
        "f1": pytest.approx(2 / 4),
        "pr_auc": 1.0,
        "threshold": 0.5,
    }
    # Rows 2 and 3, of which row 2 is predicted.
    assert (sale["support"], sale["predicted"], sale["threshold"]) == (3, 2, 0.75)
    assert sale["f1"] == pytest.approx(4 / 5)
    # No row has it and none is predicted to.
    assert (gift["support"], gift["predicted"]) == (0, 0)
    assert gift["precision"] is gift["recall"] is gift["f1"] is gift["pr_auc"] is None


def test_a_label_is_predicted_from_its_own_threshold_on() -> None:
    thresholds = [0.4, 0.75, 0.6]
    assert micro_f1(LABELS, CHANCES, threshold=thresholds) == pytest.approx(6 / (6 + 1))
    kind = MultiLabel(3, threshold=thresholds)
    evaluation = Evaluation({"tags": kind})
    evaluation.update({"tags": LABELS}, {"tags": CHANCES})
    overall = evaluation.result().tasks["tags"]["overall"]
    # TP 2 | TP 1, FN 1 | nothing.
    assert overall["micro_f1"] == pytest.approx(6 / 7)
    assert overall["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_prediction_that_is_no_number_leaves_labels_without_figures() -> None:
    chances = [[NAN, 0.6, 0.1], *CHANCES[1:]]
    first, *_ = evaluate_multi_label(LABELS, chances)["classes"]
    assert first["f1"] is first["precision"] is first["pr_auc"] is None
    assert first["support"] == 2
