"""What several commands share: the console, configurations by name, directories of runs."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipelines.execution import parsed
from pipelines.runner import METADATA
from tfmtl.config import Config, ConfigError, load

LOG = "run.log"
SHIPPED = Path(__file__).resolve().parent.parent / "configs"

_WIDTH_OF_LOGS = 120

RunDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory of a run, as `tfmtl run --output` made it.")
]
ConfigName = Annotated[
    str, typer.Argument(metavar="CONFIG", help="YAML file, or the name of a shipped one: shop.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key: training.epochs=1. Repeatable."),
]


def _checked(line: str) -> str:
    try:
        parsed(line)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return line


BeamOptions = Annotated[
    str,
    typer.Option(
        "--beam-options",
        metavar="OPTIONS",
        callback=_checked,
        help="How Beam runs the data steps: '--runner=FlinkRunner ...'; see docs/beam.md.",
    ),
]


def make_console() -> Console:
    """The console on stdout; in a file or a pipe lines may be longer than a terminal's."""
    return Console(
        highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDTH_OF_LOGS
    )


def load_config(name: str, overrides: list[str] | None = None) -> Config:
    """Reads a configuration.

    Args:
        name: a file, or the bare name of a shipped configuration.
        overrides: `key=value` pairs.

    Raises:
        ConfigError: one line.
    """
    shipped = SHIPPED / f"{name}.yaml"
    if not Path(name).is_file() and Path(name).suffix not in (".yaml", ".yml"):
        if Path(name).name != name or not shipped.is_file():
            names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
            raise ConfigError(f"config {name}: there is no such file; shipped are {names}")
        return load(shipped, overrides or ())
    return load(name, overrides or ())


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Sends what libraries write to stderr into a file, by descriptor as C++ code ignores Python's.

    TensorFlow and Beam have much to say, in the midst of the progress display.

    Args:
        path: log file; lines are added to it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with path.open("a", encoding="utf-8") as log:
            os.dup2(log.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)


def existing_directory(path: Path, option: str) -> Path:
    """The path, if a directory lies there."""
    if not path.is_dir():
        problem = "is a file" if path.exists() else "does not exist"
        raise typer.BadParameter(f"directory {path} {problem}", param_hint=option)
    return path


def output_directory(path: Path) -> Path:
    """The path as a directory that exists."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"directory {path} cannot be made: {error.strerror}", param_hint="--output"
        ) from None
    return path


def run_directory(path: Path) -> Path:
    """The path, if a run has left its records there."""
    if not (existing_directory(path, "DIR") / METADATA).is_file():
        raise typer.BadParameter(
            f"{path} holds no run; `tfmtl run CONFIG --output {path}` makes one", param_hint="DIR"
        )
    return path


def read_evaluation(run: Path) -> dict[str, Any]:
    """The metrics and the verdict of a run."""
    path = existing_directory(run, "DIR") / "evaluation.json"
    if not path.is_file():
        raise typer.BadParameter(
            f"{run} holds no evaluation.json; `tfmtl run CONFIG --output {run}` makes it",
            param_hint="DIR",
        )
    try:
        evaluation = json.loads(path.read_bytes())
        if isinstance(evaluation, dict):
            return evaluation
        problem = "it holds no object"
    except ValueError as error:
        problem = str(error)
    raise typer.BadParameter(
        f"{path} is damaged, {problem}; the run's command writes it anew", param_hint="DIR"
    )


def served_models(run: Path, name: str | None = None, asked_by: str = "--name") -> dict[str, Path]:
    """Base path of each model a run has pushed, by name.

    Args:
        run: the run's directory.
        name: only this model.
        asked_by: the option that names it.
    """
    existing_directory(run, "DIR")
    found = {
        path.name: path
        for path in sorted((run / "serving").glob("*"))
        if path.is_dir() and any(child.name.isdigit() for child in path.iterdir())
    }
    if not found:
        raise typer.BadParameter(
            f"{run} holds no pushed model; `tfmtl run CONFIG --output {run}` pushes one that "
            "passes its gate",
            param_hint="DIR",
        )
    if name is not None and name not in found:
        raise typer.BadParameter(
            f"there is no model '{name}' in {run}/serving; there is {', '.join(found)}",
            param_hint=asked_by,
        )
    return found if name is None else {name: found[name]}
