"""`tfmtl rollback`: an earlier version is served again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.commands.common import RunDirectory, make_console, served_models
from pipelines.components.base import PipelineError

ModelName = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Which model, where there are several."),
]


def rollback(
    run: RunDirectory,
    model: ModelName = None,
    to: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Version to go back to. Default: the one before."),
    ] = None,
) -> None:
    """Serve an earlier version again: a copy of it becomes the next one, which TF Serving takes.

    The version that is left stays on disk, and `tfmtl run` does not push its model again.
    """
    from serving.pushing.rollback import roll_back

    base_path = only_model(run, model)
    try:
        done = roll_back(base_path, to)
    except ValueError as error:
        raise PipelineError(str(error)) from None
    console = make_console()
    console.print(
        f"rolled back from version {done.withdrawn} to {done.to}: version {done.version} of "
        f"{base_path.name} is a copy of version {done.to}",
        soft_wrap=True,
    )
    console.print(f"serving  {base_path / str(done.version)}", soft_wrap=True)


def only_model(run: Path, name: str | None) -> Path:
    """Base path of the model that is meant.

    Args:
        run: the run's directory.
        name: the model's, needed where the run has pushed several.
    """
    models = served_models(run, name, "--model")
    if len(models) > 1:
        raise typer.BadParameter(
            f"{run} has pushed several models, name one: {', '.join(models)}", param_hint="--model"
        )
    return next(iter(models.values()))


def print_rollback(console: Console, base_path: Path, version: int) -> None:
    """Says that a version was rolled back, if it was."""
    from serving.pushing.manifest import read_manifest
    from serving.pushing.versions import latest, pushed_last

    served = latest(base_path)
    if served is None or served == version or pushed_last(base_path) != version:
        return
    to = read_manifest(base_path / str(served))["rolled_back"]["to"]
    console.print(
        f"rolled back since: version {served}, a copy of version {to}, is served", soft_wrap=True
    )
