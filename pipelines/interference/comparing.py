"""The component that measures all models on the test rows and says what sharing has brought."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import Artifact, Output, Transformed
from pipelines.components.base import Component, Context, Summary
from pipelines.interference.advice import advise
from pipelines.interference.changes import change, main_metric
from pipelines.interference.gradients import summarise
from pipelines.interference.models import Models, step
from pipelines.storage.directories import read_json
from tfmtl.config import Config
from tfmtl.config.evaluation import is_lower_better

if TYPE_CHECKING:
    from tfmtl.evaluation import Result

ARTIFACT, REPORT = "interference", "interference.json"


def comparison(models: Sequence[Models]) -> Component:
    """The component, which reads every model.

    Args:
        models: of every seed.
    """
    made = {one.produces: one.artifact for of in models for one in of.all}

    def compare(
        context: Context, transformed: Transformed, made: Output[Artifact], **trained: Artifact
    ) -> Summary:
        found = _compare(context, transformed, models, trained)
        path = made.path / REPORT
        path.write_text(json.dumps(found, indent=2, allow_nan=False), encoding="utf-8")
        changes = [task["overall"] for task in found["tasks"].values()]
        counts = {
            verdict: sum(one is not None and one["verdict"] == verdict for one in changes)
            for verdict in ("gain", "loss", "unclear")
        }
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        return {"headline": f"tasks: {said}", **counts}

    def reads(config: Config) -> Any:
        return config.model_dump(
            mode="json", exclude={"gate", "serving", "tuner", "bulk_inference", "pipeline"}
        )

    inputs: dict[str, type[Artifact]] = {"transformed": Transformed, **made}
    return step("Interference", compare, inputs, ARTIFACT, reads)


def _compare(
    context: Context,
    transformed: Transformed,
    models: Sequence[Models],
    trained: Mapping[str, Artifact],
) -> dict[str, Any]:
    from tfmtl.evaluation import differences
    from tfmtl.models.saved import load_model
    from tfmtl.training.evaluating import measure

    config = context.config
    total = sum(len(of.all) for of in models)
    done = 0

    def result(component: Component) -> "Result":
        nonlocal done
        context.progress(done, total, "models", component.name)
        done += 1
        model = load_model(trained[component.produces].path)
        return measure(model, config, transformed.path)

    tasks: dict[str, list[_Pair]] = {task: [] for task in models[0].tasks}
    scenarios: dict[str, list[_Pair]] = {value: [] for value in models[0].scenarios}
    for of in models:
        joint = result(of.joint)
        for wanted, single in ((tasks, of.tasks), (scenarios, of.scenarios)):
            for name, component in single.items():
                alone = result(component)
                wanted[name].append((alone.tasks, joint.tasks, differences(joint, alone)))
    found = {
        "name": config.name,
        "seeds": [of.seed for of in models],
        "names": {
            "tasks": list(config.tasks),
            "scenarios": config.scenario.values if config.scenario else [],
        },
        "tasks": {task: _of_task(config, task, pairs) for task, pairs in tasks.items()},
        "scenarios": {
            value: _of_scenario(config, value, pairs) for value, pairs in scenarios.items()
        },
        "cosines": summarise(
            [
                read_json(trained[of.joint.produces].path / "history.json")["cosines"]
                for of in models
            ]
        ),
        "gates": read_json(trained[models[0].joint.produces].path / "gates.json"),
        "notes": _notes(models),
    }
    return {**found, "advice": advise(config, found)}


_Pair = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
"""Figures of the model that knows less, those of the joint model, and their differences."""


def _of_task(config: Config, task: str, pairs: Sequence[_Pair]) -> dict[str, Any]:
    metric = main_metric(config, task)
    values = config.scenario.values if config.scenario else []
    known = [value for value in values if value in (config.tasks[task].scenarios or values)]
    return {
        "metric": metric,
        "lower_is_better": is_lower_better(metric),
        "overall": _change(config, task, pairs),
        "scenarios": {value: _change(config, task, pairs, value) for value in known},
    }


def _of_scenario(config: Config, value: str, pairs: Sequence[_Pair]) -> dict[str, Any]:
    alone, _, _ = pairs[0]
    return {task: _change(config, task, pairs, value) for task in config.tasks if task in alone}


def _change(
    config: Config, task: str, pairs: Sequence[_Pair], scenario: str | None = None
) -> dict[str, Any] | None:
    """The change of a task's metric, on all rows or on those of a scenario."""
    metric = main_metric(config, task)
    column = config.scenario.column if config.scenario else ""

    def pick(of: Mapping[str, Any]) -> Any:
        figures = of[task]["overall"]
        if scenario is not None:
            figures = of[task]["slices"].get(column, {}).get(scenario, {})
        return figures.get(metric)

    missing = {"difference": None, "low": None, "high": None}
    return change(
        metric,
        [pick(alone) for alone, _, _ in pairs],
        [pick(joint) for _, joint, _ in pairs],
        [pick(delta) or missing for _, _, delta in pairs],
    )


def _notes(models: Sequence[Models]) -> list[str]:
    if len(models) > 1:
        return []
    return [
        "with one seed the intervals hold the chance in the test rows, not that in the training; "
        "--seeds 3 holds both"
    ]
