"""The models that are compared, each a component with an artifact of its own."""

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from zipfile import is_zipfile

from pipelines.artifacts import Anomalies, Artifact, Output, Transformed
from pipelines.components.base import Component, Context, PipelineError, Summary
from pipelines.components.trainer import Trainer, train
from pipelines.interference.examples import write_examples
from pipelines.interference.restricted import of_scenario, of_task, seeded
from tfmtl.config import Config

COSINES = 5
"""How often an epoch of the joint model measures its gradients."""


@dataclass(frozen=True)
class Models:
    """Models of one seed, by the components that train them.

    Attributes:
        seed: of their initial weights and the order of the rows.
        joint: all tasks, all rows.
        tasks: a model a task, of those that are wanted.
        scenarios: a model a scenario, of all the tasks it has, where they are wanted.
    """

    seed: int
    joint: Component
    tasks: dict[str, Component]
    scenarios: dict[str, Component]

    @property
    def all(self) -> list[Component]:
        """All of them."""
        return [self.joint, *self.tasks.values(), *self.scenarios.values()]


def plan(
    config: Config, seeds: Sequence[int], tasks: Sequence[str], scenarios: Sequence[str]
) -> tuple[list[Component], list[Models]]:
    """The components that train all models from Transform's artifact.

    Args:
        config: of the joint model.
        seeds: of initial weights and order; every model is trained once with each.
        tasks: which tasks have a model of their own.
        scenarios: which scenarios have one.

    Returns:
        The components in their order, and the models by seed.
    """
    told = _examples("SingleExamples", "single_examples")
    rows = {value: _examples(f"Rows[{value}]", f"rows_{slug(value)}", value) for value in scenarios}
    models = []
    for seed in seeds:
        end, mark = f"seed_{seed}", f", seed {seed}" if len(seeds) > 1 else ""
        joint = partial(seeded, seed=seed, cosines=COSINES)
        alone = {
            task: _trained(
                f"SingleTask[{task}]{mark}",
                f"task_{slug(task)}_{end}",
                told.artifact,
                partial(of_task, task=task, seed=seed),
            )
            for task in tasks
        }
        apart = {
            value: _trained(
                f"SingleScenario[{value}]{mark}",
                f"scenario_{slug(value)}_{end}",
                rows[value].artifact,
                partial(of_scenario, scenario=value, seed=seed),
            )
            for value in scenarios
        }
        models.append(
            Models(seed, _trained(f"Joint{mark}", f"joint_{end}", Transformed, joint), alone, apart)
        )
    return [told, *rows.values(), *(one for of in models for one in of.all)], models


def named(name: str) -> type[Artifact]:
    """A class of artifacts whose name is known at run time only."""
    return type("Named", (Artifact,), {"name": name})


def slug(name: str) -> str:
    """A name that a directory can have, different for different names.

    Example:
        >>> slug("click"), slug("Add to cart")
        ('click', 'add_to_cart_4a6c6e3a')
    """
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    return plain if plain == name else f"{plain}_{zlib.crc32(name.encode()):08x}"


def step(
    name: str,
    function: Callable[..., Summary],
    inputs: dict[str, type[Artifact]],
    made: str,
    reads: Callable[[Config], Any],
    **options: Any,
) -> Component:
    """A component of a name and an artifact that are known at run time only.

    Args:
        name: the component's name.
        function: does the work; its last parameter is `made`.
        inputs: class of each artifact it reads, by its parameter.
        made: name of its artifact.
        reads: the parts of the configuration that decide its result.
        options: further ones of `Component`.
    """
    function.__name__ = name
    return Component(function, inputs, "made", named(made), reads, **options)


def _examples(name: str, made: str, scenario: str | None = None) -> Component:
    def write(context: Context, transformed: Transformed, made: Output[Artifact]) -> Summary:
        rows = write_examples(context.config, transformed.path, made.path, scenario)
        if not rows["train"]:
            raise PipelineError(
                f"scenario '{scenario}' has no training row, so no model of it can be trained; "
                "leave out --scenarios, or take it out of scenario.values"
            )
        return {"headline": f"{rows['train']:,} training rows"}

    def reads(config: Config) -> Any:
        return [config.model_dump(mode="json", include={"tasks", "scenario"}), scenario]

    return step(name, write, {"transformed": Transformed}, made, reads)


def _trained(
    name: str, made: str, examples: type[Artifact], make: Callable[[Config], Config]
) -> Component:
    def trained(
        context: Context, examples: Artifact, anomalies: Anomalies, made: Output[Artifact]
    ) -> Summary:
        own = replace(context, config=make(context.config))
        return train(own, Transformed(examples.path), Output(made.path)).summary

    return step(
        name,
        trained,
        {"examples": examples, "anomalies": Anomalies},
        made,
        lambda config: Trainer.reads(make(config)),
        valid=lambda artifact, base_path: is_zipfile(artifact / "model.keras"),
    )
