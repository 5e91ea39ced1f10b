"""What all scenario nets have in common, by themselves and inside a model."""

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import situations
import tensorflow as tf
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2

from serving.exporting import write_saved_model
from serving.validation.opscan import forbidden_ops
from tfmtl.balancing import GradientBalancer
from tfmtl.config import ConfigError
from tfmtl.config.scenario_nets import HiNet, MetaUnit, PepNet, SarNet, ScenarioNet, Star
from tfmtl.models.descent import descend
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import NETWORK, save_model
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.scenario_nets import build_scenario_net
from tfmtl.scenario_nets.grouping import by_scenario, membership, mix, pick
from tfmtl.training.extending import transfer

NETS: list[ScenarioNet] = [
    Star(kind="star", units=[4], auxiliary=[3]),
    PepNet(kind="pepnet", gate_units=4),
    SarNet(kind="sar_net", shared_experts=2, scenario_experts=1, units=[4]),
    HiNet(kind="hinet", experts=2, units=[4], attention=[3]),
    MetaUnit(kind="m2m", units=[3], depth=1),
]
SEARCH, FEED = 2, 3
"""Ids of the scenarios in the tiny shop; 0 is missing, 1 unknown."""
every_net = pytest.mark.parametrize("spec", NETS, ids=lambda spec: spec.kind)


class Network:
    """A net and the tower of one task, with nothing between them."""

    def __init__(self, spec: ScenarioNet, dtype: str = "float32", scenarios: int = 2) -> None:
        keras.utils.set_random_seed(1)
        self.net = build_scenario_net(spec, ["click"], scenarios, dtype)
        self.tower = self.net.tower("click", [5])
        self(situations.make([0], scenarios))
        situations.randomize(self.net)
        situations.randomize(self.tower)

    def __call__(self, situation: situations.Situation, training: bool = False) -> tf.Tensor:
        adapted = self.net(situation.features, situation, training=training)
        return self.tower(adapted, situation._replace(adapted=adapted), training=training)

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        return [*self.net.trainable_variables, *self.tower.trainable_variables]


def model_of(spec: ScenarioNet, tasks: tuple[str, ...], **changes: Any) -> MultiTaskModel:
    chosen = {
        "tasks": {name: tiny.RAW["tasks"][name] for name in tasks},
        "model.scenario_net": spec.model_dump(),
        "model.trunk": {"kind": "mmoe", "experts": 2, "units": [4]},
    }
    return tiny.make_model({**chosen, **changes})


def inputs_of(preprocessor: Preprocessor, count: int, scenario: int) -> dict[str, tf.Tensor]:
    x, *_ = tiny.batch(preprocessor, count)
    x["scenario"] = np.full(count, scenario, np.int32)
    return {name: tf.constant(values) for name, values in x.items()}


@settings(max_examples=30, deadline=None)
@given(scenario=st.lists(st.integers(0, 3), max_size=9))
def test_rows_pass_through_the_function_of_their_scenario(scenario: list[int]) -> None:
    rows = np.arange(2 * len(scenario), dtype="f").reshape(-1, 2)
    found = by_scenario(
        lambda i, part: part[:, :1] * 10 + i, tf.constant(rows), tf.constant(scenario, tf.int32), 3
    )
    expected = [[10 * row[0] + i] for i, row in zip(scenario, rows, strict=True)]
    assert found.numpy().tolist() == np.reshape(expected, (-1, 1)).tolist()
    members = membership(tf.constant(scenario, tf.int32), 3)
    picked = pick([tf.constant([float(i), -float(i)]) for i in range(4)], members)
    assert picked.numpy().tolist() == [[i, -i] for i in scenario]


def test_a_mixture_is_a_weighted_sum() -> None:
    opinions = [tf.constant([[1.0, 2.0]]), tf.constant([[10.0, 20.0]])]
    assert mix(tf.constant([[0.5, 0.25]]), opinions).numpy().tolist() == [[3.0, 6.0]]


@every_net
def test_a_row_is_answered_alone_as_in_company(spec: ScenarioNet) -> None:
    network = Network(spec)
    situation = situations.make([0, 2, 1, 1, 2, 0], scenarios=2)
    network(situation, training=True)
    together = network(situation).numpy()
    for rows in ([3], [4, 0], [5, 4, 3, 2, 1, 0]):
        alone = network(situations.take(situation, rows))
        np.testing.assert_allclose(alone, together[rows], rtol=1e-4, atol=1e-5)
    assert network(situations.take(situation, [])).shape == (0, together.shape[1])


