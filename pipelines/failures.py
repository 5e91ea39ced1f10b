"""What goes wrong outside the code: a full disk, an interruption; each as one line."""

import errno
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pipelines.components.base import PipelineError
from tfmtl.config import ConfigError


class InterruptedRunError(PipelineError):
    """Someone stopped the run: Ctrl-C or SIGTERM."""


def one_line(error: BaseException | str) -> str:
    """The message without its line breaks; the error's type where there is no message."""
    text = " ".join(str(error).split())
    return text or type(error).__name__


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that no space is left.

    TensorFlow, SQLite and Beam wrap the system's error in their own; the words survive.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(seen, sqlite3.OperationalError) and "disk is full" in str(seen):
            return True
        if "No space left on device" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def disk_full(directory: Path) -> PipelineError:
    """The error of a full disk, with what to do."""
    try:
        left = f"{shutil.disk_usage(directory).free / 1e6:,.0f} MB are left, "
    except OSError:
        left = ""
    return PipelineError(
        f"the disk is full: {left}free space at {directory.resolve()} and run again; "
        "finished steps are kept"
    )


def explained(component: str, error: BaseException, output: Path) -> Exception:
    """What went wrong in a component as the user should see it: one line that says what to do.

    Args:
        component: its name.
        error: what it raised.
        output: the run's directory.
    """
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError(
            f"interrupted in {component}; finished steps are kept, "
            "the same command goes on from there"
        )
    if is_disk_full(error):
        return disk_full(output)
    if isinstance(error, PipelineError | ConfigError):
        return type(error)(f"{component}: {one_line(error)}")
    if isinstance(error, OSError):
        return PipelineError(f"{component}: {one_line(error)}")
    return PipelineError(
        f"{component}: unexpected {type(error).__name__}: {one_line(error)} "
        "(TFMTL_DEBUG=1 shows where)"
    )


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Lets SIGTERM do what Ctrl-C does, so that nothing half-made stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
