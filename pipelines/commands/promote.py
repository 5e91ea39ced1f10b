"""`tfmtl promote`: labels that clients ask for, such as stable and canary."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipelines.commands.common import RunDirectory, make_console
from pipelines.commands.rollback import ModelName, only_model
from pipelines.commands.verdict import plain_table
from pipelines.components.base import PipelineError
from pipelines.console.figures import figure

_METRICS = 4
"""Tasks whose first metric is listed."""


def promote(
    run: RunDirectory,
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", min=1, help="Default: list the versions.")
    ] = None,
    model: ModelName = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Label that shall point to the version: stable, canary."),
    ] = None,
    remove: Annotated[str | None, typer.Option(metavar="NAME", help="Label to take away.")] = None,
    base_path: Annotated[
        str | None,
        typer.Option(
            "--base-path",
            metavar="PATH",
            help="The models' directory as the server sees it, as in a container. Default: DIR's.",
        ),
    ] = None,
) -> None:
    """Label a version, or list the versions with their labels.

    Labels stand in DIR/serving/models.config, which TF Serving reads with --model_config_file.
    """
    from serving.pushing.promotion import promote as point
    from serving.pushing.promotion import remove_label, served_versions

    if (version is None) != (label is None):
        missing, given = ("VERSION", "--label") if version is None else ("--label", "VERSION")
        raise typer.BadParameter(f"{given} needs {missing} beside it", param_hint=missing)
    if base_path is not None and not base_path.startswith("/"):
        raise typer.BadParameter(
            f"expected an absolute path, got {base_path}", param_hint="--base-path"
        )
    home, console = only_model(run, model), make_console()
    try:
        if remove is not None:
            left = remove_label(home, remove, base_path)
            console.print(f"label {remove} of {home.name} is gone; it was on version {left}")
        if version is not None and label is not None:
            served = served_versions(home)
            before = point(home, version, label, base_path)
            _print_promotion(console, home, label, version, before)
            if before is not None and before != version and version not in served:
                _print_order(console, version)
        _print_versions(console, home)
    except ValueError as error:
        raise PipelineError(str(error)) from None


def _print_promotion(
    console: Console, home: Path, label: str, version: int, before: int | None
) -> None:
    was = "" if before in (None, version) else f"; it was on version {before}"
    console.print(f"label {label} of {home.name} is on version {version}{was}", soft_wrap=True)


def _print_order(console: Console, version: int) -> None:
    """A running server takes a moved label only to a version that it has loaded."""
    console.print(
        f"version {version} was not served: a running server refuses to move a label to what it "
        f"has not loaded; give version {version} a new label first, and this one when that is "
        "served, or start the server anew",
        soft_wrap=True,
    )


def _print_versions(console: Console, home: Path) -> None:
    from serving.pushing.model_config import FILE
    from serving.pushing.promotion import describe

    described = describe(home)
    tasks = list(next((d.manifest["metrics"] for d in described if d.manifest.get("metrics")), {}))
    first = {task: _first_metric(described, task) for task in tasks[:_METRICS]}
    columns = [f"{task} {metric}" for task, metric in first.items()]
    table = plain_table("version", "labels", "pushed", *columns, "")
    for one in described:
        metrics = one.manifest.get("metrics", {})
        figures = (metrics.get(task, {}).get(metric) for task, metric in first.items())
        table.add_row(
            str(one.version),
            ", ".join(one.labels),
            one.manifest.get("pushed_at", "").replace("T", " ").removesuffix("+00:00"),
            *("" if value is None else figure(value) for value in figures),
            Text(one.damaged or _note(one.manifest)),
        )
    console.print(table)
    if (home.parent / FILE).is_file():
        console.print(f"\nlabels   {home.parent / FILE}", soft_wrap=True)


def _first_metric(described: list[Any], task: str) -> str:
    """The metric of a task that stands for it: the first that is no count."""
    metrics = next(d.manifest["metrics"][task] for d in described if d.manifest.get("metrics"))
    counts = ("rows", "positives")
    return next((name for name in metrics if name not in counts), next(iter(metrics)))


def _note(manifest: dict[str, Any]) -> str:
    rolled_back = manifest.get("rolled_back")
    if rolled_back is None:
        return "" if manifest else "no manifest"
    return f"rolled back from {rolled_back['from']} to {rolled_back['to']}"
