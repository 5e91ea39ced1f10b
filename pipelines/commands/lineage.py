"""`tfmtl lineage`: what made an artifact and what was made from it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import run_directory
from pipelines.metadata import lineage as follow
from pipelines.metadata import reading
from pipelines.metadata.finding import find, run_directory_of
from pipelines.metadata.tree import tree
from pipelines.runner import METADATA


def lineage(
    place: Annotated[
        Path,
        typer.Argument(metavar="DIR|PATH", help="A run's directory, or a path in one: DIR/model."),
    ],
    artifact: Annotated[
        str | None,
        typer.Argument(help="A name: model, pushed; a number: 12; a version: serving/shop/3."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the graph as JSON.")] = False,
) -> None:
    """Print what made an artifact and what was made from it, down to files, config and commit."""
    directory, wanted = _meant(place, artifact)
    with reading(directory / METADATA) as reader:
        graph = follow(reader, find(reader, directory, wanted))
    if as_json:
        print(json.dumps(graph.as_json(), indent=2))
        return
    for line in tree(graph):
        print(line)


def _meant(place: Path, artifact: str | None) -> tuple[Path, str]:
    """The run's directory and the artifact's name or path."""
    if artifact is not None:
        return run_directory(place), artifact
    if (place / METADATA).is_file():
        raise typer.BadParameter(
            f"{place} is a run's directory; name an artifact of it: model, pushed, ...",
            param_hint="ARTIFACT",
        )
    directory = run_directory_of(place, METADATA)
    if directory is None:
        raise typer.BadParameter(
            f"{place} lies in no run's directory; give DIR and ARTIFACT", param_hint="DIR|PATH"
        )
    return directory, str(place)
