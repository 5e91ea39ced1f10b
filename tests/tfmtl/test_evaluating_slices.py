"""A model's metrics in slices and lists, beside loops; and where they have no value."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny

from tfmtl.evaluation import check
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.training.evaluating import evaluate_model, measure
from tfmtl.training.examples import read_examples

Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    """Weights at random, so large that predictions differ."""
    made = tiny.make_model()
    random = np.random.default_rng(0)
    for variable in made.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.6)
    return made


def changed(transformed: Path, home: Path, **splits: Change) -> Path:
    """The tiny shop's examples with some splits changed."""
    (home / "catalogue.parquet").write_bytes((transformed / "catalogue.parquet").read_bytes())
    for split in ("train", "validation", "test"):
        table = pq.read_table(transformed / split / "part-0.parquet")
        (home / split).mkdir()
        pq.write_table(splits.get(split, lambda t: t)(table), home / split / "part-0.parquet")
    return home


def put(table: pa.Table, column: str, values: np.ndarray | list) -> pa.Table:
    place = table.schema.get_field_index(column)
    made = pa.array(values, table.schema.field(column).type, from_pandas=True)
    return table.set_column(place, column, made)


def predictions(model: MultiTaskModel, directory: Path) -> tuple[dict, dict, dict]:
    """Inputs, labels and predictions of the test rows."""
    ((x, y, _),) = read_examples(
        directory / "test", model.config, batch_size=40, shuffle=False
    ).as_numpy_iterator()
    return x, y, {n: p.numpy() for n, p in model.rank(x).items()}


def area(labels: np.ndarray, scores: np.ndarray) -> float:
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_what_is_new_and_histories(
    model: MultiTaskModel, transformed: Path, tmp_path: Path
) -> None:
    def known(table: pa.Table) -> pa.Table:
        pairs = zip(table["meta/user"].to_pylist(), table["meta/item"].to_pylist(), strict=True)
        return table.filter(pa.array([user != "dee" and item < 4 for user, item in pairs]))

    home = changed(transformed, tmp_path, train=known)
    _, y, predicted = predictions(model, home)
    raw = tiny.raw_rows(40, 2)
    lengths = (raw["click_history_item_id"] != "").sum(axis=1)
    rows = {
        ("new_user", "yes"): raw["user_id"] == "dee",
        ("new_user", "no"): raw["user_id"] != "dee",
        ("new_item", "yes"): raw["row"] >= 4,
        ("new_item", "no"): raw["row"] < 4,
        ("history", "0"): lengths == 0,
        ("history", "1-2"): (lengths == 1) | (lengths == 2),
        ("history", "3-5"): lengths == 3,
    }
    found = evaluate_model(model, model.config, home)
    slices = found["click"]["slices"]
    assert {(c, v) for c in ("new_user", "new_item", "history") for v in slices[c]} == set(rows)
    for (column, value), chosen in rows.items():
        figures = slices[column][value]
        assert figures["rows"] == chosen.sum() > 0
        expected = area(y["click"][chosen], predicted["click"][chosen])
        assert figures["auc"] == pytest.approx(expected, rel=1e-6), (column, value)
        positives = chosen & (y["retrieve"] > 0)
        assert found["retrieve"]["slices"][column][value]["rows"] == positives.sum()


def test_ndcg_by_query(model: MultiTaskModel, transformed: Path) -> None:
    config = tiny.make_config({"evaluation.query": ["user_id", "position"]})
    _, y, predicted = predictions(model, transformed)
    raw = tiny.raw_rows(40, 2)
    keys = np.array([f"{u} {p}" for u, p in zip(raw["user_id"], raw["position"], strict=True)])
    found = evaluate_model(model, config, transformed)
    for k in (1, 3):
        gains = []
        for key in np.unique(keys):
            own = np.flatnonzero(keys == key)
            order = own[np.argsort(-predicted["click"][own])][:k]
            best = np.sort(y["click"][own])[::-1][:k]
            if best.sum():
                discounts = 1 / np.log2(2 + np.arange(len(order)))
                gains.append(y["click"][order] @ discounts / (best @ discounts))
        assert found["click"]["overall"][f"ndcg@{k}"] == pytest.approx(np.mean(gains), rel=1e-6)
    assert "ndcg@3" in found["stars"]["overall"]
    assert "ndcg@3" not in evaluate_model(model, model.config, transformed)["click"]["overall"]


