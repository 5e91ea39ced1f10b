"""A model's metrics on examples, and an older model's on newer examples."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import Config
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import save_model
from tfmtl.preprocessing.tables import Moments
from tfmtl.training.evaluating import evaluate_model
from tfmtl.training.examples import read_examples
from tfmtl.training.translation import Translation

MOVED = {
    "user_id": ["dee", "ann", "zoe", "cem", "bob"],
    "age": ["old", "young"],
    "item_id": ["i6", "i5", "i4", "i3", "i2", "i1"],
    "category": ["hats", "shoes"],
    "words": ["hat", "鞋", "green", "red", "blue", "shoe"],
    "position": ["3", "1", "2"],
}
MOVED_MOMENTS = {"price": Moments(1.5, 2.0), "discount": Moments(4.0, 0.0)}


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    """Weights at random, so large that predictions differ."""
    made = tiny.make_model()
    random = np.random.default_rng(0)
    for variable in made.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.6)
    return made


@pytest.fixture(scope="module")
def config() -> Config:
    return tiny.make_config()


def area(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative that are in order, ties a half."""
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    return float(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_metrics_of_ranking_tasks(model: MultiTaskModel, config: Config, transformed: Path) -> None:
    told: list[tuple[int, int, str]] = []
    found = evaluate_model(
        model, config, transformed, on_batch=lambda *progress: told.append(progress)
    )
    assert set(found) == {"retrieve", "click", "cart", "stars"}
    assert told == [(40, 40, "")]
    ((x, y, _),) = read_examples(
        transformed / "test", config, batch_size=40, shuffle=False
    ).as_numpy_iterator()
    predicted = {n: p.numpy() for n, p in model.rank(x).items()}
    click = found["click"]["overall"]
    assert click["rows"] == 40
    assert click["auc"] == pytest.approx(area(y["click"], predicted["click"]), rel=1e-6)
    search = x["scenario"] == 2
    assert found["cart"]["overall"]["rows"] == search.sum()
    by_scenario = found["cart"]["slices"]["scenario"]
    assert "feed" not in by_scenario
    assert by_scenario["search"]["auc"] == pytest.approx(
        area(y["cart"][search], predicted["cart"][search]), rel=1e-6
    )
    old = (x["age"] == 3) & np.isfinite(y["stars"])
    errors = (predicted["stars"] - y["stars"])[old]
    assert found["stars"]["slices"]["age"]["old"]["rmse"] == pytest.approx(
        np.sqrt(np.mean(errors**2)), rel=1e-5
    )


def test_metrics_of_retrieval(model: MultiTaskModel, config: Config, transformed: Path) -> None:
    found = evaluate_model(model, config, transformed)["retrieve"]["overall"]
    raw, clicks = tiny.raw_rows(40, 2), tiny.labels(tiny.raw_rows(40, 2), 2)["click"] > 0
    ((x, *_),) = read_examples(
        transformed / "test", config, batch_size=40, shuffle=False
    ).as_numpy_iterator()
    catalogue = pq.read_table(transformed / "catalogue.parquet")
    items = {
        name: np.array(catalogue[name].to_pylist())
        for name in ("item_id", "category", "price", "title_words")
    }
    items["price"] = items["price"].astype(np.float32)
    vectors = model.item_vectors({n: tf.constant(v) for n, v in items.items()}).numpy()
    queries = model.query_vectors(x).numpy()
    seen: dict[str, set[int]] = {}
    for seed, count in enumerate((64, 20)):
        rows = tiny.raw_rows(count, seed)
        positive = tiny.labels(rows, seed)["click"] > 0
        for user, item in zip(rows["user_id"][positive], rows["row"][positive], strict=True):
            seen.setdefault(user, set()).add(int(item))
    ranks, unseen = [], []
    for i in np.flatnonzero(clicks):
        scores, wanted = vectors @ queries[i], raw["row"][i]
        hidden = seen.get(raw["user_id"][i], set()) - {int(wanted)}
        ranks.append(1 + np.sum(scores > scores[wanted]))
        unseen.append(1 + sum(scores[j] > scores[wanted] for j in range(6) if j not in hidden))
    assert found["rows"] == len(ranks)
    for k in (1, 3):
        assert found[f"recall@{k}"] == pytest.approx(np.mean(np.array(ranks) <= k))
        assert found[f"recall@{k}_unseen"] == pytest.approx(np.mean(np.array(unseen) <= k))
    assert found["mrr"] == pytest.approx(np.mean(1 / np.array(ranks)))


def test_a_split_without_a_positive(
    model: MultiTaskModel, config: Config, transformed: Path, tmp_path: Path
) -> None:
    shutil.copytree(transformed, tmp_path / "transformed")
    file = tmp_path / "transformed" / "test" / "part-0.parquet"
    table = pq.read_table(file)
    column = table.schema.get_field_index("meta/positive")
    none = pa.array(np.zeros(40, np.float32))
    pq.write_table(table.set_column(column, "meta/positive", none), file)
    found = evaluate_model(model, config, tmp_path / "transformed")
    assert found["retrieve"]["overall"]["rows"] == 0
    assert found["click"]["overall"]["rows"] == 40


def test_a_split_without_rows(
    model: MultiTaskModel, config: Config, transformed: Path, tmp_path: Path
) -> None:
    shutil.copytree(transformed, tmp_path / "transformed")
    file = tmp_path / "transformed" / "test" / "part-0.parquet"
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    found = evaluate_model(model, config, tmp_path / "transformed")
    assert list(found) == list(config.tasks)
    expected = evaluate_model(model, config, transformed)
    for task, summary in found.items():
        assert list(summary["overall"]) == list(expected[task]["overall"])
        rows = summary["overall"].pop("rows")
        assert rows == 0
        assert not any(summary["overall"].values()), "every figure is None, every count 0"
        assert not any(summary["intervals"]["overall"].values())
        assert not any(summary["slices"].values())
    json.dumps(found, allow_nan=False)


def test_translated_predictions_are_the_same(
    model: MultiTaskModel, config: Config, transformed: Path, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "model", transformed)
    other = tiny.write_transformed(tmp_path / "other", config, MOVED, MOVED_MOMENTS)
    translate = Translation(config, other, tmp_path / "model")
    ((old, *_),) = read_examples(
        transformed / "test", config, batch_size=40, shuffle=False
    ).as_numpy_iterator()
    ((new, *_),) = read_examples(
        other / "test", config, batch_size=40, shuffle=False
    ).as_numpy_iterator()
    assert not np.array_equal(old["item_id"], new["item_id"])
    translated = translate(new)
    assert set(translated) == set(model.inputs_spec)
    for name, values in translated.items():
        np.testing.assert_allclose(values, old[name], atol=1e-5, err_msg=name)
    expected = evaluate_model(model, config, transformed)
    found = evaluate_model(model, config, other, translate=translate)
    assert found.keys() == expected.keys()
    for task, summary in expected.items():
        assert found[task]["overall"] == pytest.approx(summary["overall"], rel=1e-4), task
    untranslated = evaluate_model(model_like(model), config, other)
    assert untranslated["click"]["overall"]["auc"] != pytest.approx(
        expected["click"]["overall"]["auc"]
    )


def model_like(model: MultiTaskModel) -> MultiTaskModel:
    """The same trunk and towers, tables as large as the moved vocabularies need."""
    keras.utils.set_random_seed(1)
    made = MultiTaskModel(model.config, tiny.sizes(MOVED))
    for old, new in zip(model.variables, made.variables, strict=True):
        if old.shape == new.shape:
            new.assign(old.numpy())
    return made


def test_only_tasks_of_both_are_measured(
    model: MultiTaskModel, config: Config, transformed: Path
) -> None:
    tasks = {name: tiny.RAW["tasks"][name] for name in ("click", "stars")}
    narrow = tiny.make_model({"tasks": tasks})
    assert set(evaluate_model(narrow, config, transformed)) == {"click", "stars"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features.query": []}, r"it reads 'query' of shape \(None, 2\), which the rows lack"),
        ({"scenario": None, "tasks.cart.scenarios": None}, "it reads 'scenario' of shape"),
        (
            {
                "features.context": [
                    {"name": "position", "kind": "categorical", "dim": 2},
                    {"name": "discount", "kind": "numeric", "scale": "log"},
                ]
            },
            "it reads 'discount' at scale standard",
        ),
        (
            {
                "features.context": [
                    {"name": "position", "kind": "categorical", "column": "place"},
                    {"name": "discount", "kind": "numeric"},
                ]
            },
            "it reads 'position' as categorical of 'position'",
        ),
    ],
)
def test_what_cannot_be_translated(
    model: MultiTaskModel, transformed: Path, tmp_path: Path, changes: dict, reason: str
) -> None:
    save_model(model, tmp_path / "model", transformed)
    with pytest.raises(ValueError, match=reason):
        Translation(tiny.make_config(changes), transformed, tmp_path / "model")
