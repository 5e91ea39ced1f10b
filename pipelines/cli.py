"""The command line `tfmtl`. Expected errors are one line on stderr, never a traceback.

Exit codes: 0 done, 1 could not be done, as with bad data, 2 bad usage or configuration, 3 the model
was not blessed, 130 interrupted. `TFMTL_DEBUG=1` shows the traceback of an error.
"""

import os
import sys
from collections.abc import Sequence

import typer

import serving
from pipelines.commands import (
    compile,
    config,
    conformance,
    crossval,
    demo,
    doctor,
    evaluate,
    finetune,
    infer,
    interference,
    lineage,
    loadtest,
    promote,
    query,
    reindex,
    report,
    rollback,
    run,
    runs,
    serve,
    simulate,
    step,
    transform,
)
from pipelines.components.base import PipelineError
from pipelines.failures import (
    InterruptedRunError,
    is_disk_full,
    one_line,
    terminated_as_interrupted,
)
from tfmtl.config import ConfigError

FAILED, USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="tfmtl",
    help="Multi-task, multi-scenario recommenders from behaviour logs to TF Serving.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    simulate.simulate,
    run.run,
    evaluate.evaluate,
    crossval.crossval,
    report.report,
    runs.runs,
    lineage.lineage,
    demo.demo,
    rollback.rollback,
    promote.promote,
    serve.serve,
    query.query,
    loadtest.loadtest,
    conformance.conformance,
    transform.transform,
    finetune.finetune,
    reindex.reindex,
    infer.infer,
    interference.interference,
    step.step,
    config.config,
    doctor.doctor,
):
    app.command()(command)
app.command("compile")(compile.compile_)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits.

    Args:
        arguments: the words after `tfmtl`; those of the process if not given.
    """
    code = _exit_code(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as in `| head`; the interpreter must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _exit_code(arguments: Sequence[str] | None) -> int:
    command = typer.main.get_command(app)
    words = None if arguments is None else list(arguments)
    try:
        with terminated_as_interrupted():
            code = command.main(words, prog_name="tfmtl", standalone_mode=False) or 0
    except Exception as error:
        if os.environ.get("TFMTL_DEBUG"):
            raise
        message, code = _explain(error)
        print(message, file=sys.stderr)
    else:
        if code == INTERRUPTED:
            print("tfmtl: interrupted", file=sys.stderr)
    return code


def _explain(error: Exception) -> tuple[str, int]:
    """An error as one line, and the exit code that belongs to it."""
    if isinstance(error, typer.TyperException):
        text = error.format_message()
        # Called without a command, it answers with the help, which is more than a line.
        return text if "\n" in text else f"tfmtl: {text}", error.exit_code
    if isinstance(error, InterruptedRunError):
        return f"tfmtl: {one_line(error)}", INTERRUPTED
    if isinstance(error, ConfigError):
        return f"tfmtl: {one_line(error)}", USAGE
    if isinstance(error, PipelineError | serving.ServingError):
        return f"tfmtl: {one_line(error)}", FAILED
    if is_disk_full(error):
        return f"tfmtl: the disk is full: {one_line(error)}; free space and try again", FAILED
    if isinstance(error, MemoryError):
        return f"tfmtl: memory is short: {one_line(error)}", FAILED
    if isinstance(error, OSError):
        return f"tfmtl: {one_line(error)}", FAILED
    unexpected = f"unexpected {type(error).__name__}: {one_line(error)}"
    return f"tfmtl: {unexpected} (TFMTL_DEBUG=1 shows where)", FAILED