@every_net
def test_scenarios_differ(spec: ScenarioNet) -> None:
    network = Network(spec)
    situation = situations.make([0, 1, 2], scenarios=2)
    first = [tf.repeat(tensor[:1], 3, axis=0) for tensor in situation]
    alike = situations.Situation(*first)._replace(
        scenario=situation.scenario, domain=situation.domain
    )
    found = network(alike).numpy()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.allclose(found[one], found[other], rtol=1e-3)


@every_net
def test_bfloat16(spec: ScenarioNet) -> None:
    situation = situations.make([0, 2, 1, 1], scenarios=2)
    exact, rough = Network(spec), Network(spec, "mixed_bfloat16")
    assert {v.dtype for v in rough.trainable_variables} == {"float32"}
    found = rough(situation)
    assert found.dtype == tf.bfloat16
    expected = exact(situation).numpy()
    assert not np.array_equal(tf.cast(found, tf.float32), expected)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(tf.cast(found, tf.float32), expected, atol=0.06 * scale)


@pytest.mark.parametrize(
    ("spec", "of_one", "number"),
    [
        (NETS[0], r"(gamma|beta|output_kernel|output_bias)_1$|(kernel|bias)_\d_1$", 8),
        (NETS[2], r"/(beta|gamma)_1$|/expert_1_\d/", 4),
    ],
    ids=["star", "sar_net"],
)
def test_only_rows_of_a_scenario_teach_what_is_its_own(
    spec: ScenarioNet, of_one: str, number: int
) -> None:
    network = Network(spec)

    def gradients(scenario: list[int]) -> dict[str, np.ndarray]:
        variables = network.trainable_variables
        with tf.GradientTape() as tape:
            found = tf.reduce_sum(network(situations.make(scenario, 2), training=True) ** 2)
        of = tape.gradient(found, variables, unconnected_gradients="zero")
        return {v.path: np.array(g) for v, g in zip(variables, of, strict=True)}

    without, with_it = gradients([0, 2, 0, 0, 2, 0]), gradients([0, 1, 0, 1, 1, 0])
    own = [path for path in without if re.search(of_one, path)]
    assert len(own) == number
    assert all(not without[path].any() for path in own)
    assert sum(with_it[path].any() for path in own) >= number - 1
    assert all(np.isfinite(g).all() for g in (*without.values(), *with_it.values()))
    assert any(g.any() for g in without.values())


def test_the_star_begins_with_what_is_shared() -> None:
    keras.utils.set_random_seed(1)
    net = build_scenario_net(NETS[0], ["click"], 2, "float32")
    tower = net.tower("click", [5])
    known = situations.make([0, 1, 2], scenarios=2)
    known = known._replace(domain=tf.zeros_like(known.domain))
    unknown = known._replace(scenario=tf.constant([2, 2, 2]))
    first, second = (tower(net(s.features, s), s) for s in (known, unknown))
    np.testing.assert_allclose(first, second, rtol=1e-6)


@every_net
def test_a_model_trains_in_one_scenario_and_answers_in_all(
    spec: ScenarioNet, preprocessor: Preprocessor
) -> None:
    model = model_of(spec, ("click", "cart"))
    model.compile(optimizer=build_optimizer(model.config.training.optimizer))
    x, y, weights = tiny.batch(preprocessor, 12)
    x["scenario"][:] = SEARCH
    before = {v.path: v.numpy() for v in model.variables}
    parts = ({n: tf.constant(v) for n, v in part.items()} for part in (x, y))
    model.train_step((*parts, tf.constant(weights)))
    after = {v.path: v.numpy() for v in model.variables}
    assert all(np.isfinite(value).all() for value in after.values())
    own = r"(gamma|beta|moving_mean|moving_variance|steps|output_\w+)_1$|_\d_1$|/expert_1_\d/"
    for path in (p for p in before if re.search(own, p) and "ranking" in p):
        assert np.array_equal(before[path], after[path]), path
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert any("scenario_net" in path or "tower_click" in path for path in changed)
    answers = [model.rank(inputs_of(preprocessor, 4, i)) for i in (0, 1, SEARCH, FEED)]
    for task in ("click", "cart"):
        assert np.isfinite([answer[task] for answer in answers]).all()


