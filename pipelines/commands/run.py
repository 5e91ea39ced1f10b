"""`tfmtl run`: the whole pipeline, from raw logs to a pushed model."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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
from pipelines.commands.rollback import print_rollback
from pipelines.commands.verdict import print_metrics, print_rows, print_verdict
from pipelines.components.base import PipelineError
from pipelines.execution import beam_options
from pipelines.runner import SERVING
from pipelines.storage.directories import read_json

NOT_BLESSED = 3


def run(
    config: ConfigName,
    data: Annotated[
        Path, typer.Option(metavar="PATH", help="Directory the config's paths are relative to.")
    ] = Path(),
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's directory. Default: out/NAME.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=2, help="Train in so many processes on this machine.")
    ] = None,
    beam: BeamOptions = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say which steps would run, and why.")
    ] = False,
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the run is a part of, for its records.")
    ] = None,
    changes: Overrides = None,
) -> None:
    """Run the pipeline: logs in, a blessed model out. Exits with 3 when the gate says no.

    Steps whose inputs have not changed are skipped, also after an interrupted run.
    """
    if workers is not None:
        strategy = ["training.strategy=multi_worker", f"training.workers={workers}"]
        changes = [*(changes or []), *strategy]
    wanted = load_config(config, changes)
    existing_directory(data, "--data")
    console, target = make_console(), output or Path("out") / wanted.name
    if explain:
        from pipelines.caching.explaining import explain as explain_steps
        from pipelines.caching.explaining import print_explained
        from pipelines.pipeline import components

        steps = components(wanted)
        print_explained(explain_steps(steps, wanted, data, target, target / SERVING), console)
        return
    target = output_directory(target)
    try:
        with logging_to(target / LOG), beam_options(beam):
            from pipelines.pipeline import PUBLISHED, components
            from pipelines.runner import run as run_components

            steps = components(wanted)
            run_components(steps, wanted, data, target, console, PUBLISHED, experiment=experiment)
    except PipelineError:
        from pipelines.report import write_report

        with suppress(OSError):
            write_report(target)
        raise
    raise typer.Exit(finish(target, target / SERVING, console))


def finish(output: Path, serving: Path, console: Console) -> int:
    """Prints what came of a run and where it lies.

    Args:
        output: the run's directory.
        serving: where it pushed its model to.
        console: where to print.

    Returns:
        The exit code: 0 for a model that was pushed, 3 for one that was not.
    """
    from pipelines.report import write_report

    report = write_report(output)
    evaluation = read_json(output / "evaluation.json")
    pushed = read_json(output / "artifacts" / "pushed" / "pushed.json")
    console.print()
    print_rows(console, output)
    console.print()
    print_metrics(console, evaluation)
    blessed = print_verdict(console, evaluation, pushed)
    if blessed:
        print_rollback(console, serving / pushed["name"], pushed["version"])
    console.print()
    places = {"report": report, "model": output / "model"}
    if blessed:
        places["serving"] = serving / pushed["name"] / str(pushed["version"])
    for name, path in places.items():
        console.print(f"{name:<8} {path}", soft_wrap=True)
    return 0 if blessed else NOT_BLESSED
