"""One component of the pipeline, run by itself on the artifacts of a run's directory.

It is the runner of `tfmtl run` with the component and what lies before it, whose artifacts must be
there already: the same cache, the same metadata store, the same result.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from pipelines.artifacts import Hyperparameters
from pipelines.caching.explaining import explain
from pipelines.components.base import Component, PipelineError
from pipelines.runner import SERVING, run
from pipelines.session import Step
from tfmtl.config import Config

_EVERY_TIME = ("it runs every time",)


def run_step(
    name: str,
    steps: Sequence[Component],
    config: Config,
    data: Path,
    output: Path,
    console: Console | None = None,
    published: Mapping[str, str] | None = None,
) -> Step:
    """Runs one component.

    Args:
        name: the component's.
        steps: those of the whole pipeline.
        config: the whole configuration.
        data: directory of the raw files.
        output: the run's directory.
        console: where progress is shown; stdout if it is not given.
        published: as for `pipelines.runner.run`; what other components make is left alone.

    Returns:
        What the component did.

    Raises:
        PipelineError: there is no such component, or an artifact it reads is absent, damaged or
            made from something else.
    """
    target = next((step for step in steps if step.name == name), None)
    if target is None:
        names = ", ".join(step.name for step in steps)
        raise PipelineError(f"there is no component {name} in this pipeline; there is {names}")
    before = upstream(target, steps)
    for found in explain(before, config, data, output, output / SERVING):
        if found.state == "runs" and found.reasons != _EVERY_TIME:
            raise PipelineError(
                f"{name} needs the artifact of {found.component}, which has to run first: "
                f"{found.reasons[0]}; tfmtl step {found.component}"
            )
    own = {
        place: source
        for place, source in (published or {}).items()
        if source.partition("/")[0] == target.produces
    }
    result = run((*before, target), config, data, output, console, own)
    return result.steps[name]


def upstream(component: Component, steps: Sequence[Component]) -> tuple[Component, ...]:
    """The steps that a component's artifact comes from, in their order.

    What was found by a search counts for all that follow it, for it changes their configuration.
    """
    before = list(steps)[: list(steps).index(component)]
    needed = {*component.consumes, Hyperparameters.name}
    found = []
    for step in reversed(before):
        if step.produces in needed:
            needed |= set(step.consumes)
            found.append(step)
    return tuple(reversed(found))
