"""Which weights a tuned model takes over."""

import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfmtl.training.extending import transfer

TASKS = tiny.make_raw()["tasks"]


def values(model) -> dict[str, np.ndarray]:
    return {v.path.removeprefix(f"{model.name}/"): v.numpy() for v in model.variables}


def test_a_model_of_another_name_takes_everything_over() -> None:
    base, tuned = tiny.make_model(), tiny.make_model({"name": "elsewhere"})
    assert transfer(base, tuned) == []
    before, after = values(base), values(tuned)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_the_random_numbers_of_a_dropout_are_nothing_that_was_learnt() -> None:
    query = tiny.make_raw()["features"]["query"]
    encoder = {"kind": "cnn", "filters": 2, "dropout": 0.5}
    changes = {"features.query": [{**query[0], "encoder": encoder}]}
    base, tuned = tiny.make_model(changes), tiny.make_model(changes)
    assert any("seed_generator" in path for path in values(tuned))
    assert transfer(base, tuned) == []


def test_a_new_task_starts_anew_and_leaves_the_others() -> None:
    base = tiny.make_model()
    tuned = tiny.make_model({"tasks": {**TASKS, "buy": {"kind": "binary", "label": "cart"}}})
    anew = transfer(base, tuned)
    assert any("buy" in path for path in anew)
    assert all("buy" in path for path in anew if not path.startswith("balancer"))
    inputs = {
        name: tf.ones([2, *spec.shape[1:]], spec.dtype) for name, spec in base.inputs_spec.items()
    }
    before, after = base.rank(inputs), tuned.rank(inputs)
    assert np.array_equal(before["click"], after["click"])


def test_new_scenarios_come_last() -> None:
    base = tiny.make_model()
    known = base.config.scenario.values
    grown = tiny.make_model({"scenario.values": [*known, "email"]})
    assert transfer(base, grown) == []
    before = base.encoding.embedding.rows_of("scenario")
    after = grown.encoding.embedding.rows_of("scenario")
    assert np.array_equal(after[: len(known) + 2], before)
    moved = tiny.make_model({"scenario.values": ["email", *known]})
    with pytest.raises(ValueError, match=r"scenario\.values must begin with"):
        transfer(base, moved)


def test_other_inputs_are_refused() -> None:
    features = [*tiny.make_raw()["features"]["context"], {"name": "hour", "kind": "numeric"}]
    other = tiny.make_model({"features.context": features})
    with pytest.raises(ValueError, match=r"features: .*differing: hour"):
        transfer(tiny.make_model(), other)
