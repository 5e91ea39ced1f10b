"""Searches and bulk inference in the configuration: what is accepted, what a mistake is told."""

from typing import Any

import pytest
import tiny
import yaml

from tfmtl.config import ConfigError, dump, parse
from tfmtl.config.searched import with_values

RATE = "training.optimizer.dense.learning_rate"


def config_of(values: dict[str, Any], **more: Any) -> Any:
    return tiny.make_config({"tuner": {"values": values, **more}})


def errors(values: dict[str, Any] | None = None, **more: Any) -> str:
    with pytest.raises(ConfigError) as error:
        config_of(values or {"training.epochs": [1, 2]}, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"training.epoch": [1]}, "training.epoch: 1 makes no right config: training.epoch: unkn"),
        ({"training.epochs": [1, 0]}, "tuner.values.training.epochs: 0 makes no right config"),
        ({"training.epochs": {"low": 0, "high": 3}}, "training.epochs: 0 makes no right config"),
        ({"training.epochs": {"low": 3, "high": 3}}, "low must be below high, got 3 and 3"),
        ({"training.epochs": {"low": 1}}, "give a list of choices, or low and high"),
        ({"training.epochs": []}, "tuner.values.training.epochs.choices"),
        ({RATE: {"low": 0, "high": 1, "log": True}}, "log needs numbers above 0, got low: 0"),
        ({RATE: {"low": 1, "high": 2, "log": True, "step": 1}}, "log goes without step"),
        ({"features.user.9.dim": [8]}, "'9' is no index of a list of 2"),
        ({"training.epochs.more": [1]}, "'epochs' is a value, it has no keys below it"),
        ({"model.trunk.levels": [1]}, "model.trunk.levels: unknown key"),
        (
            {"model.trunk": [{"kind": "mmoe"}, {"kind": "ple", "levls": 1}]},
            "model.trunk: {'kind': 'ple', 'levls': 1} makes no right config: model.trunk.levls: "
            "unknown key; did you mean 'levels'?",
        ),
        (
            {"model.trunk": [{"kind": "ple"}], "model.trunk.units": [[8]]},
            "'model.trunk.units' is a part of 'model.trunk', which is searched too",
        ),
        ({"seed": [1, 2]}, "'seed' cannot be searched: ExampleGen draws by it"),
        ({"source.max_bad_share": [0.1]}, "cannot be searched: it decides which rows there are"),
        ({"split.test": ["1d"]}, "cannot be searched: it decides which rows validate"),
        ({"tuner.trials": [3]}, "'tuner.trials' cannot be searched: a search cannot change itself"),
    ],
)
def test_values_that_are_wrong(values: dict[str, Any], expected: str) -> None:
    assert expected in errors(values)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"objective": {"task": "click", "metric": "uac"}}, "has no objective 'uac'; choose among"),
        ({"objective": {"task": "clock", "metric": "auc"}}, "needs a task, got 'clock'; choose"),
        ({"objective": "auc"}, "tuner.objective[0].task: metric 'auc' needs a task, got None"),
        ({"objective": {"task": "click", "metric": "rows"}}, "has no objective 'rows'"),
        ({"objective": []}, "tuner.objective"),
        ({"trials": 0}, "tuner.trials"),
        ({"timeout": "soon"}, "give a duration such as 12h or 1d"),
        ({"sampler": "best"}, "tuner.sampler"),
    ],
)
def test_searches_that_are_wrong(more: dict[str, Any], expected: str) -> None:
    assert expected in errors(**more)


def test_a_grid_needs_values_that_can_be_counted() -> None:
    assert f"values.{RATE}: a grid needs a list of choices" in errors(
        {RATE: {"low": 0.1, "high": 0.2}}, sampler="grid"
    )
    grid = config_of({RATE: {"low": 0.1, "high": 0.3, "step": 0.1}}, sampler="grid").tuner
    assert grid.values[RATE].listed == pytest.approx([0.1, 0.2, 0.3])


