"""The parts of a model by name: what is frozen, and what learns more slowly."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import varied

from tfmtl.config import ConfigError
from tfmtl.layers.patterns import chosen, matches
from tfmtl.models.parts import set_rates, variables_by_name
from tfmtl.optimizers import LazyAdam, RowwiseAdagrad, SparseAdagrad


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("towers/click/hidden/dense_0", "towers/click", True),
        ("towers/click/hidden/dense_0", "click", True),
        ("towers/click_2/hidden/dense_0", "click", False),
        ("towers/click_2/hidden/dense_0", "click*", True),
        ("encoders/texts/block_1/query", "block_?/query", True),
        ("encoders/texts/block_1/query", "texts/query", False),
        ("trunk", "trunk/dense_0", False),
        ("anything/at/all", "*", True),
    ],
)
def test_a_pattern_is_a_run_of_whole_parts(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, pattern) is expected


def test_an_unknown_pattern_names_what_there_is() -> None:
    assert chosen(["a/b", "a/c", "d"], ["c", "d"], "key") == ["a/c", "d"]
    with pytest.raises(ConfigError, match="key: nothing is called 'x'; choose among a/b, a/c, d"):
        chosen(["a/b", "a/c", "d"], ["a", "x"], "key")


def test_every_weight_has_one_name_of_its_own() -> None:
    """Of a model with features, encoders and heads of every kind."""
    model = varied.make_model()
    names = variables_by_name(model)
    balancer = {id(v) for v in model.balancer.variables}
    weights = [v for v in model.weights if id(v) not in balancer]
    assert {id(v) for v in names.values()} == {id(v) for v in weights}
    first = {name.split("/")[0] for name in names}
    assert first == {"tables", "encoders", "scenario_net", "trunk", "towers", "funnel"} & first
    assert {"tables", "encoders", "scenario_net", "trunk", "towers"} <= first
    for task in model.config.tasks:
        assert any(name.startswith(f"towers/{task}/") for name in names), task


def test_frozen_parts_and_no_others() -> None:
    model = tiny.make_model()
    everything = len(model.trainable_variables)
    model.freeze("trunk", "towers/click", tables=True)
    learning = {v.path for v in model.trainable_variables}
    assert not any(part in path for path in learning for part in ("trunk", "click", "embedding"))
    assert any("tower_cart" in path for path in learning)
    model.freeze("towers/cart")
    assert len(model.trainable_variables) == everything - 4
    model.freeze()
    assert len(model.trainable_variables) == everything
    with pytest.raises(ConfigError, match=r"training\.freeze: nothing is called 'towers/clik'"):
        model.freeze("towers/clik")


@pytest.mark.parametrize("kind", [SparseAdagrad, RowwiseAdagrad, LazyAdam])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_part_learns_at_its_own_rate(kind: type, sparse: bool) -> None:
    """A step of a factor f is f times that of a factor of 1: the state of none depends on it."""
    steps = []
    for factor in (1.0, 0.25):
        table = keras.Variable(np.ones((3, 2), np.float32))
        table.rate_factor = factor
        gradient = tf.constant([[0.5, -2.0]])
        if sparse:
            gradient = tf.IndexedSlices(gradient, tf.constant([1]), tf.constant([3, 2]))
        else:
            gradient = tf.repeat(gradient, 3, axis=0)
        kind(0.1).apply([gradient], [table])
        steps.append(1 - table.numpy())
    assert steps[0][1].all()
    np.testing.assert_allclose(steps[1], 0.25 * steps[0], atol=1e-6)


def test_the_last_pattern_that_matches_counts() -> None:
    model = tiny.make_model()
    set_rates(model, {"towers": 0.5, "click": 0.1})
    factors = {name: v.rate_factor for name, v in variables_by_name(model).items()}
    assert factors["towers/cart/output/kernel"] == 0.5
    assert factors["towers/click/output/kernel"] == 0.1
    assert factors["trunk/bottom/dense_0/kernel"] == 1.0
    set_rates(model, {})
    assert {v.rate_factor for v in variables_by_name(model).values()} == {1.0}
    with pytest.raises(ConfigError, match=r"training\.optimizer\.rates: nothing is called 'trunc'"):
        set_rates(model, {"trunc": 0.5})
