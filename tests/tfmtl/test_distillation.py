"""Teachers' answers beside the examples, and the losses of a student that reads them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny

from tfmtl.models.descent import descend
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model, save_model
from tfmtl.training.distillation import Teaching, write_soft_labels
from tfmtl.training.errors import TrainingError
from tfmtl.training.examples import read_examples

TEACHER = {"run": "out/teacher"}
TASKS = tiny.RAW["tasks"] | {
    "mood": {"kind": "multi_class", "label": "mood"},
    "tags": {"kind": "multi_label", "labels": ["new", "sale"]},
}
VOCABULARIES = {
    **tiny.VOCABULARIES,
    "label.mood": ["calm", "gay", "sad"],
    "label.tags": ["new", "sale"],
}


def distilling(**spec: Any) -> dict[str, Any]:
    return {"distillation": {"teachers": [TEACHER], **spec}}


def make(seed: int, changes: dict[str, Any] | None = None, sizes: Any = None) -> MultiTaskModel:
    """A model whose predictions differ from row to row."""
    keras.utils.set_random_seed(seed)
    model = MultiTaskModel(tiny.make_config(changes), sizes or tiny.sizes())
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.4)
    return model


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory, transformed: Path) -> list[Path]:
    homes = []
    for seed in (1, 2):
        home = tmp_path_factory.mktemp("teachers") / str(seed)
        wide = {"model.trunk": {"kind": "shared_bottom", "units": [12]}, "model.retrieval.dim": 6}
        save_model(make(seed, wide), home, transformed)
        homes.append(home)
    return homes


@pytest.fixture(scope="module")
def taught(
    tmp_path_factory: pytest.TempPathFactory, transformed: Path, teachers: list[Path]
) -> Path:
    """The examples beside what both teachers say of them; the second teaches clicks alone."""
    view = tmp_path_factory.mktemp("taught")
    (view / "train").symlink_to(transformed / "train")
    asked = [Teaching("one", teachers[0]), Teaching("two", teachers[1], ["click"])]
    told = write_soft_labels(
        tiny.make_config(distilling(hint=0.5)), transformed, asked, view / "soft_labels"
    )
    assert told["tasks"] == {
        "retrieve": ["one"],
        "click": ["one", "two"],
        "cart": ["one"],
        "stars": ["one"],
    }
    assert 0 < told["teachers"][0]["metrics"]["click"]["auc"] < 1
    return view


def test_every_row_has_the_teachers_answer_whatever_the_order(
    taught: Path, teachers: list[Path]
) -> None:
    config = tiny.make_config()
    one, two = (load_model(home) for home in teachers)
    rows = 0
    for x, y, _ in read_examples(taught / "train", config, batch_size=24).as_numpy_iterator():
        own = {name: tf.constant(x[name]) for name in one.inputs_spec}
        first, second = one.rank(own), two.rank(own)
        both = (first["click"].numpy() + second["click"].numpy()) / 2
        np.testing.assert_allclose(x["soft_label/click"], logit(both), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            x["soft_label/cart"], logit(first["cart"].numpy()), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(x["soft_label/stars"], first["stars"], rtol=1e-5)
        assert x["hint/click"].shape[1] == 24  # of both teachers, side by side
        assert x["hint/cart"].shape[1] == 12
        positive = y["retrieve"] > 0
        query = one.query_vectors(own).numpy() / one.config.tasks["retrieve"].temperature
        np.testing.assert_allclose(
            x["soft_query/retrieve"][positive], query[positive], rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(
            x["soft_item/retrieve"][positive], one.item_vectors(own).numpy()[positive], rtol=1e-5
        )
        assert not x["soft_item/retrieve"][~positive].any()
        rows += len(positive)
    assert rows == 64


def test_rows_and_groups_are_those_of_the_examples(taught: Path, transformed: Path) -> None:
    own = pq.read_metadata(taught / "soft_labels" / "train" / "part-0.parquet")
    examples = pq.read_metadata(transformed / "train" / "part-0.parquet")
    groups = [
        [one.row_group(n).num_rows for n in range(one.num_row_groups)] for one in (own, examples)
    ]
    assert groups[0] == groups[1] == [10, 10, 10, 10, 10, 10, 4]


def batch(taught: Path) -> Any:
    return next(iter(read_examples(taught / "train", tiny.make_config(), batch_size=32)))


def losses(changes: dict[str, Any], x: Any, y: Any, w: Any, training: bool = True) -> Any:
    found = make(3, changes).losses_by_task(x, y, w, training=training)
    return {task: float(loss) for task, loss in found.items()}


def test_the_loss_is_a_share_of_labels_and_a_share_of_the_teacher(taught: Path) -> None:
    x, y, w = batch(taught)
    w = tf.constant(np.random.default_rng(0).uniform(0.5, 2, 32), tf.float32)
    plain = losses({}, x, y, w)
    spec = distilling(weight=0.3, tasks={"click": {"temperature": 2.0}, "cart": {"weight": 1.0}})
    found = losses(spec, x, y, w)
    student = make(3)
    scores = student.ranking(x, student.encoding(x))
    score = {name: values.numpy().astype(float) for name, values in scores.items()}
    weights = w.numpy().astype(float)

    def cross_entropy(task: str, temperature: float, rows: np.ndarray) -> float:
        wanted = 1 / (1 + np.exp(-x[f"soft_label/{task}"].numpy().astype(float) / temperature))
        own = 1 / (1 + np.exp(-score[task] / temperature))
        each = -(temperature**2) * (wanted * np.log(own) + (1 - wanted) * np.log(1 - own))
        return float((rows * weights * each).sum() / (rows * weights).sum())

    everywhere = np.ones(32)
    expected = 0.7 * plain["click"] + 0.3 * cross_entropy("click", 2.0, everywhere)
    np.testing.assert_allclose(found["click"], expected, rtol=1e-4)
    known = ~np.isnan(y["cart"].numpy())
    assert 0 < known.sum() < 32
    np.testing.assert_allclose(found["cart"], cross_entropy("cart", 1.0, known), rtol=1e-4)
    known = ~np.isnan(y["stars"].numpy())
    squared = (score["stars"] - x["soft_label/stars"].numpy()) ** 2
    soft = (known * weights * squared).sum() / (known * weights).sum()
    np.testing.assert_allclose(found["stars"], 0.7 * plain["stars"] + 0.3 * soft, rtol=1e-4)
    positive = np.flatnonzero(y["retrieve"].numpy() > 0)
    its_query, its_item = (
        x[f"soft_{side}/retrieve"].numpy()[positive].astype(float) for side in ("query", "item")
    )
    own_query, own_item = (
        vectors.numpy()[positive].astype(float)
        for vectors in (student.query_vectors(x), student.item_vectors(x))
    )
    wanted = its_query @ its_item.T
    own = own_query @ own_item.T / student.config.tasks["retrieve"].temperature
    wanted = np.exp(wanted) / np.exp(wanted).sum(axis=1, keepdims=True)
    own = np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)
    each = -(wanted * np.log(own)).sum(axis=1)
    soft = (weights[positive] * each).sum() / weights[positive].sum()
    np.testing.assert_allclose(found["retrieve"], 0.7 * plain["retrieve"] + 0.3 * soft, rtol=1e-4)


def test_measuring_reads_labels_alone(taught: Path) -> None:
    x, y, w = batch(taught)
    assert losses(distilling(), x, y, w, training=False) == losses({}, x, y, w, training=False)


def test_rows_without_a_label_are_taught_where_the_scenario_has_the_task(taught: Path) -> None:
    """Carts exist in search only, and some of those rows lose their label here."""
    x, y, w = batch(taught)
    search = x["scenario"].numpy() == 2
    assert 2 < search.sum() < 32
    kept = np.where(np.cumsum(search) > 2, y["cart"].numpy(), np.nan)
    y = {**y, "cart": tf.constant(kept, tf.float32)}
    student = make(3)
    own = 1 / (1 + np.exp(-student.ranking(x, student.encoding(x))["cart"].numpy().astype(float)))
    wanted = 1 / (1 + np.exp(-x["soft_label/cart"].numpy().astype(float)))
    each = -(wanted * np.log(own) + (1 - wanted) * np.log(1 - own))
    for unlabelled, rows in ((False, ~np.isnan(kept)), (True, search)):
        found = losses(distilling(weight=1.0, unlabelled=unlabelled), x, y, w)
        np.testing.assert_allclose(found["cart"], each[rows].mean(), rtol=1e-4)
    stars = losses(distilling(weight=1.0, unlabelled=True), x, y, w)["stars"]
    score = student.ranking(x, student.encoding(x))["stars"].numpy()
    squared = (score - x["soft_label/stars"].numpy()) ** 2
    np.testing.assert_allclose(stars, squared.mean(), rtol=1e-4)


def test_a_hint_is_added(taught: Path) -> None:
    x, y, w = batch(taught)
    without = losses(distilling(), x, y, w)
    found = losses(distilling(tasks={"click": {"hint": 2.0}, "cart": {"hint": 0.0}}), x, y, w)
    assert 0.01 < (found["click"] - without["click"]) / 2 < 1
    assert found["cart"] == without["cart"]
    assert found["retrieve"] == without["retrieve"]


@pytest.mark.slow
def test_a_student_comes_nearer_to_its_teacher(taught: Path) -> None:
    student = make(4, distilling(weight=1.0, hint=0.1))
    student.compile(optimizer=keras.optimizers.Adam(0.02))
    x, y, w = next(iter(read_examples(taught / "train", student.config, batch_size=64)))
    step = tf.function(student.learn)

    def distance() -> float:
        return float(np.abs(logit(student.rank(x)["click"].numpy()) - x["soft_label/click"]).mean())

    before = distance()
    for _ in range(40):
        step(x, y, w)
    assert distance() < 0.5 * before


def test_balancers_of_gradients_weigh_what_is_taught(taught: Path) -> None:
    x, y, w = batch(taught)
    changes = {"model.balancer": {"kind": "pcgrad"}, **distilling(weight=0.5, hint=0.1)}
    found = descend(make(3, changes), x, y, w).losses
    expected = losses(distilling(weight=0.5, hint=0.1), x, y, w)
    assert {task: float(loss) for task, loss in found.items()} == pytest.approx(expected, rel=1e-5)


def test_nothing_of_a_teacher_is_left_in_the_student(taught: Path, tmp_path: Path) -> None:
    student = make(4, distilling(hint=1.0))
    assert student.count_params() == make(4).count_params()
    transformed = taught / "train"
    save_model(student, tmp_path, transformed.resolve().parent)
    x, _, _ = batch(taught)
    np.testing.assert_array_equal(load_model(tmp_path).rank(x)["click"], student.rank(x)["click"])


def write_classed(directory: Path, changes: Any, vocabularies: Any) -> Path:
    transformed = tiny.write_transformed(
        directory / "transformed", tiny.make_config(), vocabularies
    )
    home = directory / "model"
    save_model(make(5, changes, tiny.sizes(vocabularies)), home, transformed)
    return home


def test_classes_in_another_order_are_put_in_the_students(tmp_path: Path) -> None:
    tasks = {"tasks": {"mood": TASKS["mood"], "tags": TASKS["tags"]}}
    turned = {**VOCABULARIES, "label.mood": ["sad", "calm", "gay"], "label.tags": ["sale", "new"]}
    home = write_classed(tmp_path / "teacher", tasks, turned)
    config = tiny.make_config({**tasks, **distilling(weight=1.0)})
    transformed = tiny.write_transformed(tmp_path / "own", tiny.make_config(), VOCABULARIES)
    random = np.random.default_rng(3)
    for split in ("train", "validation", "test"):
        _add_classes(transformed / split, random)
    teaching = Teaching("turned", home, translated=False)
    write_soft_labels(config, transformed, [teaching], transformed / "soft_labels")
    x, y, w = next(iter(read_examples(transformed / "train", config, batch_size=16)))
    own = load_model(home).rank(x)
    found = x["soft_label/mood"].numpy()
    np.testing.assert_allclose(np.exp(found), own["mood"].numpy()[:, [1, 2, 0]], rtol=1e-4)
    expected = logit(own["tags"].numpy()[:, [1, 0]])
    np.testing.assert_allclose(x["soft_label/tags"], expected, rtol=1e-3, atol=1e-4)
    student = make(3, {**tasks, **distilling(weight=1.0)}, tiny.sizes(VOCABULARIES))
    losses = student.losses_by_task(x, y, w, training=True)
    scores = student.ranking(x, student.encoding(x))["mood"].numpy().astype(float)
    log = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    known = ~np.isnan(y["mood"].numpy())
    each = -(np.exp(found) * log).sum(axis=1)
    np.testing.assert_allclose(losses["mood"], each[known].mean(), rtol=1e-4)
    scores = student.ranking(x, student.encoding(x))["tags"].numpy().astype(float)
    wanted, own_ = 1 / (1 + np.exp(-expected)), 1 / (1 + np.exp(-scores))
    each = -(wanted * np.log(own_) + (1 - wanted) * np.log(1 - own_))
    known = ~np.isnan(y["tags"].numpy())
    np.testing.assert_allclose(losses["tags"], each[known].mean(), rtol=1e-3)


def _add_classes(split: Path, random: np.random.Generator) -> None:
    import pyarrow as pa

    file = split / "part-0.parquet"
    table = pq.read_table(file)
    mood = random.integers(0, 3, table.num_rows).astype(np.float32)
    mood[::5] = np.nan
    tags = (random.random((table.num_rows, 2)) < 0.5).astype(np.float32)
    tags[::3, 1] = np.nan
    listed = pa.FixedSizeListArray.from_arrays(pa.array(tags.ravel(), from_pandas=True), 2)
    table = table.append_column("label/mood", pa.array(mood, from_pandas=True))
    pq.write_table(table.append_column("label/tags", listed), file, row_group_size=10)


@pytest.mark.parametrize(
    ("changes", "tasks", "told"),
    [
        ({"tasks": {"mood": TASKS["mood"]}}, None, "expected a task of the same name and kind"),
        (
            {"tasks": {"click": TASKS["click"]}},
            ["cart"],
            "it has no task 'cart', only click; leave it out of its tasks",
        ),
        (
            {"tasks": {"cart": TASKS["stars"]}},
            ["cart"],
            "its task 'cart' is of kind regression, here it is of binary; leave it out",
        ),
        (
            {"features.query": [{"name": "asked", "kind": "text", "column": "query", "length": 4}]},
            None,
            "it reads 'asked'",
        ),
    ],
)
def test_a_teacher_that_cannot_teach_is_told_apart(
    transformed: Path, tmp_path: Path, changes: Any, tasks: Any, told: str
) -> None:
    home = tmp_path / "model"
    vocabularies = {**VOCABULARIES, "asked": ["red"]}
    analysis = tiny.write_transformed(tmp_path / "analysis", None, vocabularies)
    save_model(make(1, changes, tiny.sizes(vocabularies)), home, analysis)
    with pytest.raises(TrainingError, match=f"^teacher out/x: .*{told}"):
        write_soft_labels(
            tiny.make_config(distilling()),
            transformed,
            [Teaching("out/x", home, tasks)],
            tmp_path / "soft_labels",
        )


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    tasks = {"tasks": {"mood": TASKS["mood"]}}
    other = {**VOCABULARIES, "label.mood": ["calm", "gay", "wild"]}
    home = write_classed(tmp_path / "teacher", tasks, other)
    transformed = tiny.write_transformed(tmp_path / "own", tiny.make_config(), VOCABULARIES)
    with pytest.raises(TrainingError, match="only here 'sad'; only there 'wild'; give it tasks"):
        write_soft_labels(
            tiny.make_config({**tasks, **distilling()}),
            transformed,
            [Teaching("other", home)],
            tmp_path / "soft_labels",
        )


def test_a_teacher_with_another_vocabulary_reads_the_same_rows(
    transformed: Path, tmp_path: Path
) -> None:
    """Its ids stand for the same values: answers are those to the translated rows."""
    turned = {**tiny.VOCABULARIES, "user_id": ["dee", "cem", "bob", "ann", "eve"]}
    analysis = tiny.write_transformed(tmp_path / "analysis", None, turned)
    model = make(1, {}, tiny.sizes(turned))
    save_model(model, tmp_path / "model", analysis)
    write_soft_labels(
        tiny.make_config(distilling()),
        transformed,
        [Teaching("turned", tmp_path / "model")],
        tmp_path / "soft_labels",
    )
    found = pq.read_table(tmp_path / "soft_labels" / "train")["soft_label/click"].to_numpy()
    # Of the same raw rows, encoded by the teacher's own vocabularies.
    examples = read_examples(analysis / "train", model.config, batch_size=64, shuffle=False)
    x, _, _ = next(iter(examples))
    np.testing.assert_allclose(found, logit(model.rank(x)["click"].numpy()), rtol=1e-3, atol=1e-4)
