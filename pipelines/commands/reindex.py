"""`tfmtl reindex`: the served model with a new catalogue, without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipelines.commands.common import LOG, Overrides, RunDirectory, logging_to, make_console
from pipelines.commands.rollback import ModelName, only_model
from pipelines.console.progress import Display
from pipelines.console.tally import Tally

if TYPE_CHECKING:
    from pipelines.reindexing.reindex import Reindexed

_BELOW = "serving."
_FIXED = ("serving.name", "serving.variants")


def reindex(
    run: RunDirectory,
    items: Annotated[
        Path, typer.Option(metavar="FILE", help="The items there are now, columns as in training.")
    ],
    model: ModelName = None,
    changes: Overrides = None,
) -> None:
    """Push the served model with a new catalogue and index; nothing is trained.

    New items are placed by their features. --set changes keys below serving, such as
    serving.index.kind=inverted_file.
    """
    if not items.exists():
        raise typer.BadParameter(f"there is no file {items}", param_hint="--items")
    for change in changes or ():
        _check_change(change)
    base_path, console = only_model(run, model), make_console()
    tally = Tally()
    with logging_to(run / LOG), Display(console).running("reindex", tally) as progress:
        from pipelines.reindexing.reindex import reindex as push

        done = push(base_path, items, changes or (), progress)
    _print(console, base_path, items, done)


def _check_change(change: str) -> None:
    key = change.partition("=")[0]
    if not key.startswith(_BELOW) or key.startswith(_FIXED):
        raise typer.BadParameter(
            f"{key} is of the model, which stays as it is; only keys below serving can be set, "
            "such as serving.index.kind=inverted_file",
            param_hint="--set",
        )


def _print(console: Console, base_path: Path, items: Path, done: "Reindexed") -> None:
    from serving.index.describing import described

    change = done.change
    lines = [
        f"{change.items:,} items in {items}: {change.new:,} new, {change.gone:,} of those served "
        "before gone"
    ]
    if done.duplicates:
        lines.append(f"{done.duplicates:,} rows repeat the key of another; the {done.kept} counts")
    if done.index:
        lines.append(described(done.index))
    lines.append(
        f"pushed as version {done.version} of {base_path.name}, with the model of version "
        f"{done.before}"
    )
    lines.append(f"serving  {base_path / str(done.version)}")
    for line in lines:
        console.print(line, soft_wrap=True)
