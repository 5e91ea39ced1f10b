"""What a component is: a function whose signature says what it reads and what it makes.

    @component(reads=lambda config: config.training.model_dump(mode="json"))
    def Trainer(context: Context, transformed: Transformed, model: Output[Model]) -> Summary:
        (model.path / "model.keras").write_bytes(...)
        return {"headline": "3 epochs"}

`Trainer` is then a `Component`. It can still be called, and pipelines/pipeline.py has its place.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Protocol, get_args, get_origin, get_type_hints

from pipelines.artifacts import Artifact, Output
from tfmtl.config import Config, TableSource

Summary = dict[str, Any]
"""What a component says about its work: plain JSON data, kept in the metadata store. `headline` is
printed on the component's line, `lines` below it."""


RawTables = Callable[[Config], Iterable[TableSource]]
"""Gives the tables of raw files that a component reads."""


class PipelineError(RuntimeError):
    """A run that cannot go on. One line: what was expected, what came, what to do."""


class Progress(Protocol):
    """Where a component reports how far it has come."""

    def __call__(self, done: int, total: int | None, unit: str, note: str = "") -> None:
        """Shows `done` of `total` (None: unknown) rows, examples or files, and a short note."""


@dataclass(frozen=True)
class Context:
    """What the runner hands every component, beside the artifacts its signature names.

    Attributes:
        config: the whole configuration.
        data: directory that the configuration's paths are relative to.
        run: the run's own directory.
        serving: directory of the pushed models, `serving/NAME/VERSION`.
        progress: callback for the live line.
        work: directory for what is to survive a kill, the same one when the step is run again from
            the same inputs; made by the step if it needs one, removed when the step is done.
    """

    config: Config
    data: Path
    run: Path
    serving: Path
    progress: Progress
    work: Path | None = None


@dataclass(frozen=True)
class Component:
    """One step of the pipeline, as `component` makes it.

    Attributes:
        function: does the work. Raises `PipelineError` when the run cannot go on.
        inputs: class of each artifact it reads, by the function's parameter.
        output: the function's parameter for what it makes.
        artifact: class of what it makes.
        reads: the parts of the configuration that decide its result, as plain data; a change of
            anything else does not run it again.
        raw: reads the data directory too: the tables of `source`, or those that a function of the
            configuration gives.
        cached: may be skipped when nothing it reads has changed.
        valid: whether an artifact made earlier still holds, for one that speaks of something
            outside itself. Receives the artifact and the base path of the served model, whose
            versions are its directories.
    """

    function: Callable[..., Summary]
    inputs: Mapping[str, type[Artifact]]
    output: str
    artifact: type[Artifact]
    reads: Callable[[Config], Any]
    raw: bool | RawTables = False
    cached: bool = True
    valid: Callable[[Path, Path], bool] = lambda artifact, base_path: True

    @property
    def name(self) -> str:
        """The component's name, which is the function's, as TFX has it: `Transform`."""
        return self.function.__name__

    @property
    def produces(self) -> str:
        """Name of its artifact, a directory under `artifacts/`."""
        return self.artifact.name

    @property
    def consumes(self) -> tuple[str, ...]:
        """Names of the artifacts it reads."""
        return tuple(made.name for made in self.inputs.values())

    def tables(self, config: Config) -> Iterable[TableSource]:
        """The tables of raw files that it reads."""
        if callable(self.raw):
            return self.raw(config)
        return config.source.tables.values() if self.raw else ()

    def __call__(self, *arguments: Any, **named: Any) -> Summary:
        """Calls the function as it is written."""
        return self.function(*arguments, **named)

    def execute(self, context: Context, artifacts: Path, output: Path) -> Summary:
        """Calls the function with the artifacts of a directory.

        Args:
            context: the first argument.
            artifacts: where each artifact it reads lies by its name.
            output: empty directory to write to.

        Returns:
            What the component says about its work.

        Raises:
            PipelineError: the run cannot go on, or the function returned something else.
        """
        inputs = {name: made(artifacts / made.name) for name, made in self.inputs.items()}
        summary = self.function(context, **inputs, **{self.output: Output(output)})
        if not isinstance(summary, dict):
            raise PipelineError(
                f"expected a Summary, a dict such as {{'headline': 'done'}}, to be returned, "
                f"got {type(summary).__name__}"
            )
        return summary


def whole(config: Config) -> Any:
    """All that decides a result: what a component reads that does not name its part."""
    return config.model_dump(mode="json", exclude={"pipeline"})


def component(
    *,
    reads: Callable[[Config], Any] = whole,
    raw: bool | RawTables = False,
    cached: bool = True,
    valid: Callable[[Path, Path], bool] = lambda artifact, base_path: True,
) -> Callable[[Callable[..., Summary]], Component]:
    """Makes a component of a function, whose signature says what it reads and makes.

    The function's first parameter is the `Context`; the others are the artifacts it reads, such as
    `examples: Examples`, and one `Output[...]` for what it makes. The arguments here are those of
    `Component`.

    Raises:
        TypeError: the signature says something else. The line names function and parameter.
    """

    def make(function: Callable[..., Summary]) -> Component:
        inputs, output, artifact = _interface(function)
        return Component(function, inputs, output, artifact, reads, raw, cached, valid)

    return make


def _interface(
    function: Callable[..., Summary],
) -> tuple[dict[str, type[Artifact]], str, type[Artifact]]:
    """What a function reads by parameter, the parameter of what it makes, and that one's class."""
    name = f"component {function.__name__}"
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise TypeError(f"{name}: {error} in its signature; import it") from None
    parameters = list(signature(function).parameters.values())
    if not parameters or hints.get(parameters[0].name) is not Context:
        raise TypeError(f"{name}: its first parameter should be annotated as Context")
    inputs: dict[str, type[Artifact]] = {}
    outputs: dict[str, type[Artifact]] = {}
    for parameter in parameters[1:]:
        hint = hints.get(parameter.name)
        made = get_args(hint)[0] if get_origin(hint) is Output else hint
        where = f"{name}, parameter {parameter.name}"
        if not (isinstance(made, type) and issubclass(made, Artifact) and made is not Artifact):
            raise TypeError(
                f"{where}: expected an artifact class, or Output[...] of one, "
                f"got {'no annotation' if hint is None else _told(hint)}"
            )
        if parameter.kind is not Parameter.POSITIONAL_OR_KEYWORD or (
            parameter.default is not Parameter.empty
        ):
            raise TypeError(f"{where}: expected a plain parameter without a default")
        if made.name in {other.name for other in (*inputs.values(), *outputs.values())}:
            raise TypeError(f"{where}: another parameter is '{made.name}' already")
        (inputs if made is hint else outputs)[parameter.name] = made
    if len(outputs) != 1:
        raise TypeError(
            f"{name}: expected one parameter annotated as Output[...], got {len(outputs)}"
        )
    ((output, artifact),) = outputs.items()
    return inputs, output, artifact


def _told(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
