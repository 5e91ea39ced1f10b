"""Components that do next to nothing, so that what is left is the runner's work."""

from pathlib import Path

from pipelines.artifacts import Artifact, Output
from pipelines.components.base import Component, Context, Summary, component


class _First(Artifact):
    name = "step_0"


@component(reads=lambda config: config.training.model_dump(mode="json"), raw=True)
def First(context: Context, made: Output[_First]) -> Summary:
    return _write(made.path)


def chain(length: int) -> list[Component]:
    """Components of which each reads what the one before has made."""
    steps, before = [First], First.artifact
    for number in range(1, length):
        after = type(f"Step{number}", (Artifact,), {"name": f"step_{number}"})
        steps.append(_step(number, before, after))
        before = after
    return steps


def _step(number: int, before: type[Artifact], after: type[Artifact]) -> Component:
    def step(context: Context, read, made) -> Summary:  # type: ignore[no-untyped-def]
        return _write(made.path)

    step.__name__ = f"Step{number}"
    step.__annotations__ = {"context": Context, "read": before, "made": Output[after]}
    return component(reads=lambda config: config.training.model_dump(mode="json"))(step)


def _write(directory: Path) -> Summary:
    (directory / "rows.txt").write_text("a row")
    return {"headline": "a row"}
