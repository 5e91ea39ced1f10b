"""Intervals: how often they contain the truth, and independent references for their length."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

from tfmtl.evaluation import (
    Binary,
    Evaluation,
    Regression,
    Result,
    Retrieval,
    auc,
    calibration,
    differences,
    gauc,
    log_loss,
    mrr,
    normalized_entropy,
    pr_auc,
    recall_at,
    rmse,
)
from tfmtl.evaluation.streaming.bootstrap import Draws, interval


class Sample(NamedTuple):
    """Rows of users, each of which has a taste that its rows share, and two models' predictions."""

    users: np.ndarray
    labels: np.ndarray
    model: np.ndarray
    other: np.ndarray
    ranks: np.ndarray


def sampled(random: np.random.Generator, users: int, rows: int = 20) -> Sample:
    """The two models are right equally often: they see the same, each with noise of its own."""
    user = np.repeat(np.arange(users), random.poisson(rows, users) + 1)
    taste, seen = random.normal(size=users)[user], random.normal(size=users)[user]
    sight = random.normal(size=user.size)
    chance = 1 / (1 + np.exp(1.5 - taste - 0.35 * seen - sight))

    def predicted() -> np.ndarray:
        noise = 0.3 * random.normal(size=user.size)
        return 1 / (1 + np.exp(1.3 - 0.7 * seen - 0.8 * sight - noise))

    labels = (random.random(user.size) < chance).astype(np.float64)
    ranks = 1 + np.floor(np.exp(1.5 + 2 * taste + 0.5 * random.normal(size=user.size)))
    return Sample(user, labels, predicted(), predicted(), ranks)


@pytest.fixture(scope="module")
def truth() -> dict[str, float]:
    """Figures of 800,000 rows."""
    s = sampled(np.random.default_rng(99), 40_000)
    binary = {m.__name__: m(s.labels, s.model) for m in (auc, pr_auc, log_loss)}
    return {
        **binary,
        "normalized_entropy": normalized_entropy(s.labels, s.model),
        "calibration": calibration(s.labels, s.model),
        "gauc": gauc(s.labels, s.model, s.users),
        "rmse": rmse(s.labels, s.model),
        "recall@10": recall_at(s.ranks, 10),
        "mrr": mrr(s.ranks),
    }


def measured(s: Sample, predictions: np.ndarray, seed: int, users: np.ndarray | None) -> Result:
    kinds = {"click": Binary(), "number": Regression(), "find": Retrieval(9, (10,))}
    evaluation = Evaluation(kinds, seed=seed)
    evaluation.update(
        {"click": s.labels, "number": s.labels},
        {"click": predictions, "number": predictions},
        users=users,
    )
    evaluation.update_retrieval("find", s.ranks, users=users)
    return evaluation.result()


def covered(found: Result, truth: dict[str, float]) -> dict[str, bool]:
    hits = {}
    for summary in found.tasks.values():
        for metric, ends in summary["intervals"]["overall"].items():
            if metric in truth:
                hits[metric] = ends[0] <= truth[metric] <= ends[1]
    return hits


def shares(hits: list[dict[str, bool]]) -> dict[str, float]:
    return {metric: np.mean([one[metric] for one in hits]) for metric in hits[0]}


