"""Figures of rows that come batch by batch against the exact metrics of whole arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tfmtl.evaluation import (
    Binary,
    Evaluation,
    MultiClass,
    MultiLabel,
    Regression,
    Result,
    Retrieval,
    auc,
    calibration,
    ece,
    gauc,
    log_loss,
    mae,
    mrr,
    multi_class,
    multi_label,
    ndcg_at,
    ndcg_by_query,
    normalized_entropy,
    pr_auc,
    recall_at,
    rmse,
)
from tfmtl.evaluation.streaming import kept_rows, stream

NAN = math.nan
TASKS = {
    "click": Binary(top_k=(3,)),
    "stars": Regression(),
    "season": MultiClass(classes=3),
    "tags": MultiLabel(labels=2),
}
Columns = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def rows() -> Columns:
    """Rows with missing labels, weights of zero, ties, and users of one to some thirty rows."""
    random = np.random.default_rng(5)
    count = 6000
    user = np.minimum(random.geometric(0.003, count), 900)
    chance = 1 / (1 + np.exp(-(random.normal(size=900)[user - 1] + random.normal(size=count) - 1)))
    likely = random.random((count, 3)) + 0.1
    tags = (random.random((count, 2)) < 0.3).astype(float)
    tags[random.random((count, 2)) < 0.2] = NAN
    return {
        "click": np.where(random.random(count) < 0.1, NAN, random.random(count) < chance),
        "p": np.round(np.clip(chance + 0.2 * random.normal(size=count), 0, 1), 3),
        "stars": np.where(random.random(count) < 0.3, NAN, random.integers(1, 6, count)),
        "s": random.normal(size=count) + 3,
        "season": np.where(random.random(count) < 0.1, NAN, random.integers(0, 3, count)),
        "l": likely / likely.sum(axis=1, keepdims=True),
        "tags": tags,
        "t": random.random((count, 2)),
        "weight": random.choice([0, 0.5, 1, 3], count),
        "user": user,
        "query": random.integers(0, 1500, count),
        "scenario": random.choice(["search", "feed", "ads"], count, p=[0.7, 0.2, 0.1]),
        "age": random.choice([1, 2], count),
    }


def evaluated(rows: Columns, batch: int = 1000, seed: int = 0) -> Evaluation:
    made = Evaluation(TASKS, slices=["scenario", "age"], seed=seed)
    for start in range(0, len(rows["user"]), batch):
        update(made, {name: values[start : start + batch] for name, values in rows.items()})
    return made


def update(evaluation: Evaluation, rows: Columns) -> None:
    evaluation.update(
        {task: rows[task] for task in TASKS},
        {"click": rows["p"], "stars": rows["s"], "season": rows["l"], "tags": rows["t"]},
        rows["weight"],
        rows["user"],
        {"scenario": rows["scenario"], "age": rows["age"]},
        {"click": rows["query"]},
    )


def expected(r: Columns) -> dict[str, dict[str, float]]:
    """Every metric of some rows by the functions of whole arrays."""
    w = r["weight"]
    click, stars = (r["click"], r["p"], w), (r["stars"], r["s"], w)
    season, tags = (r["season"], r["l"], w), (r["tags"], r["t"], w)
    return {
        "click": {
            "rows": (~np.isnan(r["click"]) & (w > 0)).sum(),
            "positives": ((r["click"] == 1) & (w > 0)).sum(),
            "auc": auc(*click),
            "pr_auc": pr_auc(*click),
            "log_loss": log_loss(*click),
            "normalized_entropy": normalized_entropy(*click),
            "ece": ece(*click),
            "calibration": calibration(*click),
            "gauc": gauc(r["click"], r["p"], r["user"], w),
            "ndcg@3": ndcg_by_query(r["click"], r["p"], r["query"], 3, w),
        },
        "stars": {
            "rows": (~np.isnan(r["stars"]) & (w > 0)).sum(),
            "rmse": rmse(*stars),
            "mae": mae(*stars),
        },
        "season": {
            "rows": (~np.isnan(r["season"]) & (w > 0)).sum(),
            "majority": multi_class.majority(*season),
            "accuracy": multi_class.accuracy(*season),
            "macro_f1": multi_class.macro_f1(*season),
            "macro_auc": multi_class.macro_auc(*season),
            "log_loss": multi_class.log_loss(*season),
        },
        "tags": {
            "rows": (~np.isnan(r["tags"]).all(axis=1) & (w > 0)).sum(),
            "micro_f1": multi_label.micro_f1(*tags),
            "macro_f1": multi_label.macro_f1(*tags),
            "pr_auc": multi_label.pr_auc(*tags),
            "log_loss": multi_label.log_loss(*tags),
        },
    }


def slices(rows: Columns) -> Iterator[tuple[str, str, Columns]]:
    for column in ("scenario", "age"):
        for value in np.unique(rows[column]):
            chosen = rows[column] == value
            yield column, str(value), {name: values[chosen] for name, values in rows.items()}


@pytest.mark.parametrize("batch", [170, 6000])
def test_figures_are_those_of_whole_arrays(rows: Columns, batch: int) -> None:
    found = evaluated(rows, batch).result().tasks
    for task, figures in expected(rows).items():
        assert found[task]["overall"] == pytest.approx(figures, abs=1e-9)
        assert list(found[task]["slices"]["scenario"]) == ["search", "feed", "ads"]
    for column, value, own in slices(rows):
        for task, figures in expected(own).items():
            assert found[task]["slices"][column][value] == pytest.approx(figures, abs=1e-9)
    json.dumps(found, allow_nan=False)


def test_every_uncertain_figure_has_an_interval_around_it(rows: Columns) -> None:
    found = evaluated(rows).result().tasks
    certain = {"rows", "positives", "majority"}
    for summary in found.values():
        parts = [(summary["overall"], summary["intervals"]["overall"])]
        for column, values in summary["slices"].items():
            parts += [(values[v], summary["intervals"]["slices"][column][v]) for v in values]
        for figures, intervals in parts:
            assert set(intervals) == set(figures) - certain
            for metric, (low, high) in intervals.items():
                assert low < high
                if metric != "ece":
                    assert low < figures[metric] < high, metric


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows become sums after the first thousand."""
    monkeypatch.setattr(stream, "EXACT_ROWS", 1000)
    monkeypatch.setattr(stream, "_CHUNK", 1500)