def test_coverage_and_concentration(model: MultiTaskModel, transformed: Path) -> None:
    found = evaluate_model(model, model.config, transformed)["retrieve"]["overall"]
    x, y, _ = predictions(model, transformed)
    catalogue = pq.read_table(transformed / "catalogue.parquet")
    items = {n: np.array(catalogue[n].to_pylist()) for n in model.config.item_features}
    items["price"] = items["price"].astype(np.float32)
    vectors = model.item_vectors({n: tf.constant(v) for n, v in items.items()}).numpy()
    queries = model.query_vectors(x).numpy()[y["retrieve"] > 0]
    for k in (1, 3):
        lists = [np.argsort(-(vectors @ query))[:k] for query in queries]
        counts = np.bincount(np.concatenate(lists), minlength=6)
        assert found[f"coverage@{k}"] == pytest.approx(np.count_nonzero(counts) / 6)
        apart = sum(abs(a - b) for a in counts for b in counts)
        assert found[f"gini@{k}"] == pytest.approx(apart / (2 * 6 * counts.sum()))


def test_predictions_that_are_no_numbers(transformed: Path) -> None:
    broken = tiny.make_model()
    for variable in broken.trainable_variables:
        variable.assign(np.full(variable.shape, np.nan))
    found = evaluate_model(broken, broken.config, transformed)
    for task, measured in found.items():
        for figures in [measured["overall"], *measured["slices"]["scenario"].values()]:
            defined = {name for name, figure in figures.items() if figure is not None}
            # What is recommended is a list of items whatever the scores are.
            shown = {n for n in figures if n.startswith(("coverage", "gini"))}
            assert defined - shown == {"rows", "positives"} & set(figures), task
    json.dumps(found, allow_nan=False)
    config = tiny.make_config({"gate": [{"task": "click", "metric": "auc", "at_least": 0}]})
    assert not check(config.gate, found).blessed


def test_a_slice_of_one_class_and_a_slice_of_one_user(
    model: MultiTaskModel, transformed: Path, tmp_path: Path
) -> None:
    raw = tiny.raw_rows(40, 2)
    old, feed = raw["age"] == "old", raw["scenario"] == "feed"

    def change(table: pa.Table) -> pa.Table:
        clicks = table["label/click"].to_numpy().copy()
        clicks[old] = 0
        users = np.where(feed, "eve", raw["user_id"].astype(str))
        return put(put(table, "label/click", clicks), "meta/user", users.tolist())

    home = changed(transformed, tmp_path, test=change)
    result = measure(model, model.config, home)
    click = result.tasks["click"]
    one_class = click["slices"]["age"]["old"]
    assert one_class["positives"] == 0
    assert one_class["auc"] is one_class["gauc"] is one_class["normalized_entropy"] is None
    assert one_class["log_loss"] is not None
    assert click["intervals"]["slices"]["age"]["old"]["auc"] is None
    assert click["slices"]["scenario"]["feed"]["auc"] is not None
    assert click["intervals"]["slices"]["scenario"]["feed"]["auc"] is None, "one user says nothing"
    assert click["intervals"]["slices"]["scenario"]["search"]["auc"] is not None
    json.dumps(result.tasks, allow_nan=False)


def test_only_some_tasks_without_slices(model: MultiTaskModel, transformed: Path) -> None:
    whole = measure(model, model.config, transformed).tasks
    found = measure(model, model.config, transformed, only=["stars"], in_full=False).tasks
    assert list(found) == ["stars"]
    assert found["stars"]["overall"] == whole["stars"]["overall"]
    assert found["stars"]["slices"] == {}
    assert not any(found["stars"]["intervals"]["overall"].values())


def test_nothing_is_known_of_users(model: MultiTaskModel, transformed: Path) -> None:
    changes = {
        "source.impressions.user": None,
        "features.user": [tiny.RAW["features"]["user"][1]],
        "features.history": [],
    }
    config = tiny.make_config(changes)
    found = evaluate_model(tiny.make_model(changes), config, transformed)
    assert "gauc" not in found["click"]["overall"]
    assert "recall@1_unseen" not in found["retrieve"]["overall"]
    assert list(found["click"]["slices"]) == ["age", "scenario", "new_item"]
    assert found["click"]["intervals"]["overall"]["auc"] is not None