def test_a_search_needs_validation_rows() -> None:
    with pytest.raises(ConfigError, match=r"there are none, set split\.validation"):
        tiny.make_config(
            {
                "tuner": {"values": {"training.epochs": [1]}},
                "split": {"by": "user", "validation": 0, "test": 0.2},
            }
        )


def test_one_goal_stands_for_a_list_and_a_metric_knows_its_direction() -> None:
    def of(objective: Any) -> Any:
        return config_of({"training.epochs": [1]}, objective=objective).tuner

    assert [goal.title for goal in of("loss").objective] == ["loss"]
    assert of("loss").minimise
    assert not of({"task": "click", "metric": "auc"}).minimise
    assert of([{"task": "stars", "metric": "rmse"}, {"metric": "loss"}]).minimise
    assert not of(
        [{"task": "stars", "metric": "rmse"}, {"task": "click", "metric": "auc"}]
    ).minimise


def test_another_kind_takes_nothing_over_from_the_one_it_replaces() -> None:
    config = config_of({"model.trunk.kind": ["shared_bottom", "ple"]})
    assert config.model.trunk.units == [8]
    changed = parse(with_values(config, {"model.trunk.kind": "ple"}))
    assert (changed.model.trunk.levels, changed.model.trunk.units) == (2, [64])
    assert changed.tuner is None
    same = parse(with_values(config, {"model.trunk.kind": "shared_bottom"}))
    assert same.model.trunk.units == [8]
    # What is loaded from a file with all defaults written out is changed alike.
    again = parse(yaml.safe_load(dump(config)))
    assert parse(with_values(again, {"model.trunk.kind": "ple"})).model == changed.model


def test_values_are_put_where_the_configuration_says_nothing() -> None:
    config = config_of({"model.balancer.kind": ["famo"], "training.early_stopping.patience": [3]})
    changed = parse(
        with_values(
            config,
            {
                "model.balancer.kind": "famo",
                "training.early_stopping.patience": 3,
                "features.item.0.dim": 16,
            },
        )
    )
    assert changed.model.balancer.kind == "famo"
    assert changed.training.early_stopping.patience == 3
    assert [feature.dim for feature in changed.features.item[:2]] == [16, 2]
    assert config.features.item[0].dim == 4


@pytest.mark.parametrize(
    ("asked", "changes", "expected"),
    [
        ({"outputs": ["scores"]}, {}, "scores are of rows with items; give bulk_inference.data"),
        ({"outputs": ["top_k", "top_k"]}, {}, "outputs names 'top_k' twice"),
        ({"outputs": ["ranks"]}, {}, "bulk_inference.outputs"),
        ({"keep": ["id"]}, {}, "keep: users of the log have no columns to copy; give data"),
        ({"data": "x", "top_k": 0}, {}, "bulk_inference.top_k"),
        ({"data": "x", "keep": ["click"]}, {}, "keep: 'click' is a column of the answers already"),
        (
            {"data": "x"},
            {"tasks": {"click": {"kind": "binary", "label": "click"}}},
            "bulk_inference.outputs: top_k need a task of kind retrieval",
        ),
        (
            {"data": "x", "outputs": ["scores"]},
            {"tasks": {"find": {"kind": "retrieval", "positive": "click"}}},
            "bulk_inference.outputs: scores are of ranking tasks, of which is none",
        ),
    ],
)
def test_bulk_inference_that_is_wrong(
    asked: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError) as error:
        tiny.make_config({"bulk_inference": asked, **changes})
    assert expected in str(error.value)


def test_a_path_stands_for_a_table() -> None:
    asked = tiny.make_config({"bulk_inference": {"data": "rows/*.csv"}}).bulk_inference
    assert (asked.data.path, asked.outputs, asked.top_k) == ("rows/*.csv", ["top_k"], 50)
