"""Models that get a task, a scenario or vocabulary rows: what they had stays as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.config import ConfigError
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import load_model, save_model
from tfmtl.preprocessing.tables import write_vocabulary
from tfmtl.training.extending import check_vocabularies, extended, transfer

TASKS = {name: tiny.RAW["tasks"][name] for name in ("retrieve", "click", "cart")}
WISH = {"kind": "binary", "label": "wish"}
TRUNKS: list[dict[str, Any]] = [
    {"kind": "single_task", "units": [4]},
    {"kind": "shared_bottom", "units": [4]},
    {"kind": "cross_stitch", "units": [4, 3]},
    {"kind": "mmoe", "experts": 2, "units": [4]},
    {"kind": "cgc", "shared_experts": 2, "task_experts": 1, "units": [4]},
    {"kind": "ple", "levels": 2, "shared_experts": 2, "task_experts": 2, "units": [4]},
    {"kind": "none"},
]
NETS: list[dict[str, Any]] = [
    {"kind": "star", "units": [4], "auxiliary": [3]},
    {"kind": "pepnet", "gate_units": 4},
    {"kind": "sar_net", "shared_experts": 2, "scenario_experts": 1, "units": [4]},
    {"kind": "hinet", "experts": 2, "units": [4], "attention": [3]},
    {"kind": "m2m", "units": [3], "depth": 1},
]
SCENARIOS = ["search", "feed"]


def random_model(changes: dict[str, Any], seed: int = 0) -> MultiTaskModel:
    model = tiny.make_model({"tasks": TASKS, **changes})
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    return model


def rows(model: MultiTaskModel, count: int = 12) -> dict[str, tf.Tensor]:
    """Inputs of which every id is known to the smallest of the vocabularies."""
    random, made = np.random.default_rng(5), {}
    for name, spec in model.inputs_spec.items():
        shape = [count, *spec.shape[1:]]
        if spec.dtype == tf.int32:
            most = 4 if name == "scenario" else 2 + min(tiny.sizes().values())
            made[name] = tf.constant(random.integers(0, most, shape), tf.int32)
        else:
            made[name] = tf.constant(random.normal(size=shape), tf.float32)
    return made


def assert_alike(before: MultiTaskModel, after: MultiTaskModel) -> None:
    inputs = rows(before)
    old, new = before(inputs), after(inputs)
    for task in old:
        np.testing.assert_allclose(new[task], old[task], atol=1e-6, err_msg=task)


@pytest.mark.parametrize("spec", TRUNKS, ids=lambda spec: spec["kind"])
def test_every_trunk_takes_a_task(spec: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"model.trunk": spec}
    if spec["kind"] == "none":
        changes["model.factorised"] = {"dim": 3}
    base = random_model(changes)
    grown = tiny.make_model({**changes, "tasks": {**TASKS, "wish": WISH}})
    anew = transfer(base, grown)
    assert all("wish" in path for path in anew)
    assert_alike(base, grown)
    with tf.GradientTape() as tape:
        prediction = tf.reduce_sum(grown.rank(rows(grown))["wish"])
    own = [v for v in grown.trainable_variables if "wish" in v.path]
    assert all(gradient is not None for gradient in tape.gradient(prediction, own))


@pytest.mark.parametrize("trunk", ["cross_stitch", "ple"])
def test_a_task_may_stand_before_the_others_and_another_may_go(trunk: str) -> None:
    """What a trunk keeps by task goes by the tasks' names, not by their places."""
    spec = next(spec for spec in TRUNKS if spec["kind"] == trunk)
    base = random_model({"model.trunk": spec})
    grown = tiny.make_model({"model.trunk": spec, "tasks": {"wish": WISH, **TASKS}})
    transfer(base, grown)
    assert_alike(base, grown)


@pytest.mark.parametrize("spec", NETS, ids=lambda spec: spec["kind"])
def test_every_scenario_net_takes_a_scenario(spec: dict[str, Any]) -> None:
    changes = {"model.scenario_net": spec, "scenario.values": SCENARIOS}
    base = random_model(changes)
    grown = tiny.make_model({"tasks": TASKS, **changes, "scenario.values": [*SCENARIOS, "email"]})
    transfer(base, grown)
    assert_alike(base, grown)
    inputs = {**rows(grown), "scenario": tf.fill([12], 4)}
    assert np.isfinite(grown.rank(inputs)["click"]).all()
    moved = {**inputs, "scenario": tf.fill([12], 1)}
    if spec["kind"] != "m2m":
        assert not np.allclose(grown.rank(inputs)["click"], grown.rank(moved)["click"]), (
            "a new scenario starts from what the others know, and an unknown one has nothing of it"
        )


