"""The requests of one signature that wait to be run together.

The thread of a batch's first request runs it for all; the others wait for it. So a batch needs no
thread of its own, and a request that finds no other costs next to nothing.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import grpc
import numpy as np

from serving.server.batching.joining import Feeds, joined, parted, rows_of
from serving.server.batching.parameters import BatchingParameters
from serving.server.status import StatusError, invalid_argument

Run = Callable[[Feeds, Sequence[str], float | None], list[np.ndarray]]
"""Runs arrays by tensor name for tensor names within seconds."""


class _Task(NamedTuple):
    """One request: its arrays, their rows and the end of its time on the monotonic clock."""

    feeds: Feeds
    rows: int
    deadline: float | None


class _Batch:
    """Requests that run together."""

    def __init__(self) -> None:
        self.tasks: list[_Task] = []
        self.rows = 0
        self.full = threading.Event()
        self.done = threading.Event()
        self.answers: list[list[np.ndarray]] = []
        self.error: BaseException | None = None

    def add(self, task: _Task) -> int:
        """Takes a request in; its place."""
        self.tasks.append(task)
        self.rows += task.rows
        return len(self.tasks) - 1


class BatchQueue:
    """Joins the requests of one signature.

    Args:
        run: What runs a batch.
        fetches: The tensor names every request asks for.
        parameters: Of batching.
        threads: How many batches run at once, shared with the other signatures of the model.

    Attributes:
        fetches: As given.
    """

    def __init__(
        self,
        run: Run,
        fetches: Sequence[str],
        parameters: BatchingParameters,
        threads: threading.Semaphore,
    ):
        self._run = run
        self.fetches = fetches
        self._parameters = parameters
        self._threads = threads
        self._lock = threading.Lock()
        self._open: _Batch | None = None
        self._waiting = 0

    def run(self, feeds: Feeds, timeout: float | None) -> list[np.ndarray]:
        """Runs a request together with those that wait; returns its own answers.

        Args:
            feeds: Arrays by tensor name.
            timeout: Seconds it may take; the longest of a batch counts.

        Raises:
            StatusError: INVALID_ARGUMENT when the request cannot be in a batch, UNAVAILABLE when
                too many batches wait, RESOURCE_EXHAUSTED when no time is left after the wait;
                FAILED_PRECONDITION when what is in a batch does not go together.
            tf.errors.OpError: The failure of the run, for all that are in it.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        batch, place = self._enter(_Task(feeds, rows_of(feeds), deadline))
        if place == 0:
            self._lead(batch)
        else:
            batch.done.wait()
        if batch.error is not None:
            raise batch.error
        return batch.answers[place]

    def _enter(self, task: _Task) -> tuple[_Batch, int]:
        most = self._parameters.max_batch_size
        if task.rows > most:
            raise invalid_argument(
                f"Task size {task.rows} is larger than maximum input batch size {most}"
            )
        with self._lock:
            batch = self._open
            if batch is None or batch.rows + task.rows > most:
                if self._waiting >= max(1, self._parameters.max_enqueued_batches):
                    raise StatusError(
                        grpc.StatusCode.UNAVAILABLE,
                        "The batch scheduling queue to which this task was submitted is full",
                    )
                if batch is not None:
                    batch.full.set()
                batch = self._open = _Batch()
                self._waiting += 1
            place = batch.add(task)
            if batch.rows == most:
                batch.full.set()
                self._open = None
            return batch, place

    def _lead(self, batch: _Batch) -> None:
        """Waits for more requests, then for a free place, during which more may come; runs all."""
        try:
            if self._parameters.batch_timeout_micros:
                batch.full.wait(self._parameters.batch_timeout_micros / 1e6)
            with self._threads:
                self._close(batch)
                batch.answers = self._process(batch.tasks)
        except BaseException as error:
            batch.error = error
        finally:
            batch.done.set()

    def _close(self, batch: _Batch) -> None:
        with self._lock:
            self._waiting -= 1
            if self._open is batch:
                self._open = None

    def _process(self, tasks: Sequence[_Task]) -> list[list[np.ndarray]]:
        timeout = _time_left(tasks)
        feeds = joined([task.feeds for task in tasks], self._parameters)
        values = self._run(feeds, self.fetches, timeout)
        return parted(values, [task.rows for task in tasks], rows_of(feeds))


def _time_left(tasks: Sequence[_Task]) -> float | None:
    """Seconds to the latest deadline; `None` when a request has none."""
    deadlines = [task.deadline for task in tasks if task.deadline is not None]
    if len(deadlines) < len(tasks):
        return None
    left = max(deadlines) - time.monotonic()
    if left <= 0:
        raise StatusError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Run() timeout exceeded while waiting in batching queue",
        )
    return left