@pytest.mark.usefixtures("streaming")
def test_sums_beyond_the_exact_rows(rows: Columns) -> None:
    found = evaluated(rows, 300).result().tasks
    # Of some 600 bins, and of twenty of 30 rows for the calibration error of the smallest slice.
    binned = {"auc": 1e-3, "macro_auc": 1e-3, "pr_auc": 3e-3, "ece": 1e-2}
    for column, value, own in [("", "", rows), *slices(rows)]:
        for task, figures in expected(own).items():
            summary = found[task]
            measured = summary["slices"][column][value] if column else summary["overall"]
            for metric, figure in figures.items():
                tolerance = binned.get(metric, 1e-9)
                assert measured[metric] == pytest.approx(figure, abs=tolerance), (task, metric)


@pytest.mark.slow
def test_bins_of_many_rows_are_fine_enough() -> None:
    random = np.random.default_rng(2)
    count = 2**20 + 2**19
    user, scenario = random.integers(0, 5000, count), random.choice(["a", "b"], count, p=[0.9, 0.1])
    chance = 1 / (1 + np.exp(4.5 - random.normal(size=count) - (user % 5) / 2))
    labels = (random.random(count) < chance).astype(np.float64)
    predictions = np.clip(chance * random.uniform(0.5, 1.5, count), 0, 1)
    evaluation = Evaluation({"click": Binary()}, slices=["scenario"])
    for rows in np.array_split(np.arange(count), 100):
        evaluation.update(
            {"click": labels[rows]},
            {"click": predictions[rows]},
            users=user[rows],
            slices={"scenario": scenario[rows]},
        )
    found = evaluation.result().tasks["click"]
    for own, figures in (
        (slice(None), found["overall"]),
        (scenario == "b", found["slices"]["scenario"]["b"]),
    ):
        exact = labels[own], predictions[own]
        assert figures["auc"] == pytest.approx(auc(*exact), abs=1e-5)
        assert figures["pr_auc"] == pytest.approx(pr_auc(*exact), abs=1e-4)
        assert figures["ece"] == pytest.approx(ece(*exact), abs=1e-5)
        assert figures["log_loss"] == pytest.approx(log_loss(*exact), abs=1e-9)
        assert figures["gauc"] == pytest.approx(gauc(*exact, user[own]), abs=1e-9)


