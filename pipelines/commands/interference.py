"""`tfmtl interference`: whether tasks and scenarios help or hurt one another."""

from pathlib import Path
from typing import Annotated

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
    output_directory,
)
from pipelines.execution import beam_options
from pipelines.interference.checks import check


def interference(
    config: ConfigName,
    data: Annotated[
        Path, typer.Option(metavar="PATH", help="Directory the config's paths are relative to.")
    ] = Path(),
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to. Default: out/NAME/interference."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=10, help="Train every model with so many seeds.")
    ] = 1,
    scenarios: Annotated[
        bool,
        typer.Option("--scenarios", help="Train a model of each scenario's rows alone, too."),
    ] = False,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="NAME", help="Train only this task alone. Repeatable."),
    ] = None,
    reuse: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A run whose data steps are used. Default: out/NAME."),
    ] = None,
    beam: BeamOptions = "",
    changes: Overrides = None,
) -> None:
    """Train the joint model and single-task ones beside it: what sharing brings, what to split."""
    wanted = load_config(config, changes)
    existing_directory(data, "--data")
    if reuse is not None:
        existing_directory(reuse, "--reuse")
    check(wanted, task, scenarios)
    run = Path("out") / wanted.name
    runs = [path for path in (reuse or run,) if path.is_dir()]
    target = output_directory(output or run / "interference")
    console = make_console()
    with logging_to(target / LOG), beam_options(beam):
        from pipelines.interference.study import PAGE, study
        from pipelines.interference.text import show

        found = study(wanted, data, target, seeds, task, scenarios, console, runs)
    console.print()
    show(console, found)
    console.print(f"\nreport   {target / PAGE}", soft_wrap=True)