class Fixed(GradientBalancer):
    """Leaves the tasks' gradients as they are."""

    def call(self, gram: tf.Tensor, losses: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.ones_like(losses)


@every_net
def test_gradients_flow_through_gradient_balancers(
    spec: ScenarioNet, preprocessor: Preprocessor
) -> None:
    model = model_of(spec, ("click", "cart"))
    x, y, weights = tiny.batch(preprocessor, 12)
    steps = []
    for balancer in (None, Fixed(dict.fromkeys(model.ranking.tasks, 1.0))):
        if balancer:
            model._tracker.unlock()
            model.balancer = balancer
        steps.append(descend(model, x, y, tf.constant(weights)))
    for variable, one, other in zip(
        model.trainable_variables, *(step.gradients for step in steps), strict=True
    ):
        if "scenario_net" in variable.path:
            assert one is not None
        assert (one is None) == (other is None), variable.path
        if one is not None:
            np.testing.assert_allclose(
                tf.convert_to_tensor(other),
                tf.convert_to_tensor(one),
                rtol=1e-3,
                atol=1e-5,
                err_msg=variable.path,
            )


@every_net
def test_it_is_saved_exported_and_served(
    spec: ScenarioNet, transformed: Path, preprocessor: Preprocessor, tmp_path: Path
) -> None:
    model = model_of(spec, ("click",), **{"serving.signatures": []})
    random = np.random.default_rng(0)
    for variable in model.variables:
        if "ranking" in variable.path and variable.dtype == "float32":
            variable.assign(random.uniform(0.1, 0.6, size=variable.shape))
    save_model(model, tmp_path / "model", transformed)
    raw = tiny.raw_rows(6)
    raw["scenario"][:3] = ["", "elsewhere", "feed"]
    raw["position"][:] = "1"
    x = {name: tf.constant(v) for name, v in tiny.encode(preprocessor, raw).items()}
    assert x["scenario"].numpy().tolist()[:3] == [1, 1, FEED]
    expected = model.rank(x)["click"].numpy()
    assert np.ptp(expected) > 1e-4
    loaded = keras.saving.load_model(tmp_path / "model" / NETWORK)
    assert np.array_equal(loaded.rank(x)["click"], expected)

    write_saved_model(model, tmp_path / "model", tmp_path / "saved_model")
    served = tf.saved_model.load(str(tmp_path / "saved_model")).signatures["rank_rows"]
    names = served.structured_input_signature[1]
    request = {name: tf.constant(raw[name].tolist(), spec.dtype) for name, spec in names.items()}
    np.testing.assert_allclose(served(**request)["click"], expected, rtol=1e-5)
    graph = saved_model_pb2.SavedModel()
    graph.ParseFromString((tmp_path / "saved_model" / "saved_model.pb").read_bytes())
    assert forbidden_ops(graph.meta_graphs[0]) == []


@pytest.mark.parametrize("spec", [s for s in NETS if s.kind != "hinet"], ids=lambda s: s.kind)
def test_a_scenario_added_leaves_the_others_answers(
    spec: ScenarioNet, preprocessor: Preprocessor
) -> None:
    more = {"column": "scenario", "values": ["search", "feed", "ads"]}
    source, target = model_of(spec, ("click",)), model_of(spec, ("click",), scenario=more)
    for variable in source.trainable_variables:
        if "ranking" in variable.path:
            variable.assign(variable + 0.1)
    x = inputs_of(preprocessor, 4, FEED)
    assert not np.allclose(source.rank(x)["click"], target.rank(x)["click"], rtol=1e-4)
    transfer(source, target)
    np.testing.assert_allclose(source.rank(x)["click"], target.rank(x)["click"], rtol=1e-5)


@every_net
def test_a_net_needs_scenarios(spec: ScenarioNet) -> None:
    alone = {"model.scenario_net": {"kind": spec.kind}, "scenario": None}
    tasks = {"tasks": {"click": {"kind": "binary", "label": "click"}}}
    with pytest.raises(
        ConfigError, match=rf"model\.scenario_net: {spec.kind} needs to know the scenario; add scen"
    ):
        tiny.make_config({**alone, **tasks})
    with pytest.raises(ValueError, match=r"at least one scenario\. Received: 0"):
        build_scenario_net(spec, ["click"], 0, "float32")


def test_what_the_configuration_refuses() -> None:
    for kind, key, value in (
        ("sar_net", "units", []),
        ("sar_net", "shared_experts", 0),
        ("hinet", "experts", 0),
        ("m2m", "depth", 0),
        ("pepnet", "gate_units", 0),
        ("star", "momentum", 1.0),
        ("star", "experts", 2),
    ):
        with pytest.raises(ConfigError, match=rf"model\.scenario_net\.(\w+\.)?{key}"):
            tiny.make_config({"model.scenario_net": {"kind": kind, key: value}})