def same(one: Result, other: Result, tolerance: float = 1e-9) -> None:
    for task, summary in one.tasks.items():
        for part in ("overall", "slices", "intervals"):
            flat, others = (dict(leaves(s[part])) for s in (summary, other.tasks[task]))
            assert flat == pytest.approx(others, abs=tolerance), (task, part)


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from leaves(value, f"{path}/{name}")
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            yield from leaves(value, f"{path}/{place}")
    else:
        yield path, tree


def test_the_same_seed_gives_the_same_intervals_however_rows_are_cut(rows: Columns) -> None:
    same(evaluated(rows, 999).result(), evaluated(rows, 500).result())
    one, other = (evaluated(rows, seed=seed).result().tasks["click"] for seed in (0, 1))
    assert one["intervals"]["overall"]["auc"] != other["intervals"]["overall"]["auc"]


def halves(rows: Columns) -> tuple[Columns, Columns]:
    return ({n: v[:3500] for n, v in rows.items()}, {n: v[3500:] for n, v in rows.items()})


def test_parts_are_merged(rows: Columns) -> None:
    parts = [evaluated(half) for half in halves(rows)]
    parts[0].merge(parts[1])
    same(parts[0].result(), evaluated(rows).result())


@pytest.mark.usefixtures("streaming")
def test_sums_are_merged_where_bins_are_the_same(rows: Columns) -> None:
    first, rest = halves(rows)
    part = evaluated(first, 300)
    empty = part.emptied()
    for start in range(0, 2500, 300):
        update(empty, {n: v[start : start + 300] for n, v in rest.items()})
    part.merge(empty)
    same(part.result(), evaluated(rows, 300).result(), 1e-6)
    with pytest.raises(ValueError, match="both decided on bins of their own"):
        part.merge(evaluated(rest, 300))


