"""Teachers in the configuration: what is accepted, what a mistake is told."""

from typing import Any

import pytest
import tiny

from tfmtl.config import ConfigError, dump, parse


def make(**spec: Any) -> Any:
    given = {"teachers": [{"run": "out/large"}], **spec}
    return tiny.make_config({"distillation": given}).distillation


def test_a_task_has_its_own_or_that_of_all() -> None:
    spec = make(weight=0.7, tasks={"click": {"weight": 0.0, "unlabelled": True}}, hint=0.2)
    assert [spec.weight_of(task) for task in ("click", "cart")] == [0.0, 0.7]
    assert [spec.teaches_unlabelled(task) for task in ("click", "cart")] == [True, False]
    assert spec.hint_of("click") == 0.2
    assert spec.temperature_of("click") == 1.0
    assert spec.gate.tolerance_of("click") == 0.002
    assert make(gate={"tasks": {"cart": 0.1}}).gate.tolerance_of("cart") == 0.1
    assert make(gate=None).gate is None


def test_it_is_written_and_read_again() -> None:
    import yaml

    teachers = [{"changes": {"model.trunk.units": [64]}, "tasks": ["click"]}, {"run": "x"}]
    config = tiny.make_config({"distillation": {"teachers": teachers}})
    assert parse(yaml.safe_load(dump(config))) == config


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"teachers": []}, "distillation.teachers: list should have at least 1 item"),
        ({"teachers": [{}]}, "distillation.teachers[0]: give run, a trained model, or changes"),
        (
            {"teachers": [{"run": "x", "changes": {}}]},
            "distillation.teachers[0]: give run, a trained model, or changes",
        ),
        (
            {"teachers": [{"run": "x", "tasks": ["buy"]}]},
            "distillation.teachers[0].tasks: there is no task 'buy'; choose among ['retrieve', ",
        ),
        ({"tasks": {"buy": {}}}, "distillation.tasks: there is no task 'buy'; choose among"),
        ({"gate": {"tasks": {"buy": 1}}}, "distillation.gate.tasks: there is no task 'buy'"),
        ({"weight": 1.5}, "distillation.weight: input should be less than or equal to 1, got 1.5"),
        ({"temperature": 0}, "distillation.temperature: input should be greater than 0, got 0"),
        (
            {"tasks": {"stars": {"temperature": 2}}},
            "distillation.tasks.stars.temperature: 'stars' predicts a number, which has no temp",
        ),
        (
            {"tasks": {"retrieve": {"hint": 1}}},
            "distillation.tasks.retrieve.hint: 'retrieve' has no output of the trunk",
        ),
        (
            {"teachers": [{"changes": {"split.by": "random"}}]},
            "distillation.teachers[0].changes: 'split.by' is not the model's; a teacher differs in "
            "model, training, seed and features only",
        ),
        (
            {"teachers": [{"changes": {"features.user.9.dim": 4}}]},
            "distillation.teachers[0].changes: '9' is no index of a list of 2",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(spec: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make(**spec)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
