"""A training's budget: what is spent, on whom, and what a step without some of them changes."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given
from hypothesis import strategies as st

from tfmtl.config import ConfigError, parse
from tfmtl.optimizers import build_optimizer
from tfmtl.preprocessing import columns
from tfmtl.training.budgets.costs import Cost, Costs
from tfmtl.training.budgets.division import Gains, shares, worthwhile
from tfmtl.training.budgets.rows import rows_by_scenario, some_rows
from tfmtl.training.examples import read_examples
from tfmtl.training.trainer import train

positive = st.floats(0.01, 100)


@given(st.lists(st.tuples(st.floats(0, 100), positive), min_size=1, max_size=6), positive)
def test_no_other_set_of_tasks_brings_more(pairs, base):
    worth = {f"t{i}": value for i, (value, _) in enumerate(pairs)}
    costs = {f"t{i}": cost for i, (_, cost) in enumerate(pairs)}

    def brings(names):
        return sum(worth[n] for n in names) / (base + sum(costs[n] for n in names))

    best = max(brings(names) for k in range(1, len(worth) + 1) for names in combinations(worth, k))
    assert brings(worthwhile(worth, costs, base)) == pytest.approx(best)


def test_tasks_that_gain_nothing_all_take_part():
    assert worthwhile({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0}, 1.0) == ["a", "b"]


def test_shares_worked_out():
    """The mean is 2: two are at it or above, one has a half, and one is kept at the least."""
    found = shares({"a": 4.9, "b": 2.0, "c": 1.0, "d": 0.1}, 0.125)
    assert found == {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.125}
    assert shares({"a": 0.0, "b": 0.0}, 0.125) == {"a": 1.0, "b": 1.0}


def test_gains_worked_out():
    """Of a loss of 2: .5 fell in 10 steps; then it rose by .2 above its best, in 5 steps."""
    gains = Gains()
    gains.update({"a": 2.0, "b": 1.0, "c": float("nan")}, {"a": 0, "b": 0, "c": 0})
    assert gains.rates == {}
    gains.update({"a": 1.5, "b": 1.0, "c": 4.0}, {"a": 10, "b": 10, "c": 10})
    assert gains.rates == {"a": pytest.approx(0.025), "b": 0.0}
    gains.update({"a": 1.7, "b": 0.9, "c": 3.0}, {"a": 5, "b": 0, "c": 10})
    assert gains.rates["a"] == pytest.approx((0.025 + 0.02) / 2)
    assert gains.rates["b"] == 0.0, "what others have done to it is no gain of its own"
    assert gains.rates["c"] == pytest.approx(1 / 4 / 10)
    assert gains.best == {"a": 1.5, "b": 0.9, "c": 3.0}


def test_costs_are_found_again():
    """Steps of 10 ms, 5 more for `a`, 20 more for `b`; the first of each set takes a second."""
    costs = Costs(["a", "b"])
    assert costs.fitted() == Cost(0.5, {"a": 0.25, "b": 0.25})
    for tasks, seconds in ((("a", "b"), 0.035), (("a",), 0.015), (("b",), 0.03)):
        for step in range(5):
            costs.add(tasks, seconds if step else 1.0)
    found = costs.fitted()
    assert found.base == pytest.approx(0.01, abs=1e-3)
    assert found.tasks == {"a": pytest.approx(0.005, abs=1e-3), "b": pytest.approx(0.02, abs=1e-3)}
    assert costs.compiling == pytest.approx(0.985)
    assert costs.knows(["b", "a"])
    assert not costs.knows([])


def test_remembered_costs_are_bounded():
    costs = Costs(["a"])
    costs.add(["a"], 9.0)
    for _ in range(1000):
        costs.add(["a"], 1.0)
    ((_, times),) = costs.state()
    assert len(times) == 100
    assert costs.compiling == 8.0


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.tuples(*[st.floats(0.01, 1)] * 3))
def test_the_first_rows_of_every_scenario_stay(ids, given_shares):
    """Ids 2, 3 and 4 are the scenarios, 0 and 1 rows of none."""
    places = np.arange(len(ids))
    batch = ({columns.SCENARIO: tf.constant(ids, tf.int32)}, {"click": tf.constant(places)}, places)
    _, labels, weights = some_rows(batch, tf.constant(given_shares, tf.float32))
    wanted = []
    for place, one in enumerate(ids):
        share = np.float32(1.0 if one < 2 else given_shares[one - 2])
        before = sum(other == one or (other < 2 and one < 2) for other in ids[:place])
        total = sum(other == one or (other < 2 and one < 2) for other in ids)
        if before < np.ceil(np.float32(total) * share):
            wanted.append(place)
    assert labels["click"].numpy().tolist() == weights.numpy().tolist() == wanted


def test_rows_by_scenario(transformed: Path):
    config = tiny.make_config()
    found = rows_by_scenario(transformed / "train", config)
    ids = np.concatenate(
        [x[columns.SCENARIO] for x, _, _ in read_examples(transformed / "train", config)]
    )
    assert found == {"search": int((ids == 2).sum()), "feed": int((ids == 3).sum())}
    alone = tiny.make_config({"scenario": None, "tasks": {"click": tiny.RAW["tasks"]["click"]}})
    assert rows_by_scenario(transformed / "train", alone) == {"": len(ids)}


def test_a_step_without_a_task_is_a_step_of_a_model_without_its_loss(transformed: Path):
    """Its weight 0 and leaving it out change the same variables by the same amounts."""
    changed = []
    for weight, tasks in ((0.0, None), (1.0, ("retrieve", "click", "stars"))):
        model = tiny.make_model({"tasks.cart": {**tiny.RAW["tasks"]["cart"], "weight": weight}})
        model.compile(optimizer=build_optimizer(model.config.training.optimizer))
        x, y, weights = next(iter(read_examples(transformed / "train", model.config)))
        figures = model.learn(x, y, weights, tasks)
        changed.append([variable.numpy() for variable in model.trainable_variables])
    assert float(figures["loss/cart"]) == 0.0
    for one, other in zip(*changed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def budget(transformed: Path, **spec):
    changes = {
        "tasks": {name: tiny.RAW["tasks"][name] for name in ("click", "cart", "stars")},
        "training.budget": {"decisions": 4, "validation_rows": 32, **spec},
        "training.batch_size": 2,
        "training.epochs": 9,
    }
    return train(tiny.make_config(changes), transformed)


@pytest.mark.slow
def test_steps_are_spent_and_no_more(transformed: Path):
    """64 rows are 32 steps an epoch; a decision needs 20 steps since the one before."""
    even = budget(transformed, steps=40, division="even")
    assert len(even.epochs) == 2
    assert even.budget is not None
    assert even.budget["decisions"] == []
    assert even.budget["spent"] == even.budget["steps"] == 40
    assert int(even.model.optimizer.iterations) == 40
    found = budget(transformed, steps=40)
    assert found.budget is not None
    decisions = found.budget["decisions"]
    steps = int(found.model.optimizer.iterations)
    first, second, *_ = decisions
    assert first["spent"] == 0
    assert set(first["tasks"]) == {"click", "cart", "stars"}
    assert all(task["chosen"] for task in first["tasks"].values())
    assert second["tasks"]["click"]["steps"] == 20
    chosen = [[t for t, one in r["tasks"].items() if one["chosen"]] for r in decisions]
    assert any(len(tasks) < 3 for tasks in chosen), "with so few rows not all gain alike"
    assert steps > 40, "those of some tasks or rows cost less"
    json.loads(json.dumps(found.budget, allow_nan=False))


def test_seconds_end_it(transformed: Path):
    """A minute has passed by the clock that it looks at before the second step."""
    found = budget(transformed, seconds=1e-3, division="even")
    assert int(found.model.optimizer.iterations) == 1
    assert len(found.epochs) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.budget": {}}, "exactly one of 'seconds' and 'steps'"),
        ({"training.budget": {"steps": 1, "seconds": 1}}, "exactly one of 'seconds' and 'steps'"),
        (
            {"training.budget": {"steps": 9, "priorities": {"buy": 2}}},
            "training.budget.priorities: there is no 'buy'; choose among retrieve, click",
        ),
        (
            {"training.budget": {"steps": 9, "scenarios": {"ads": 2}}},
            "training.budget.scenarios: there is no 'ads'; choose among search, feed",
        ),
        (
            {"training.budget": {"steps": 9}, "model.balancer": {"kind": "famo"}},
            "famo weighs the losses of all tasks in every step; choose model.balancer static",
        ),
        (
            {"training.budget": {"steps": 9}, "training.strategy": "multi_worker"},
            "leave out training.strategy",
        ),
        (
            {
                "training.budget": {"steps": 9},
                "training.optimizer": {"dense": {"schedule": {"kind": "cosine"}}},
            },
            "leave out the schedule",
        ),
    ],
)
def test_what_cannot_be(changes, message):
    with pytest.raises(ConfigError) as caught:
        parse(tiny.make_raw(changes))
    assert message in str(caught.value)
