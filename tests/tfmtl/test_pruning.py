"""Models without the rows of rare values: which go, what stays, and that answers fit together."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny

from tfmtl.config import ConfigError
from tfmtl.config.variants import Prune
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model, load_preprocessor, save_model
from tfmtl.training.errors import TrainingError
from tfmtl.training.examples import read_examples
from tfmtl.training.pruning import lookups, prunable, prune
from tfmtl.training.translation import Translation


@pytest.fixture(scope="module")
def home(transformed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(2)
    model = MultiTaskModel(tiny.make_config(), tiny.sizes())
    random = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.4)
    path = tmp_path_factory.mktemp("pruning") / "model"
    save_model(model, path, transformed)
    return path


def counted(transformed: Path, *columns: str) -> np.ndarray:
    """Lookups by id, one after the other in a loop."""
    found = np.zeros(100, int)
    for name in columns:
        for value in pq.read_table(transformed / "train")[name].to_pylist():
            for one in value if isinstance(value, list) else [value]:
                found[one] += 1
    return found


def test_lookups_are_counted_over_all_inputs_of_a_table(home: Path, transformed: Path) -> None:
    model = load_model(home)
    found = lookups(model.config, model, transformed / "train", ["item_id", "words", "age"])
    own = counted(transformed, "item_id", "click_history_item_id")
    np.testing.assert_array_equal(found["item_id"], own[:8])
    np.testing.assert_array_equal(found["words"], counted(transformed, "title_words", "query")[:7])
    np.testing.assert_array_equal(found["age"], counted(transformed, "age")[:4])


def test_rare_values_leave_the_vocabulary_and_share_the_unknown_row(
    home: Path, transformed: Path, tmp_path: Path
) -> None:
    model = load_model(home)
    counts = counted(transformed, "user_id")
    limit = int(np.sort(counts[2:6])[2])  # the two rarest of four go
    pruned = prune(
        model, Prune(fewer_than=limit, tables=["user_id"]), transformed / "train", tmp_path / "x"
    )
    rare = [v for v, n in zip(tiny.VOCABULARIES["user_id"], counts[2:6], strict=True) if n < limit]
    assert len(rare) == 2
    left = (tmp_path / "x" / "vocabularies" / "user_id.txt").read_text().split()
    assert left == [value for value in tiny.VOCABULARIES["user_id"] if value not in rare]
    assert pruned.kept == {"user_id": (4, 2)}
    before, after = (m.encoding.embedding.rows_of("user_id") for m in (model, pruned.model))
    assert len(before) == 6
    assert len(after) == 4
    gone = [2 + tiny.VOCABULARIES["user_id"].index(value) for value in rare]
    stayed = [n for n in range(2, 6) if n not in gone]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[2:], before[stayed])
    weights = counts[[1, *gone]]
    expected = (before[[1, *gone]] * weights[:, None]).sum(axis=0) / weights.sum()
    np.testing.assert_allclose(after[1], expected, rtol=1e-5)
    for name in ("item_id", "age", "words"):
        np.testing.assert_array_equal(
            pruned.model.encoding.embedding.rows_of(name), model.encoding.embedding.rows_of(name)
        )


def test_values_that_stay_are_predicted_as_before(
    home: Path, transformed: Path, tmp_path: Path
) -> None:
    model = load_model(home)
    spec = Prune(keep=0.5, by="norm", tables=["user_id"])
    pruned = prune(model, spec, transformed / "train", tmp_path / "x")
    norms = np.linalg.norm(model.encoding.embedding.rows_of("user_id")[2:], axis=1)
    left = [tiny.VOCABULARIES["user_id"][n] for n in sorted(np.argsort(-norms)[:2])]
    assert (tmp_path / "x" / "vocabularies" / "user_id.txt").read_text().split() == left
    translate = Translation(model.config, transformed, tmp_path / "x")
    examples = read_examples(transformed / "test", model.config, batch_size=40, shuffle=False)
    x, _, _ = next(examples.as_numpy_iterator())
    full = model.rank({n: x[n] for n in model.inputs_spec})["click"].numpy()
    found = pruned.model.rank(translate(x))["click"].numpy()
    known = np.isin(x["user_id"], [2 + tiny.VOCABULARIES["user_id"].index(v) for v in left])
    assert 5 < known.sum() < 35
    np.testing.assert_allclose(found[known], full[known], rtol=1e-5)
    assert not np.allclose(found[~known], full[~known])


def test_catalogue_and_model_fit_the_smaller_vocabularies(
    home: Path, transformed: Path, tmp_path: Path
) -> None:
    """What is written is a whole model: raw values of items give the ids of its catalogue."""
    pruned = prune(load_model(home), Prune(keep=0.4), transformed / "train", tmp_path / "x")
    assert pruned.kept["item_id"] == (6, 3)
    loaded = load_model(tmp_path / "x")
    assert loaded.vocabulary_sizes == load_preprocessor(tmp_path / "x").vocabulary_sizes
    assert loaded.count_params() < load_model(home).count_params()
    catalogue = pq.read_table(tmp_path / "x" / "catalogue.parquet")
    preprocessor = load_preprocessor(tmp_path / "x")
    for name in ("item_id", "category", "title_words", "price"):
        feature = loaded.config.features.by_name[name]
        raw = catalogue[f"raw/{feature.raw}"].to_numpy(zero_copy_only=False)
        made = preprocessor.feature(name)(tiny._tensor(raw)).numpy()
        np.testing.assert_allclose(np.stack(catalogue[name].to_pylist()), made, rtol=1e-6)


def test_one_value_stays_whatever_the_limit(home: Path, transformed: Path, tmp_path: Path) -> None:
    pruned = prune(load_model(home), Prune(fewer_than=10**6), transformed / "train", tmp_path / "x")
    assert {after for _, after in pruned.kept.values()} == {1}


def test_tables_whose_rows_are_no_values_are_left_alone(home: Path, tmp_path: Path) -> None:
    model = load_model(home)
    assert prunable(model) == ["user_id", "age", "item_id", "category", "words", "position"]
    with pytest.raises(
        TrainingError, match=r"prune.tables: 'price' is no vocabulary .* user_id, age"
    ):
        prune(model, Prune(keep=0.5, tables=["price"]), tmp_path, tmp_path / "x")
    shared = {"features.user": [{"name": "user_id", "kind": "id", "dim": 4, "buckets": 2}]}
    assert "user_id" not in prunable(tiny.make_model(shared))
    factorised = tiny.make_model({"model.factorised": {"dim": 2}})
    assert not {"user_id", "item_id"} & {*prunable(factorised)}


@pytest.mark.parametrize(
    ("variants", "told"),
    [
        ({"small": {}}, "serving.variants.small: it would be the model as it is; give storage"),
        ({"x": {"prune": {}}}, "serving.variants.x.prune: give fewer_than, a count, or keep"),
        (
            {"x": {"prune": {"keep": 0.5, "fewer_than": 3}}},
            "serving.variants.x.prune: give fewer_than, a count, or keep",
        ),
        (
            {"x": {"prune": {"fewer_than": 3, "by": "norm"}}},
            "serving.variants.x.prune: fewer_than is a count; leave out by",
        ),
        ({"x": {"storage": "int4"}}, "serving.variants.x.storage: input should be 'float32'"),
    ],
)
def test_mistakes_in_variants_are_told(variants: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        tiny.make_config({"serving": {"variants": variants}})
    assert told in str(raised.value)


def test_a_variant_may_have_any_name() -> None:
    variants = {"int8": {}, "tiny": {"storage": "int8", "prune": {"keep": 0.5}}}
    config = tiny.make_config({"serving": {"variants": variants}})
    stored = {name: one.stored_as(name) for name, one in config.serving.variants.items()}
    assert stored == {"int8": "int8", "tiny": "int8"}
