"""`tfmtl step`: one component of the pipeline, as an orchestrator's container runs it."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
import yaml

from pipelines.commands.common import (
    LOG,
    BeamOptions,
    Overrides,
    existing_directory,
    load_config,
    logging_to,
    make_console,
    output_directory,
)
from pipelines.commands.run import finish
from pipelines.execution import beam_options
from pipelines.runner import SERVING
from tfmtl.config import Config, ConfigError, parse


def step(
    component: Annotated[
        str, typer.Argument(metavar="COMPONENT", help="The component's name: Transform.")
    ],
    config: Annotated[
        str | None, typer.Option(metavar="CONFIG", help="YAML file, or a shipped one's name.")
    ] = None,
    config_text: Annotated[
        str | None,
        typer.Option(metavar="YAML", help="The configuration itself, in place of a file."),
    ] = None,
    data: Annotated[
        Path, typer.Option(metavar="PATH", help="Directory the config's paths are relative to.")
    ] = Path(),
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's directory. Default: out/NAME.")
    ] = None,
    beam: BeamOptions = "",
    changes: Overrides = None,
) -> None:
    """Run one component on the artifacts of a run's directory; those before it must be there.

    A component whose inputs have not changed is skipped. The Pusher exits with 3 when nothing was
    pushed.
    """
    wanted = _config(config, config_text, changes)
    existing_directory(data, "--data")
    target = output_directory(output or Path("out") / wanted.name)
    console = make_console()
    with logging_to(target / LOG), beam_options(beam):
        from pipelines.kubeflow.stepping import run_step
        from pipelines.pipeline import PUBLISHED, components
        from pipelines.report import write_report

        try:
            done = run_step(component, components(wanted), wanted, data, target, console, PUBLISHED)
        finally:
            with suppress(OSError):
                write_report(target)
    if done.artifact.name == "pushed":
        raise typer.Exit(finish(target, target / SERVING, console))


def _config(name: str | None, text: str | None, changes: list[str] | None) -> Config:
    if (name is None) == (text is None):
        raise typer.BadParameter("give one of --config and --config-text", param_hint="--config")
    if name is not None:
        return load_config(name, changes)
    if changes:
        raise typer.BadParameter("changes a --config, not a --config-text", param_hint="--set")
    try:
        raw = yaml.safe_load(text or "")
    except yaml.YAMLError as error:
        raise ConfigError(f"--config-text: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"--config-text: expected keys and values, got {type(raw).__name__}")
    return parse(raw, "--config-text")
