"""`tfmtl run --explain`: for every step, why it would run or not. Nothing runs, nothing is written.

cached    the artifact that is there is the one that would be made
runs      the step would make it anew, for the reasons named
follows   a step before it runs; if that one's result is another, this one runs too
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.artifacts import Hyperparameters
from pipelines.caching.planning import ARTIFACTS, Planner, check_owner
from pipelines.components.base import Component, PipelineError
from pipelines.storage.directories import read_marker
from pipelines.tuner import best
from tfmtl.config import Config, ConfigError

State = Literal["cached", "runs", "follows"]

_STYLES: dict[State, str] = {"cached": "cyan", "runs": "green", "follows": "yellow"}
_NAME_WIDTH = 16
_MOST = 8


@dataclass(frozen=True)
class Explained:
    """What would become of a step.

    Attributes:
        component: the component's name.
        state: what would be done.
        reasons: why.
    """

    component: str
    state: State
    reasons: tuple[str, ...]


def explain(
    components: Sequence[Component],
    config: Config,
    data: Path,
    output: Path,
    serving: Path,
) -> list[Explained]:
    """Says for every step what a run would do about it; arguments as `pipelines.runner.run`.

    Raises:
        PipelineError: the directory holds another configuration's run.
    """
    check_owner(config, output)
    planner = Planner(data, output, serving)
    found: list[Explained] = []
    unsettled: dict[str, str] = {}
    for component in components:
        artifact = output / ARTIFACTS / component.produces
        plan = planner.plan(component, config, _inputs(component, output, unsettled))
        waits = dict.fromkeys(
            maker
            for name, maker in unsettled.items()
            if name in component.consumes or name == Hyperparameters.name
        )
        if plan.reasons:
            found.append(Explained(component.name, "runs", plan.reasons))
        elif waits:
            reason = f"runs if {' or '.join(waits)} comes to another result"
            found.append(Explained(component.name, "follows", (reason,)))
        else:
            found.append(Explained(component.name, "cached", ()))
        if plan.reasons or waits:
            unsettled[component.produces] = component.name
        if component.artifact is Hyperparameters and artifact.exists():
            with suppress(PipelineError, ConfigError):
                config = best.apply(config, artifact)  # of the last search, till the next
    return found


def print_explained(found: Sequence[Explained], console: Console) -> None:
    """Prints a line for every step, and one for each reason."""
    running = sum(step.state == "runs" for step in found)
    following = sum(step.state == "follows" for step in found)
    maybe = f", {following} may" if following else ""
    console.print(f"{running} of {len(found)} steps would run{maybe}")
    grid = Table.grid(padding=(0, 1))
    for _ in range(2):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for step in found:
        shown = [*step.reasons[:_MOST], *_more(len(step.reasons) - _MOST)]
        state = Text(step.state, _STYLES[step.state])
        grid.add_row("  " + step.component.ljust(_NAME_WIDTH), state, Text("\n".join(shown)))
    console.print(grid)


def _inputs(component: Component, output: Path, unsettled: Mapping[str, str]) -> dict[str, str]:
    """Identities of what a step reads; of what may be made anew, that of the last time."""
    made = read_marker(output / ARTIFACTS / component.produces)
    last = made.parts.get("inputs", {}) if made else {}
    consumed: dict[str, str] = {}
    for name in component.consumes:
        there = read_marker(output / ARTIFACTS / name)
        settled = there is not None and name not in unsettled
        consumed[name] = there.identity if there and settled else last.get(name, "")
    return consumed


def _more(count: int) -> list[str]:
    return [f"and {count} more"] if count > 0 else []