def test_an_added_scenario_of_star_starts_at_the_mean_of_the_others() -> None:
    changes = {"model.scenario_net": NETS[0], "scenario.values": SCENARIOS}
    base = random_model(changes)
    grown = tiny.make_model({"tasks": TASKS, **changes, "scenario.values": [*SCENARIOS, "email"]})
    transfer(base, grown)
    values = {v.path: v.numpy() for v in grown.ranking.variables}
    groups = [
        [path for path in values if path.endswith(f"{stem}_{i}")]
        for stem in ("star/kernel_0", "normalization/gamma", "tower_click/output_kernel")
        for i in range(3)
    ]
    assert all(len(group) == 1 for group in groups)
    for first, second, third in zip(*[iter(g[0] for g in groups)] * 3, strict=True):
        np.testing.assert_allclose(values[third], (values[first] + values[second]) / 2, rtol=1e-6)


def test_added_values_start_as_the_unknown_one_and_old_rows_stay() -> None:
    base = random_model({})
    sizes = {**tiny.sizes(), "user_id": 7, "words": 6}
    grown = MultiTaskModel(base.config, sizes)
    transfer(base, grown)
    assert_alike(base, grown)
    before, after = (m.encoding.embedding.rows_of("user_id") for m in (base, grown))
    assert np.array_equal(after[: len(before)], before)
    assert np.array_equal(after[len(before) :], np.tile(before[1], (3, 1)))
    known, unknown = ({**rows(base), "user_id": tf.fill([12], i)} for i in (len(before), 1))
    np.testing.assert_allclose(grown.rank(known)["click"], base.rank(unknown)["click"], atol=1e-6)


def test_a_hashed_table_keeps_its_rows() -> None:
    """Five values share two rows; two more share them too, by the remainder of their ids."""
    user = [{**tiny.RAW["features"]["user"][0], "buckets": 2}, tiny.RAW["features"]["user"][1]]
    base = random_model({"features.user": user})
    grown = MultiTaskModel(base.config, {**tiny.sizes(), "user_id": 7})
    transfer(base, grown)
    before, after = (m.encoding.embedding.rows_of("user_id") for m in (base, grown))
    assert np.array_equal(before, after)
    ids = {"user_id": tf.constant([2, 4, 6, 8])}
    found = grown.encoding.embedding(ids, names=["user_id"])["user_id"]
    assert np.array_equal(found, np.tile(before[2], (4, 1)))


def test_factorised_tables_grow_with_their_ids() -> None:
    changes = {"model.factorised": {"dim": 3}}
    base = random_model(changes)
    grown = MultiTaskModel(base.config, {**tiny.sizes(), "user_id": 6})
    transfer(base, grown)
    assert_alike(base, grown)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks": {**TASKS, "cart": {"kind": "regression", "label": "cart"}}},
            "tasks.cart: it is ",
        ),
        ({"features.user": [{**tiny.RAW["features"]["user"][0], "dim": 8}]}, "differing: age"),
        (
            {
                "features.user": [
                    {**tiny.RAW["features"]["user"][0], "dim": 8},
                    tiny.RAW["features"]["user"][1],
                ]
            },
            "'user_id' has dim 4 in the model that is tuned, got 8",
        ),
        ({"scenario.values": ["feed", "search"]}, r"scenario\.values must begin with"),
    ],
)
def test_what_would_mean_something_else_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        transfer(random_model({}), tiny.make_model({"tasks": TASKS, **changes}))


def test_a_model_is_extended_in_keras(transformed: Path, tmp_path: Path) -> None:
    base = tiny.make_model({"tasks": {"click": TASKS["click"]}})
    save_model(base, tmp_path, transformed)
    base = load_model(tmp_path)
    tasks = {"click": TASKS["click"], "cart": {**TASKS["cart"]}}
    model = extended(base, tiny.make_config({"tasks": tasks}), transformed)
    assert_alike(base, model)
    examples = tf.data.Dataset.from_tensors(rows(model))
    rate = float(np.mean(model.rank(next(iter(examples)))["cart"]))
    assert 0.1 < rate < 0.6, "the new task starts near the rows' share of carts, some 0.3"


def test_vocabularies_that_do_not_go_on_are_refused(tmp_path: Path) -> None:
    config = tiny.make_config({})
    base, grown = tmp_path / "base", tmp_path / "grown"
    for directory in (base, grown):
        tiny.write_analysis(directory)
    check_vocabularies(config, base, grown)
    write_vocabulary(grown, "age", ["young", "old", "older"])
    check_vocabularies(config, base, grown)
    write_vocabulary(grown, "age", ["old", "young"])
    with pytest.raises(ConfigError, match=r"vocabulary 'age': .*'young' in line 1"):
        check_vocabularies(config, base, grown)
    write_vocabulary(grown, "age", ["young"])
    with pytest.raises(ConfigError, match="'old' in line 2"):
        check_vocabularies(config, base, grown)