@pytest.mark.parametrize(
    ("repetitions", "users", "slack"),
    [
        (40, 60, 0.1),
        pytest.param(400, 100, 0.04, marks=pytest.mark.slow),
        pytest.param(200, 600, 0.05, marks=pytest.mark.slow),
    ],
)
def test_intervals_contain_the_truth(
    truth: dict[str, float], repetitions: int, users: int, slack: float
) -> None:
    """In 93 to 97 %, give or take two standard errors of the repetitions."""
    by_user, by_row, equal = [], [], []
    for seed in range(repetitions):
        s = sampled(np.random.default_rng(1000 + seed), users)
        found = measured(s, s.model, seed, s.users)
        by_user.append(covered(found, truth))
        by_row.append(covered(measured(s, s.model, seed, None), truth) | {"gauc": True})
        other = differences(found, measured(s, s.other, seed, s.users))["click"]["overall"]
        equal.append({metric: d["low"] <= 0 <= d["high"] for metric, d in other.items()})
    assert set(by_user[0]) == set(truth)
    for metric, share in shares(by_user).items():
        assert 0.95 - slack <= share <= min(0.95 + slack, 1), metric
    # Rows drawn one by one would be sure of what they do not know.
    assert shares(by_row)["log_loss"] < 0.95 - slack
    assert shares(by_row)["recall@10"] < 0.75
    for metric, share in shares(equal).items():
        if metric != "ece":
            assert 0.95 - slack <= share, f"{metric}: equal models are called different"


def delong(labels: np.ndarray, one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Standard errors of an AUC and of the difference of two, by placements of independent rows.

    DeLong et al., Comparing the areas under two or more correlated receiver operating
    characteristic curves, 1988.
    """
    placed = []
    for scores in (one, other):
        wins = scores[labels == 1][:, None] > scores[labels == 0][None, :]
        placed.append((wins.mean(axis=1), wins.mean(axis=0)))
    (positive, negative), (positive2, negative2) = placed

    def error(of_positives: np.ndarray, of_negatives: np.ndarray) -> float:
        variance = of_positives.var(ddof=1) / len(of_positives)
        return math.sqrt(variance + of_negatives.var(ddof=1) / len(of_negatives))

    return error(positive, negative), error(positive - positive2, negative - negative2)


def test_lengths_agree_with_delong() -> None:
    random = np.random.default_rng(8)
    sight = random.normal(size=3000)
    labels = (random.random(3000) < 1 / (1 + np.exp(1 - sight))).astype(float)
    models = [1 / (1 + np.exp(-sight - 0.3 * random.normal(size=3000))) for _ in range(2)]
    results = []
    for predictions in models:
        evaluation = Evaluation({"click": Binary()})
        evaluation.update({"click": labels}, {"click": predictions})
        results.append(evaluation.result())
    own, of_difference = delong(labels, *models)
    low, high = results[0].tasks["click"]["intervals"]["overall"]["auc"]
    assert high - low == pytest.approx(2 * 1.96 * own, rel=0.12)
    found = differences(*results)["click"]["overall"]["auc"]
    assert found["difference"] == pytest.approx(auc(labels, models[0]) - auc(labels, models[1]))
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * of_difference, rel=0.12)
    assert found["high"] - found["low"] < 0.7 * (high - low), "what both share cancels out"


def test_a_bootstrap_over_users_by_hand() -> None:
    """Each user drawn as often as it is, its rows copied, against weights."""
    s = sampled(np.random.default_rng(4), users=40)
    found = measured(s, s.model, 7, s.users).estimates["click"].overall
    draws = Draws(7).of(40)
    for replicate in range(0, 1000, 100):
        times = draws[replicate].astype(int)[s.users]
        copies = np.repeat(s.labels, times), np.repeat(s.model, times)
        owner = np.repeat(s.users, times)
        values = {name: found.replicates[name][replicate] for name in found.replicates}
        assert values["log_loss"] == pytest.approx(log_loss(*copies), abs=1e-9)
        assert values["calibration"] == pytest.approx(calibration(*copies), abs=1e-9)
        assert values["gauc"] == pytest.approx(gauc(*copies, owner), abs=1e-9)
        # Of 256 bins.
        assert values["auc"] == pytest.approx(auc(*copies), abs=5e-4)
        assert values["pr_auc"] == pytest.approx(pr_auc(*copies), abs=5e-3)


def test_a_better_model_is_told_from_a_worse_one() -> None:
    s = sampled(np.random.default_rng(2), users=300)
    blurred = np.clip(s.model + np.random.default_rng(3).normal(size=s.model.size) / 8, 0, 1)
    found = differences(*(measured(s, p, 0, s.users) for p in (s.model, blurred)))["click"]
    assert found["overall"]["auc"]["low"] > 0
    assert found["overall"]["log_loss"]["high"] < 0
    assert found["overall"].keys() >= {"auc", "pr_auc", "log_loss", "ece", "gauc"}


def test_differences_are_of_the_same_rows() -> None:
    one, other = (sampled(np.random.default_rng(seed), 30) for seed in (1, 2))
    with pytest.raises(ValueError, match="both should be measured on the same rows"):
        differences(measured(one, one.model, 0, None), measured(other, other.model, 0, None))


def test_differences_of_slices_and_of_tasks_that_both_have() -> None:
    results = []
    for task, predictions in (("a", [1.0, 2, 3, 4, 5, 6]), ("b", [2.0, 2, 2, 4, 5, 6])):
        evaluation = Evaluation({"s": Regression(), task: Regression()}, slices=["scenario"])
        evaluation.update(
            {"s": [1] * 6, task: [1] * 6},
            {"s": predictions, task: predictions},
            users=list("abcdef"),
            slices={"scenario": ["x", "x", "x", "y", "y", "y"]},
        )
        results.append(evaluation.result())
    found = differences(*results)
    assert set(found) == {"s"}
    assert found["s"]["overall"]["mae"]["difference"] == pytest.approx(0)
    assert found["s"]["slices"]["scenario"]["x"]["rmse"]["difference"] == pytest.approx(
        math.sqrt(5 / 3) - 1
    )
    assert found["s"]["slices"]["scenario"]["y"]["mae"] == {"difference": 0, "low": 0, "high": 0}


def student(degrees: int, quantile: float) -> float:
    """Share of Student's distribution below a quantile, by the trapezoid rule."""
    x = np.linspace(-600, quantile, 200_001)
    constant = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2) / math.sqrt(degrees * np.pi)
    return float(np.trapezoid(constant * (1 + x**2 / degrees) ** (-(degrees + 1) / 2), x))