def test_users_are_sampled_where_rows_are_many(
    rows: Columns, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluated(rows).result().tasks["click"]
    monkeypatch.setattr(kept_rows, "MOST_ROWS", 2000)
    found = evaluated(rows).result().tasks["click"]
    low, high = found["intervals"]["overall"]["gauc"]
    assert found["overall"]["gauc"] != whole["overall"]["gauc"]
    assert low < whole["overall"]["gauc"] < high
    own = np.subtract(*whole["intervals"]["overall"]["gauc"])
    assert high - low > abs(own), "of fewer users less is known"
    assert found["overall"]["auc"] == whole["overall"]["auc"]


def test_rows_without_users() -> None:
    labels, predictions = [0, 1, 0, 1, 1, 0], [0.2, 0.8, 0.9, 0.6, 0.3, 0.1]
    evaluation = Evaluation({"click": Binary()})
    evaluation.update({"click": labels}, {"click": predictions})
    found = evaluation.result().tasks["click"]
    assert "gauc" not in found["overall"]
    assert found["overall"]["auc"] == pytest.approx(6 / 9)
    assert found["slices"] == {}


def test_nothing_and_one_user() -> None:
    evaluation = Evaluation(TASKS, slices=["scenario"])
    evaluation.update(
        {"click": [NAN], "stars": [NAN], "season": [NAN], "tags": [[NAN, NAN]]},
        {"click": [0.5], "stars": [1.0], "season": [[1, 0, 0]], "tags": [[0.5, 0.5]]},
        users=["ann"],
        slices={"scenario": ["ads"]},
        queries={"click": [1]},
    )
    for summary in evaluation.result().tasks.values():
        assert summary["slices"] == {"scenario": {}}
        assert summary["overall"]["rows"] == 0
        assert set(summary["intervals"]["overall"].values()) == {None}
    evaluation.update(
        {"click": [1, 0], "stars": [1, 2], "season": [0, 1], "tags": [[1, 0], [0, 1]]},
        {"click": [0.5, 0.2], "stars": [1, 1], "season": [[1, 0, 0]] * 2, "tags": [[1, 0]] * 2},
        users=["ann", "ann"],
        slices={"scenario": ["ads", "ads"]},
        queries={"click": [1, 1]},
    )
    for summary in evaluation.result().tasks.values():
        assert summary["overall"]["rows"] == 2
        assert set(summary["intervals"]["overall"].values()) == {None}, "one user tells nothing"


def test_a_prediction_that_is_no_number_has_no_figures() -> None:
    evaluation = Evaluation({"click": Binary(), "stars": Regression()}, slices=["s"])
    evaluation.update(
        {"click": [1, 0, 1, 0], "stars": [1, 2, 3, 4]},
        {"click": [NAN, 0.2, 0.4, 0.3], "stars": [NAN, 2, 2, 2]},
        users=[1, 2, 3, 4],
        slices={"s": ["x", "x", "y", "y"]},
    )
    found = evaluation.result().tasks
    assert found["click"]["overall"]["rows"] == 4
    for metric in ("auc", "pr_auc", "log_loss", "ece", "calibration", "gauc"):
        assert found["click"]["overall"][metric] is None, metric
        assert found["click"]["intervals"]["overall"][metric] is None
        assert found["click"]["slices"]["s"]["x"][metric] is None
    assert found["click"]["slices"]["s"]["y"]["auc"] == 1.0
    assert found["stars"]["overall"]["rmse"] is None
    assert found["stars"]["slices"]["s"]["y"]["mae"] == 1.5
    json.dumps(found, allow_nan=False)


def test_a_wide_column_keeps_its_most_frequent_values() -> None:
    column = np.repeat(np.arange(60), np.arange(1, 61))
    evaluation = Evaluation({"stars": Regression()}, slices=["shop"])
    evaluation.update(
        {"stars": np.ones(column.size)},
        {"stars": np.zeros(column.size)},
        slices={"shop": column},
    )
    found = evaluation.result().tasks["stars"]["slices"]["shop"]
    assert list(found) == [str(value) for value in range(59, 9, -1)]
    assert found["59"]["rows"] == 60


@pytest.mark.usefixtures("streaming")
def test_a_value_that_comes_late_is_a_slice_too() -> None:
    evaluation = Evaluation({"stars": Regression()}, slices=["day"])
    for day in range(8):
        evaluation.update(
            {"stars": np.ones(500)}, {"stars": np.zeros(500)}, slices={"day": [f"d{day}"] * 500}
        )
    found = evaluation.result().tasks["stars"]["slices"]["day"]
    assert {day: figures["rows"] for day, figures in found.items()} == {
        f"d{day}": 500 for day in range(8)
    }


def test_bytes_are_text() -> None:
    evaluation = Evaluation({"stars": Regression()}, slices=["s"])
    evaluation.update({"stars": [1, 2]}, {"stars": [1, 1]}, slices={"s": [b"ads", b"feed"]})
    assert set(evaluation.result().tasks["stars"]["slices"]["s"]) == {"ads", "feed"}


def test_retrieval() -> None:
    ranks, unseen, weights = [1, 4, 50, 2], [1, 2, 3, 2], [2, 1, 0, 1]
    scenario = list("xyyx")
    evaluation = Evaluation({"find": Retrieval(items=4, top_k=(1, 10))}, slices=["s"])
    for rows in (slice(0, 3), slice(3, 4)):
        evaluation.update_retrieval(
            "find",
            ranks[rows],
            unseen[rows],
            np.tile([[0, 1, 2, 3, -1, -1, -1, -1, -1, -1]], (4, 1))[rows],
            weights[rows],
            users=["a", "b", "c", "d"][rows],
            slices={"s": scenario[rows]},
        )
    found = evaluation.result().tasks["find"]
    assert found["overall"]["rows"] == 3
    for suffix, own in (("", ranks), ("_unseen", unseen)):
        assert found["overall"][f"recall@1{suffix}"] == pytest.approx(recall_at(own, 1, weights))
        assert found["overall"][f"ndcg@10{suffix}"] == pytest.approx(ndcg_at(own, 10, weights))
        assert found["overall"][f"mrr{suffix}"] == pytest.approx(mrr(own, weights))
    assert found["slices"]["s"]["y"]["mrr"] == 0.25
    assert found["overall"]["coverage@1"] == 0.25
    assert found["overall"]["coverage@10"] == 1.0
    assert found["overall"]["gini@1"] == 0.75
    assert found["overall"]["gini@10"] == 0.0
    assert "coverage@1" not in found["slices"]["s"]["y"]
    assert set(found["intervals"]["overall"]) == set(found["overall"]) - {"rows"}


def test_retrieval_without_queries() -> None:
    evaluation = Evaluation({"find": Retrieval(items=4)}, slices=["s"])
    evaluation.update_retrieval("find", [], [], np.zeros((0, 100), int), slices={"s": []})
    found = evaluation.result().tasks["find"]
    assert found["overall"]["rows"] == 0
    assert found["overall"]["mrr"] is None
    assert found["slices"] == {"s": {}}


def test_curves_by_hand() -> None:
    evaluation = Evaluation({"click": Binary()})
    evaluation.update({"click": [0, 1, 0, 1]}, {"click": [0.1, 0.3, 0.3, 0.9]})
    found = evaluation.result().tasks["click"]["curves"]
    assert found["roc"] == [[0, 0], [0, 0.5], [0.5, 1], [1, 1]]
    points = [(p["predicted"], p["observed"], p["rows"]) for p in found["calibration"]]
    assert points == [(0.1, 0, 1), (pytest.approx(0.3), 0.5, 2), (0.9, 1, 1)]


def test_curves_are_short_and_ascend(rows: Columns) -> None:
    found = evaluated(rows).result().tasks["click"]["curves"]
    roc = np.array(found["roc"])
    assert 50 < len(roc) <= 100
    assert (np.diff(roc, axis=0) >= 0).all()
    area = np.sum(np.diff(roc[:, 0]) * (roc[1:, 1] + roc[:-1, 1]) / 2)
    assert area == pytest.approx(auc(rows["click"], rows["p"], rows["weight"]), abs=2e-3)
    assert 15 < len(found["calibration"]) <= 20, "rows of one prediction fill several bins"
    known = ~np.isnan(rows["click"]) & (rows["weight"] > 0)
    assert sum(point["rows"] for point in found["calibration"]) == known.sum()
    for point in found["calibration"]:
        assert point["low"] <= point["observed"] <= point["high"]


Call = Callable[[Evaluation], None]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.update({"c": [1]}, {"c": [2]}), r"'c': `predictions` should lie in \[0, 1\]"),
        (lambda e: e.update({"c": [1, 0]}, {"c": [0.2]}), r"'c': .* should have shape \(1,\)"),
        (lambda e: e.update({"m": [3]}, {"m": [[1, 0]]}), "'m': .* numbers of classes, 0 to 1"),
        (lambda e: e.update({"m": [0]}, {"m": [[1]]}), r"shapes \(1,\) and \(1, 2\)"),
        (lambda e: e.update({"t": [[2]]}, {"t": [[1]]}), "'t': `labels` should be 0, 1 or NaN"),
        (lambda e: e.update({"x": [1]}, {"x": [1]}), "`predictions` should be of .* 'x'"),
        (lambda e: e.update({"r": [1]}, {"r": [1]}), "`predictions` should be of .* 'r'"),
        (lambda e: e.update({"c": [1]}, {"c": [1]}, users=[1, 2]), r"`users` .* shape \(1,\)"),
        (lambda e: e.update({"c": [1]}, {"c": [1]}, [-1]), "`weights` should be finite"),
        (
            lambda e: e.update({"c": [1]}, {"c": [1]}, queries={"c": [1]}),
            r"tasks with top_k: \[\]. Received: \['c'\]",
        ),
        (lambda e: e.update_retrieval("c", [1]), r"`task` should be of \['r'\]. Received: 'c'"),
        (lambda e: e.update_retrieval("r", [1], [1, 2]), r"`unseen` should have shape \(1,\)"),
        (lambda e: e.update_retrieval("r", [1], tops=[[1]]), r"`tops` .* \(1, at least 2\)"),
        (lambda e: e.update_retrieval("r", [1], tops=[[1, 5]]), "0 to 4, or -1 for none"),
    ],
)
def test_bad_input_is_named(call: Call, message: str) -> None:
    kinds = {"c": Binary(), "m": MultiClass(2), "t": MultiLabel(1), "r": Retrieval(5, (1, 2))}
    with pytest.raises(ValueError, match=message):
        call(Evaluation(kinds))


def test_a_missing_slice_column_and_changing_updates_are_named() -> None:
    evaluation = Evaluation({"c": Binary(), "s": Regression()}, slices=["scenario"])
    with pytest.raises(ValueError, match=r"should have the columns \['scenario'\]"):
        evaluation.update({"c": [1]}, {"c": [1]})
    with pytest.raises(ValueError, match=r"slice column 'scenario' should have shape \(1,\)"):
        evaluation.update({"c": [1]}, {"c": [1]}, slices={"scenario": ["a", "b"]})
    slices = {"scenario": ["ads"]}
    evaluation.update({"c": [1]}, {"c": [1]}, users=[1], slices=slices)
    with pytest.raises(ValueError, match="every update should have the same users"):
        evaluation.update({"c": [1]}, {"c": [1]}, slices=slices)
    with pytest.raises(ValueError, match="every update should have the same tasks"):
        evaluation.update({"s": [1]}, {"s": [1]}, users=[1], slices=slices)
