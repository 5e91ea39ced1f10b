"""`tfmtl crossval`: a configuration measured in folds."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.common import (
    LOG,
    BeamOptions,
    ConfigName,
    Overrides,
    existing_directory,
    load_config,
    logging_to,
    make_console,
)
from pipelines.commands.verdict import plain_table
from pipelines.console.progress import Display
from pipelines.console.tally import Tally, duration
from pipelines.execution import beam_options


def crossval(
    config: ConfigName,
    data: Annotated[
        Path, typer.Option(metavar="PATH", help="Directory the config's paths are relative to.")
    ] = Path(),
    folds: Annotated[int, typer.Option(min=2, help="How many folds.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of the order in which rows are divided.")
    ] = 0,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Measure this task alone. Repeatable. Default: all."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the figures are written, too.")
    ] = None,
    beam: BeamOptions = "",
    changes: Overrides = None,
) -> None:
    """Measure a configuration in folds: each row is tested by a model that has not seen it.

    The rows are divided as Surprise divides them. The configuration's own split is not used, and
    there are no validation rows.
    """
    wanted = load_config(config, changes)
    existing_directory(data, "--data")
    if json is not None and not json.parent.is_dir():
        raise typer.BadParameter(f"directory {json.parent} does not exist", param_hint="--json")
    console = make_console()
    display = Display(console)

    def told(name: str, seconds: float, text: str) -> None:
        display.line(name, "done", f"{duration(seconds)}  {text}", "green")

    work = tempfile.TemporaryDirectory(prefix="tfmtl_crossval_")
    with work as place, logging_to(Path(place) / LOG), beam_options(beam):
        from pipelines.crossval.crossvalidation import CrossValidation, cross_validate

        validation = CrossValidation(wanted, data, Path(place), folds, seed, task)
        found = cross_validate(validation, folds, lambda name: display.running(name, Tally()), told)
    console.print()
    console.print(_table(found))
    console.print(f"\n{found['rows']:,} rows in {duration(found['seconds'])}")
    if json is not None:
        from pipelines.preprocess.writing import write_json

        write_json({"config": wanted.name, "seed": seed, **found}, json)


def _table(found: dict[str, Any]) -> Any:
    """A row a fold, then their mean and spread; a column a metric."""
    columns = [(task, m) for task, metrics in found["mean"].items() for m in metrics]
    table = plain_table("fold", "rows", *(f"{task} {metric}" for task, metric in columns))
    for number, fold in enumerate(found["folds"], start=1):
        own = [fold["tasks"][task][metric] for task, metric in columns]
        table.add_row(str(number), f"{fold['rows']:,}", *map(_figure, own))
    for name in ("mean", "spread"):
        table.add_row(name, "", *(_figure(found[name][task][m]) for task, m in columns))
    return table


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