@pytest.mark.parametrize("clusters", [3, 4, 6, 20, 200])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_few_clusters_make_wider_intervals(clusters: int, level: float) -> None:
    """Normal replicates: the interval is Student's, in standard errors of the mean."""
    normal = np.sort(np.random.default_rng(0).normal(size=2_000_001))
    low, high = interval(normal, clusters, level)
    quantile = high / math.sqrt(clusters / (clusters - 1))
    if (clusters, level) == (3, 0.95):  # so far out replicates are too few to tell
        assert quantile > 4
    else:
        assert low == pytest.approx(-high, rel=0.03)
        assert student(clusters - 1, quantile) == pytest.approx((1 + level) / 2, abs=2e-3)


def test_no_interval() -> None:
    assert interval(np.linspace(0, 1, 1000), clusters=1) is None
    some = np.where(np.arange(1000) < 100, math.nan, 1.0)
    assert interval(some, clusters=50) is None
    assert interval(np.zeros(0), clusters=50) is None
    assert interval(some[60:], clusters=50) == (1.0, 1.0)


def test_no_intervals_where_none_are_asked_for() -> None:
    evaluation = Evaluation({"click": Binary()}, intervals=False)
    evaluation.update({"click": [0, 1, 1]}, {"click": [0.2, 0.9, 0.4]}, users=[1, 2, 3])
    found = evaluation.result().tasks["click"]
    assert found["overall"]["auc"] == 1.0
    assert set(found["intervals"]["overall"].values()) == {None}
    assert all(point["low"] is None for point in found["curves"]["calibration"])


def test_draws() -> None:
    draws = Draws(3, 500).of(12)
    assert draws.shape == (500, 12)
    assert (draws.sum(axis=1) == 12).all()
    # Multinomial counts of chance 1/12: variance 12 (1/12) (11/12).
    assert draws.var() == pytest.approx(11 / 12, rel=0.05)
    assert np.array_equal(draws, Draws(3, 500).of(12))
    assert not np.array_equal(draws, Draws(4, 500).of(12))
