"""Sampling in the configuration: what is accepted, and what a mistake is told."""

import math
from typing import Any

import pytest
import tiny

from tfmtl.config import ConfigError, dump, parse

CLICK = {"kind": "binary", "label": "click"}


def errors(**changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        tiny.make_config(changes)
    return str(error.value)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"task": "click"}, "give exactly one of 'keep' and 'per_positive'"),
        ({"task": "click", "keep": 0.5, "per_positive": 1}, "give exactly one of 'keep'"),
        ({"task": "click", "keep": 0}, "sampling.negatives[0].keep: input should be greater than"),
        ({"task": "click", "keep": 1.5}, "sampling.negatives[0].keep: input should be less than"),
        ({"task": "click", "per_positive": 0}, "sampling.negatives[0].per_positive"),
        (
            {"task": "stars", "keep": 0.5},
            "sampling.negatives[0].task: 'stars' is no binary task and no retrieval task; choose "
            "among ",
        ),
        (
            {"task": "click", "keep": 0.5, "scenarios": ["moon"]},
            "sampling.negatives[0].scenarios: 'moon' is not in scenario.values",
        ),
    ],
)
def test_rules_that_are_wrong(rule: dict[str, Any], expected: str) -> None:
    assert expected in errors(sampling={"negatives": [rule]})


def test_a_rule_for_a_scenario_without_its_task() -> None:
    scenarios = tiny.RAW["scenario"]["values"]
    tasks = {"click": CLICK, "buy": {**CLICK, "scenarios": scenarios[:1]}}
    rule = {"task": "buy", "keep": 0.5, "scenarios": scenarios[1:2]}
    found = errors(tasks=tasks, sampling={"negatives": [rule]})
    assert f"task 'buy' does not exist in '{scenarios[1]}'; choose among" in found


def test_where_every_row_is_a_positive_there_are_no_negatives() -> None:
    tasks = {"click": CLICK, "find": {"kind": "retrieval"}}
    rule = {"task": "click", "keep": 0.5}
    found = errors(tasks=tasks, sampling={"negatives": [rule]})
    assert "every row is a positive of task 'find', so there are no negatives" in found
    # Outside of the retrieval task's scenarios there are some.
    scenarios = tiny.RAW["scenario"]["values"]
    tasks["find"] = {"kind": "retrieval", "scenarios": scenarios[:1]}
    tiny.make_config({"tasks": tasks, "sampling": {"negatives": [rule]}})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"resampling": {"by": "scenario", "temperature": 0.5}}, "resampling.temperature"),
        ({"resampling": {"by": "scenario"}}, "resampling.temperature: missing"),
        ({"resampling": {"by": "user", "temperature": 2}}, "resampling.by"),
        (
            {"resampling": {"by": "task", "temperature": 2}, "tasks": {"click": CLICK}},
            "resampling.by: there are no two ranking tasks to even out, got ['click']",
        ),
    ],
)
def test_resampling_that_is_wrong(changes: dict[str, Any], expected: str) -> None:
    assert expected in errors(**changes)


def test_scenarios_cannot_be_evened_where_there_are_none() -> None:
    found = errors(
        scenario=None,
        tasks={"click": CLICK},
        resampling={"by": "scenario", "temperature": 2},
    )
    assert "resampling.by: there are no scenarios to even out" in found


def test_an_infinite_temperature_comes_back_from_yaml() -> None:
    import yaml

    config = tiny.make_config({"resampling": {"by": "scenario", "temperature": math.inf}})
    assert parse(yaml.safe_load(dump(config))) == config
