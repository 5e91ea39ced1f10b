"""Components of the user's own: read from Python files, put behind what they read.

# my_components.py, named in the configuration: pipeline: {components: [my_components.py]}
@component()
def Calibration(context: Context, evaluation: Evaluation, seen: Output[Seen]) -> Summary: ...
"""

import importlib.util
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.components.base import Component
from pipelines.failures import one_line
from tfmtl.config import ConfigError


def with_own(steps: Sequence[Component], files: Iterable[str]) -> tuple[Component, ...]:
    """The steps with the components of some files, each right behind the last of what it reads.

    One that reads nothing comes first. Those that would come to the same place keep the order in
    which they are defined.

    Args:
        steps: the library's steps.
        files: Python files.

    Raises:
        ConfigError: a file that cannot be read or has no component, or a component that has no
            place: what it reads is made by none, or its name or artifact is another's.
    """
    placed, waiting = list(steps), [made for file in files for made in read_components(Path(file))]
    own = list(waiting)
    for made in own:
        others = [*steps, *own[: own.index(made)]]
        _check_names(made, others)
    while waiting:
        known = {step.produces for step in placed}
        ready = [made for made in waiting if known.issuperset(made.consumes)]
        if not ready:
            first = waiting[0]
            missing = next(name for name in first.consumes if name not in known)
            raise ConfigError(
                f"{_where(first)}: {first.name} reads '{missing}', which no component before it "
                f"makes; there are {', '.join(sorted(known))}"
            )
        _insert(placed, ready[0], own)
        waiting.remove(ready[0])
    return tuple(placed)


def _insert(placed: list[Component], made: Component, own: Sequence[Component]) -> None:
    needed = [place for place, step in enumerate(placed) if step.produces in made.consumes]
    place = max(needed, default=-1) + 1
    while place < len(placed) and placed[place] in own:
        place += 1
    placed.insert(place, made)


def _check_names(made: Component, others: Sequence[Component]) -> None:
    for other in others:
        if other.name == made.name:
            raise ConfigError(
                f"{_where(made)}: there is a component {made.name} already; give it another name"
            )
        if other.produces == made.produces:
            raise ConfigError(
                f"{_where(made)}: {made.name} makes '{made.produces}', which {other.name} makes "
                "already; define an artifact class of another name"
            )


def read_components(file: Path) -> list[Component]:
    """The components that a Python file defines, in their order.

    The file may import modules that lie beside it.

    Raises:
        ConfigError: one line about the file.
    """
    where = f"pipeline.components: {file}"
    if not file.is_file():
        raise ConfigError(f"{where}: there is no such file; paths are relative to the config's")
    name = f"tfmtl_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{where}: expected a Python file, as in my_components.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{where}{_line(file, error)}: {_said(error)}") from error
    found = [
        made
        for made in vars(module).values()
        if isinstance(made, Component) and made.function.__module__ == name
    ]
    if not found:
        raise ConfigError(
            f"{where}: expected a function decorated with @component(), there is none"
        )
    return found


def _line(file: Path, error: Exception) -> str:
    """Where in the file it went wrong: `, line 3`."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f", line {lines[-1]}" if lines else ""


def _said(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"not Python: {error.msg}"
    return (
        one_line(error)
        if isinstance(error, TypeError | ConfigError)
        else (f"{type(error).__name__}: {one_line(error)}")
    )


def _where(made: Component) -> str:
    return f"pipeline.components: {made.function.__code__.co_filename}"
