"""`tfmtl transform`: newer logs as examples that a trained model reads."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import (
    LOG,
    BeamOptions,
    Overrides,
    RunDirectory,
    existing_directory,
    logging_to,
    make_console,
    output_directory,
)
from pipelines.execution import beam_options


def transform(
    run: RunDirectory,
    data: Annotated[Path, typer.Option(metavar="PATH", help="Directory of the newer logs.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where the examples go.")],
    grow_vocabularies: Annotated[
        bool,
        typer.Option(
            "--grow-vocabularies",
            help="Give new values ids; tfmtl.extended makes a model for them.",
        ),
    ] = False,
    beam: BeamOptions = "",
    changes: Overrides = None,
) -> None:
    """Turn newer logs into examples for a run's pushed model, to train it on in Keras."""
    existing_directory(data, "--data")
    console = make_console()
    target = output_directory(output)
    with logging_to(target / LOG), beam_options(beam):
        from pipelines.finetuning.finetune import transform as transform_logs

        result, model = transform_logs(run, data, target, changes or (), console, grow_vocabularies)
    console.print(f"\nmodel    {model}", soft_wrap=True)
    console.print(f"examples {result.steps['Transform'].artifact}", soft_wrap=True)
