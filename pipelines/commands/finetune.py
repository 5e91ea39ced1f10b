"""`tfmtl finetune`: a trained model learns on from newer data, a new task or a new scenario."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import (
    LOG,
    BeamOptions,
    Overrides,
    RunDirectory,
    existing_directory,
    load_config,
    logging_to,
    make_console,
    output_directory,
    served_models,
)
from pipelines.commands.run import finish
from pipelines.execution import beam_options
from pipelines.runner import SERVING


def finetune(
    run: RunDirectory,
    config: Annotated[
        str, typer.Option(metavar="CONFIG", help="File or name; what the tuned model shall be.")
    ],
    data: Annotated[Path, typer.Option(metavar="PATH", help="Directory of the logs.")] = Path(),
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The tuning's own directory. Default: DIR/finetuned."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the config's.")] = None,
    freeze_tables: Annotated[
        bool, typer.Option("--freeze-tables", help="Leave the embedding tables as they are.")
    ] = False,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART", help="Leave a part as it is: trunk, towers/click. Repeatable."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-9, help="Of the dense layers. Default: the config's.")
    ] = None,
    keep_vocabularies: Annotated[
        bool, typer.Option("--keep-vocabularies", help="Values that are new stay unknown.")
    ] = False,
    beam: BeamOptions = "",
    changes: Overrides = None,
) -> None:
    """Fine-tune a run's model, evaluate it and push the next version if it is blessed."""
    wanted = load_config(config, changes)
    existing_directory(data, "--data")
    served_models(run, wanted.served_name, "--config")
    console = make_console()
    target = output_directory(output or run / "finetuned")
    with logging_to(target / LOG), beam_options(beam):
        from pipelines.finetuning.finetune import finetune as tune

        parts = [*(freeze or []), *(["tables"] if freeze_tables else [])]
        grow = not keep_vocabularies
        tune(run, wanted, data, target, epochs, parts, learning_rate, console, grow)
    raise typer.Exit(finish(target, run / SERVING, console))
