"""One run at a time in a directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.components.base import PipelineError


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keeps a second run out of the directory; the system frees the lock of a killed one."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise PipelineError(
                f"{output} is in use by another run (process {file.read().strip() or '?'}); "
                "wait for it, or choose another --output"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
