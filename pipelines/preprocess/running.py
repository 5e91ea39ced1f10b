"""Runs a Beam pipeline, where `pipelines.execution` says, and reports how far it has come.

A DoFn tells of its rows through a `RowCounter`, a small file of its own, and a thread of the caller
adds the files up. So progress works whether workers are threads, processes or other machines.
These share the directory, as they do all files between two steps of a pipeline.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

# Imported for its effect: it registers the coder of record batches.
from pipelines.components.base import Progress
from pipelines.execution import current_options
from pipelines.preprocess import coders as coders

_POLL_SECONDS = 0.2


class RowCounter:
    """Counts the rows one worker has done, where the runner's poller finds it.

    Args:
        directory: directory of the counters of one pipeline, made by `run`.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / uuid.uuid4().hex
        self._rows = 0

    def add(self, rows: int) -> None:
        """Adds rows to the count."""
        self._rows += rows
        self._path.write_text(str(self._rows), encoding="ascii")


def counters(work: Path) -> Path:
    """Directory of the row counters of a pipeline that works in `work`."""
    return work / "counters"


def run(
    build: Callable[[beam.Pipeline], None],
    work: Path,
    progress: Progress,
    total: int | None = None,
    note: str = "",
) -> None:
    """Builds a pipeline and runs it to its end.

    Args:
        build: adds the transforms to the pipeline.
        work: scratch directory; its counters are reset.
        progress: told about every 0.2 s how many rows are done.
        total: rows expected, where known.
        note: short text beside the count.
    """
    directory = counters(work)
    directory.mkdir(parents=True, exist_ok=True)
    for counter in directory.iterdir():
        counter.unlink()
    pipeline = beam.Pipeline(options=PipelineOptions(current_options()))
    build(pipeline)
    stopped = threading.Event()
    poller = threading.Thread(
        target=_poll, args=(directory, progress, total, note, stopped), daemon=True
    )
    logger = logging.getLogger("apache_beam")
    level = logger.level
    logger.setLevel(logging.ERROR)
    pool = pa.default_memory_pool()
    # Arrow's own pool keeps what is freed: at the peak, an eighth more memory.
    pa.set_memory_pool(pa.system_memory_pool())
    poller.start()
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:
        # Beam makes an error of its own of what stopped a step, Ctrl-C not excepted.
        if _is_interruption(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        stopped.set()
        poller.join()
        logger.setLevel(level)
        pa.set_memory_pool(pool)
    progress(_done(directory), total, "rows", note)


def _is_interruption(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _poll(
    directory: Path, progress: Progress, total: int | None, note: str, stopped: threading.Event
) -> None:
    done = 0
    while not stopped.wait(_POLL_SECONDS):
        # A counter that is being rewritten may be read empty: never go back.
        done = max(done, _done(directory))
        progress(done, total, "rows", note)


def _done(directory: Path) -> int:
    return sum(int(counter.read_text() or 0) for counter in directory.iterdir())
