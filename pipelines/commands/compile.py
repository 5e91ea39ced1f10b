"""`tfmtl compile`: the pipeline for Kubeflow Pipelines."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import ConfigName, Overrides, load_config, logging_to, make_console


def compile_(
    config: ConfigName,
    output: Annotated[Path, typer.Option(metavar="FILE", help="YAML file to write.")] = Path(
        "pipeline.yaml"
    ),
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="Container image that holds tfmtl.")
    ] = "tfmtl:latest",
    volume: Annotated[
        str, typer.Option(metavar="NAME", help="Persistent volume claim that all steps mount.")
    ] = "tfmtl",
    mount: Annotated[
        str, typer.Option(metavar="PATH", help="Where the steps find the volume.")
    ] = "/mnt/tfmtl",
    data: Annotated[
        str, typer.Option(metavar="PATH", help="Directory of the logs on the volume.")
    ] = "data",
    run_directory: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The run's directory on the volume. Default: out/NAME."),
    ] = None,
    changes: Overrides = None,
) -> None:
    """Compile the pipeline for Kubeflow: each component a container that runs `tfmtl step`."""
    with logging_to(Path(os.devnull)):
        # Beam warns on stderr when it meets the Google packages that kfp brings.
        from pipelines.kubeflow.compiling import compile_pipeline
        from pipelines.pipeline import components

    wanted = load_config(config, changes)
    if output.suffix not in (".yaml", ".yml"):
        raise typer.BadParameter(f"expected a .yaml file, got {output}", param_hint="--output")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"directory {output.parent} does not exist", param_hint="--output")
    if not mount.startswith("/"):
        raise typer.BadParameter(f"expected an absolute path, got {mount}", param_hint="--mount")
    steps = components(wanted)
    home = mount.rstrip("/")
    temporary = output.with_name(f".{output.stem}.tmp{output.suffix}")
    try:
        compile_pipeline(
            wanted,
            steps,
            temporary,
            image,
            volume,
            mount,
            f"{home}/{data}",
            f"{home}/{run_directory or f'out/{wanted.name}'}",
        )
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    console = make_console()
    console.print(f"{output}: {len(steps)} steps of image {image}", soft_wrap=True)
    for name in wanted.pipeline.components:
        console.print(f"the image must hold {name} at this path", soft_wrap=True)
