"""Tasks of classes in the whole model: training, starting biases, examples, evaluation, tuning."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

from tfmtl.config import Config, ConfigError
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model, save_model
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.base_rates import starting_bias
from tfmtl.training.evaluating import evaluate_model
from tfmtl.training.examples import read_examples
from tfmtl.training.extending import transfer
from tfmtl.training.trainer import start_at_label_means
from tfmtl.training.translation import Translation

NAN = float("nan")
TASKS = {
    "click": {"kind": "binary", "label": "click"},
    "mood": {"kind": "multi_class", "label": "mood"},
    "tags": {"kind": "multi_label", "labels": ["new", "sale"]},
}
NAMES = {"label.mood": ["calm", "gay", "sad"], "label.tags": ["new", "sale"]}
VOCABULARIES = {**tiny.VOCABULARIES, **NAMES}


def make_config(changes: dict[str, Any] | None = None) -> Config:
    return tiny.make_config({"tasks": TASKS, **(changes or {})})


def make_model(changes: dict[str, Any] | None = None, vocabularies: Any = None) -> MultiTaskModel:
    keras.utils.set_random_seed(1)
    return MultiTaskModel(make_config(changes), tiny.sizes(vocabularies or VOCABULARIES))


def labels(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    mood = random.integers(0, 3, count).astype(np.float32)
    tags = (random.random((count, 2)) < [0.3, 0.6]).astype(np.float32)
    mood[::7], tags[::5, 0], tags[::3, 1] = np.nan, np.nan, np.nan
    click = (random.random(count) < 0.5).astype(np.float32)
    return {"click": click, "mood": mood, "tags": tags}


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("classes"))


def write(directory: Path, vocabularies: Any = VOCABULARIES, order: Any = (0, 1, 2)) -> Path:
    """Transform's artifact; `order` has the new number of each class."""
    tiny.write_transformed(directory, make_config(), vocabularies)
    for seed, split in enumerate(("train", "validation", "test")):
        file = directory / split / "part-0.parquet"
        table = pq.read_table(file)
        for task, values in labels(table.num_rows, seed).items():
            if task == "mood":
                known = np.nan_to_num(values).astype(int)
                values = np.where(np.isnan(values), np.nan, np.array(order)[known])
            flat = pa.array(values.astype(np.float32).ravel(), from_pandas=True)
            if values.ndim == 2:
                flat = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
            name = f"label/{task}"
            if name in table.column_names:
                table = table.drop_columns([name])
            table = table.append_column(name, flat)
        pq.write_table(table, file, row_group_size=10)
    return directory


def test_examples_hold_classes_and_lists_of_labels(transformed: Path) -> None:
    dataset = read_examples(transformed / "test", make_config(), batch_size=16, shuffle=False)
    found = [y for _, y, _ in dataset.as_numpy_iterator()]
    expected = labels(40, 2)
    for task, values in expected.items():
        read = np.concatenate([y[task] for y in found])
        np.testing.assert_array_equal(read, values, err_msg=task)
    assert dataset.element_spec[1]["tags"].shape.as_list() == [None, 2]


@pytest.mark.parametrize(
    ("trunk", "balancer"),
    [
        ({"kind": "shared_bottom"}, "uncertainty"),
        pytest.param({"kind": "mmoe", "experts": 2}, "pcgrad", marks=pytest.mark.slow),
    ],
)
def test_training_saving_loading(
    trunk: dict, balancer: str, transformed: Path, tmp_path: Path
) -> None:
    model = make_model({"model.trunk": trunk, "model.balancer": {"kind": balancer}})
    model.compile(optimizer=build_optimizer(model.config.training.optimizer))
    examples = read_examples(transformed / "train", model.config)
    ((x, y, _),) = read_examples(transformed / "train", model.config, batch_size=64).take(1)
    first = model.losses_by_task(x, y)
    model.fit(examples, epochs=3, verbose=0)
    last = model.losses_by_task(x, y)
    for task in TASKS:
        assert float(last[task]) < float(first[task]), task
    ((x, *_),) = read_examples(transformed / "test", model.config, batch_size=40).take(1)
    predictions = model(x)
    assert predictions["click"].shape == (40,)
    assert predictions["mood"].shape == (40, 3)
    assert predictions["tags"].shape == (40, 2)
    np.testing.assert_allclose(np.sum(predictions["mood"], axis=1), 1, rtol=1e-5)
    save_model(model, tmp_path, transformed)
    again = load_model(tmp_path)(x)
    for task, values in predictions.items():
        np.testing.assert_array_equal(values, again[task], err_msg=task)


def test_losses_mask_what_is_missing_and_weigh_rows(transformed: Path) -> None:
    model = make_model()
    ((x, y, _),) = read_examples(transformed / "test", model.config, batch_size=40).take(1)
    scores = {task: p.numpy() for task, p in model.rank(x).items()}
    y = {task: values.numpy() for task, values in y.items()}
    weights = np.linspace(0, 2, 40).astype(np.float32)
    found = model.losses_by_task(x, y, weights)
    known = np.isfinite(y["mood"])
    likely = scores["mood"][known, y["mood"][known].astype(int)]
    assert float(found["mood"]) == pytest.approx(
        np.average(-np.log(likely), weights=weights[known]), rel=1e-5
    )
    known = np.isfinite(y["tags"])
    right = np.where(y["tags"] == 1, scores["tags"], 1 - scores["tags"])
    pairs = np.broadcast_to(weights[:, None], known.shape)[known]
    assert float(found["tags"]) == pytest.approx(
        np.average(-np.log(right[known]), weights=pairs), rel=1e-5
    )
    nothing = {task: np.full_like(values, np.nan) for task, values in y.items()}
    assert all(float(loss) == 0 for loss in model.losses_by_task(x, nothing).values())


