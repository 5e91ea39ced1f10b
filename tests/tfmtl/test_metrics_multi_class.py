"""Metrics of multi-class tasks against figures worked out by hand and a loop over the rows."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config.evaluation import Rule
from tfmtl.evaluation import Evaluation, MultiClass, Summary, check
from tfmtl.evaluation.multi_class import accuracy, log_loss, macro_auc, macro_f1, majority

NAN = float("nan")
# Predicted are 0, 1, 1, 2, 0; right are the first, second and fourth.
LABELS = [0, 1, 0, 2, 1]
CHANCES = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.2, 0.3, 0.5], [0.5, 0.25, 0.25]]


def evaluate_multi_class(
    labels: list[float], chances: npt.ArrayLike, slices: dict[str, list[str]] | None = None
) -> Summary:
    evaluation = Evaluation({"season": MultiClass(np.shape(chances)[1])}, list(slices or {}))
    evaluation.update({"season": labels}, {"season": chances}, slices=slices)
    return evaluation.result().tasks["season"]


def test_worked_by_hand() -> None:
    assert accuracy(LABELS, CHANCES) == pytest.approx(3 / 5)
    assert majority(LABELS, CHANCES) == pytest.approx(2 / 5)
    # 0: TP 1, FP 1, FN 1. 1: TP 1, FP 1, FN 1. 2: TP 1.
    assert macro_f1(LABELS, CHANCES) == pytest.approx((0.5 + 0.5 + 1) / 3)
    likely = [0.7, 0.8, 0.3, 0.5, 0.25]
    assert log_loss(LABELS, CHANCES) == pytest.approx(-np.mean(np.log(likely)))


def test_weights_worked_by_hand() -> None:
    weights = [1, 2, 3, 4, 0]
    assert accuracy(LABELS, CHANCES, weights) == pytest.approx(7 / 10)
    assert majority(LABELS, CHANCES, weights) == pytest.approx(4 / 10)
    # 0: TP 1, FN 3. 1: TP 2, FP 3. 2: TP 4.
    assert macro_f1(LABELS, CHANCES, weights) == pytest.approx((2 / 5 + 4 / 7 + 1) / 3)
    logs = np.log([0.7, 0.8, 0.3, 0.5])
    assert log_loss(LABELS, CHANCES, weights) == pytest.approx(-(logs @ [1, 2, 3, 4]) / 10)


def test_each_class_against_all_others() -> None:
    # 0: .7 and .3 against .1, .2, .5: 3 + 2 of 6. 1: .8 and .25 against .2, .6, .3: 3 + 1 of 6.
    # 2: .5 against .1, .1, .1, .25: 4 of 4.
    assert macro_auc(LABELS, CHANCES) == pytest.approx((5 / 6 + 4 / 6 + 1) / 3)
    assert evaluate_multi_class(LABELS, CHANCES)["overall"]["macro_auc"] == pytest.approx(
        macro_auc(LABELS, CHANCES)
    )
    # Without the last row every class is above all others.
    assert macro_auc(LABELS, CHANCES, [1, 2, 3, 4, 0]) == 1
    # 0: .5 beats .4 (weight 3) and not .6 (weight 1), and is the same the other way round.
    assert macro_auc([0, 1, 1], [[0.5, 0.5], [0.4, 0.6], [0.6, 0.4]], [2, 3, 1]) == 3 / 4
    # A class that no row has, and one that all have, cannot be told apart from others.
    assert macro_auc([0, 0, 1], [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.4, 0.6, 0]]) == (0.5 + 1) / 2
    assert math.isnan(macro_auc([1, 1], [[0.5, 0.5], [0.1, 0.9]]))


def test_many_classes_have_no_areas() -> None:
    found = evaluate_multi_class([0, 100], np.eye(101)[[0, 100]])["overall"]
    assert list(found) == ["rows", "majority", "accuracy", "macro_f1", "log_loss"]


def test_rows_without_a_label_do_not_count() -> None:
    found = evaluate_multi_class([*LABELS, NAN], [*CHANCES, [0.1, 0.1, 0.8]])
    assert found["overall"] == evaluate_multi_class(LABELS, CHANCES)["overall"]
    assert found["overall"]["rows"] == 5


def test_a_class_that_a_slice_lacks_does_not_count() -> None:
    slices = {"shop": ["a", "b", "a", "a", "b"]}
    found = evaluate_multi_class(LABELS, CHANCES, slices=slices)["slices"]["shop"]
    # Shop b has class 1 only: TP 1, FN 1; class 0: FP 1; class 2 nowhere.
    assert found["b"]["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["b"]["rows"] == 2
    assert found["a"]["accuracy"] == pytest.approx(2 / 3)


def test_a_certain_mistake_costs_what_is_clipped() -> None:
    assert log_loss([0], [[0.0, 1.0]]) == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize("metric", [accuracy, majority, macro_f1, macro_auc, log_loss])
def test_nothing_to_measure(metric) -> None:
    assert math.isnan(metric([], np.zeros((0, 3))))
    assert math.isnan(metric([NAN], [[1, 0, 0]]))
    assert math.isnan(metric([1], [[1, 0, 0]], [0]))


@pytest.mark.parametrize("metric", [accuracy, macro_f1, macro_auc, log_loss])
def test_a_prediction_that_is_no_number(metric) -> None:
    assert math.isnan(metric([0, 1], [[0.5, 0.5], [NAN, NAN]]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3], "numbers of classes, 0 to 2. Received: 3"),
        ([-1], "numbers of classes, 0 to 2. Received: -1"),
        ([0.5], "numbers of classes, 0 to 2. Received: 0.5"),
        ([0, 1], r"shapes \[n\] and \[n, classes\]. Received: \(2,\) and \(1, 3\)"),
    ],
)
def test_wrong_labels_are_refused(labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy(labels, [[0.2, 0.3, 0.5]])


def test_the_gate_knows_which_way_is_better() -> None:
    def rule(metric: str) -> Rule:
        return Rule(task="season", metric=metric, not_worse_by=0.01)

    better = {"season": evaluate_multi_class(LABELS, CHANCES)}
    worse = {"season": evaluate_multi_class(LABELS, np.roll(CHANCES, 1, axis=1))}
    for metric in ("accuracy", "macro_f1", "macro_auc", "log_loss"):
        assert check([rule(metric)], better, worse).blessed, metric
        assert not check([rule(metric)], worse, better).blessed, metric
    assert "neither higher nor lower" in check([rule("majority")], better).reasons[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_is_the_mean_of_each_class(pairs: list) -> None:
    labels, predicted = map(np.array, zip(*pairs, strict=True))
    scores = []
    for c in set(labels) | set(predicted):
        hits = sum((labels == c) & (predicted == c))
        precision = hits / max(sum(predicted == c), 1)
        recall = hits / max(sum(labels == c), 1)
        scores.append(2 * precision * recall / max(precision + recall, 1e-9))
    assert macro_f1(labels, np.eye(4)[predicted]) == pytest.approx(np.mean(scores), abs=1e-6)


def test_what_is_found_of_each_class() -> None:
    kind = MultiClass(4, names=["spring", "summer", "fall", "winter"])
    evaluation = Evaluation({"season": kind})
    chances = [[0.7, 0.2, 0.1, 0], [0.6, 0.4, 0, 0], [0.1, 0.8, 0.1, 0], [0.1, 0.2, 0.7, 0]]
    evaluation.update({"season": [0, 1, 1, 1]}, {"season": chances}, weights=[1, 1, 2, 1])
    spring, summer, fall, winter = evaluation.result().tasks["season"]["classes"]
    assert spring == {
        "name": "spring",
        "support": 1,
        "predicted": 2,
        "precision": 0.5,
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
    }
    assert (summer["precision"], summer["recall"]) == (1.0, 0.5)
    assert (fall["precision"], fall["recall"], fall["f1"]) == (0.0, None, 0.0)
    assert winter["f1"] is winter["precision"] is winter["recall"] is None
