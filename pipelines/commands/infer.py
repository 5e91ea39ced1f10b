"""`tfmtl infer`: a pushed model's answers for a whole table, as Parquet."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import (
    LOG,
    BeamOptions,
    RunDirectory,
    logging_to,
    make_console,
    served_models,
)
from pipelines.components.base import PipelineError
from pipelines.console.progress import Display
from pipelines.console.tally import Tally
from pipelines.execution import beam_options
from pipelines.failures import is_disk_full, one_line
from pipelines.storage.directories import replacing

SUMMARY = "summary.json"


def infer(
    run: RunDirectory,
    data: Annotated[
        Path, typer.Option(metavar="PATH", help="The rows: a file, a directory or a glob.")
    ],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the answers go; earlier ones are replaced.")
    ],
    outputs: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Among scores,top_k,user_vectors,item_vectors. Default: scores where the rows "
            "have items, else top_k.",
        ),
    ] = "",
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=1, help="Items for each row of top_k.")
    ] = None,
    exclude_seen: Annotated[
        bool,
        typer.Option(
            "--exclude-seen",
            help="Leave out what users had: in the run's log, and in the rows' histories.",
        ),
    ] = False,
    keep: Annotated[
        str, typer.Option(metavar="NAMES", help="Columns of the rows to copy to the answers.")
    ] = "",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model, where DIR has several.")
    ] = None,
    beam: BeamOptions = "",
) -> None:
    """Ask a run's newest pushed model about a whole table: scores, best items, vectors."""
    models = served_models(run, name)
    if len(models) > 1:
        raise typer.BadParameter(f"{run} has {', '.join(models)}; choose one", param_hint="--name")
    (base_path,) = models.values()
    if output.exists() and not _replaceable(output):
        raise typer.BadParameter(
            f"{output} holds other things than answers; choose another directory",
            param_hint="--output",
        )
    console = make_console()
    with logging_to(run / LOG), beam_options(beam):
        from pipelines.inference.answering import Question
        from pipelines.inference.asking import asked_by_options, rows_of, told
        from pipelines.inference.inferring import infer as answer
        from pipelines.preprocess.writing import write_json
        from serving.pushing.versions import latest, newest_model
        from tfmtl.models.saved import load_config

        home, display, tally = newest_model(base_path), Display(console), Tally()
        assert home is not None
        config = load_config(home)
        spec = asked_by_options(config, data, _named(outputs), top_k, exclude_seen, _named(keep))
        try:
            with replacing(output) as made, display.running("BulkInferrer", tally) as progress:
                rows = rows_of(config, spec, Path())
                seen = run / "artifacts" / "transformed"
                known = seen if spec.exclude_seen and seen.is_dir() else None
                summary = answer(Question(spec, home, known), rows, made, progress)
                version = {"model": base_path.name, "version": latest(base_path)}
                write_json({**version, **summary}, made / SUMMARY)
        except OSError as error:
            if is_disk_full(error):
                raise
            raise PipelineError(one_line(error)) from error
    summary |= told(summary)
    display.line("BulkInferrer", "done", summary["headline"], "green")
    display.below(summary["lines"])
    console.print()
    for part in spec.outputs:
        console.print(f"{part:<13} {output / part}", soft_wrap=True)


def _replaceable(output: Path) -> bool:
    """Whether a directory is empty, or holds answers."""
    return output.is_dir() and ((output / SUMMARY).is_file() or not any(output.iterdir()))


def _named(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