def test_factorisation_belongs_to_single_numbers(transformed: Path) -> None:
    model = make_model({"model.factorised": {"dim": 3}})
    assert model.ranking
    assert set(model.ranking.factorised) == {"click"}


def test_an_untrained_model_starts_at_the_shares_of_the_classes(transformed: Path) -> None:
    model = make_model()
    start_at_label_means(model, transformed / "train")
    assert model.ranking
    train = labels(64, 0)
    mood = train["mood"][np.isfinite(train["mood"])]
    bias = np.array(model.ranking.heads["mood"].output_layer.bias)
    np.testing.assert_allclose(
        np.exp(bias) / np.exp(bias).sum(), [np.mean(mood == c) for c in range(3)], rtol=1e-5
    )
    bias = np.array(model.ranking.heads["tags"].output_layer.bias)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), np.nanmean(train["tags"], 0), rtol=1e-5)


def test_starting_biases_of_labels_without_contrast() -> None:
    tasks = make_config().ranking_tasks
    mood = pa.chunked_array([pa.array([1.0, 1.0, None], pa.float32())])
    chances = np.exp(starting_bias(mood, tasks["mood"], 3))
    np.testing.assert_allclose(chances, [1e-6, 1, 1e-6])
    flags = pa.array([1.0, None, 1.0, None], pa.float32())
    tags = pa.chunked_array([pa.FixedSizeListArray.from_arrays(flags, 2)])
    found = starting_bias(tags, tasks["tags"], 2)
    assert found is not None
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), [1 - 1e-6, 0.5])
    missing = pa.array([None, None], pa.float32())
    assert starting_bias(pa.chunked_array([missing]), tasks["mood"], 3) is None
    lists = pa.FixedSizeListArray.from_arrays(missing, 2)
    assert starting_bias(pa.chunked_array([lists]), tasks["tags"], 2) is None


def test_metrics_overall_and_by_slice(transformed: Path) -> None:
    model, config = make_model(), make_config({"tasks.tags.threshold": 0.4})
    found = evaluate_model(model, config, transformed)
    ((x, *_),) = read_examples(transformed / "test", config, batch_size=40, shuffle=False)
    y = labels(40, 2)
    scores = {task: p.numpy() for task, p in model.rank(x).items()}
    known = np.isfinite(y["mood"])
    right = scores["mood"].argmax(axis=1) == y["mood"]
    mood = found["mood"]
    assert mood["overall"]["accuracy"] == pytest.approx(right[known].mean())
    search = known & (x["scenario"].numpy() == 2)
    assert mood["slices"]["scenario"]["search"]["accuracy"] == pytest.approx(right[search].mean())
    predicted = (scores["tags"] >= 0.4) & np.isfinite(y["tags"])
    hits = (predicted & (y["tags"] == 1)).sum()
    micro = 2 * hits / (predicted.sum() + (y["tags"] == 1).sum())
    assert found["tags"]["overall"]["micro_f1"] == pytest.approx(micro)


def test_a_model_with_its_own_classes_is_measured_on_other_numbers(
    transformed: Path, tmp_path: Path
) -> None:
    model = make_model()
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.6)
    save_model(model, tmp_path / "model", transformed)
    model = load_model(tmp_path / "model")
    # The rows call the classes otherwise and know one more, which the model cannot predict.
    moved = {**VOCABULARIES, "label.mood": ["sad", "calm", "wild", "gay"]}
    other = write(tmp_path / "other", moved, order=(1, 3, 0))
    expected = evaluate_model(model, make_config(), transformed)
    translate = Translation(make_config(), other, tmp_path / "model")
    found = evaluate_model(model, make_config(), other, translate=translate)
    for task in TASKS:
        assert found[task]["overall"] == pytest.approx(expected[task]["overall"]), task


def test_a_task_of_another_kind_is_not_measured(transformed: Path) -> None:
    tasks = {**TASKS, "mood": {"kind": "regression", "label": "mood"}}
    found = evaluate_model(make_model({"tasks": tasks}), make_config(), transformed)
    assert list(found) == [name for name in TASKS if name != "mood"]


def test_tuning_keeps_classes_and_adds_tasks() -> None:
    source = make_model({"tasks": {"click": TASKS["click"], "mood": TASKS["mood"]}})
    target = make_model()
    anew = transfer(source, target)
    assert source.ranking
    assert target.ranking
    for old, new in zip(
        source.ranking.heads["mood"].variables, target.ranking.heads["mood"].variables, strict=True
    ):
        np.testing.assert_array_equal(old, new)
    assert anew
    assert all("tags" in path for path in anew)
    more = make_model(vocabularies={**VOCABULARIES, "label.mood": ["calm", "gay"]})
    with pytest.raises(
        ConfigError, match="must keep the 3 classes of the model it starts from, got 2"
    ):
        transfer(source, more)


def test_the_preprocessor_names_the_classes(transformed: Path) -> None:
    preprocessor = Preprocessor(make_config(), transformed)
    assert preprocessor.classes == {"mood": ["calm", "gay", "sad"], "tags": ["new", "sale"]}
    assert preprocessor.vocabulary_sizes["label.mood"] == 3
    assert "label.tags" not in preprocessor.raw_spec(list(make_model().inputs_spec))
