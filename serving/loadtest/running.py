"""Runs a load test with several processes, as one interpreter cannot drive a fast server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from serving.errors import ServingError
from serving.loadtest.plan import Plan
from serving.loadtest.results import Measured, Result

_LEAD_SECONDS = 0.1
_END_SECONDS = 5.0

Worker = subprocess.Popen[str]


def run(plan: Plan, processes: int | None = None) -> Result:
    """Sends requests for as long as a plan says.

    Args:
        plan: What is sent.
        processes: How many send at most; one for each processor when None.

    Returns:
        What was measured; when it is interrupted, what was measured until then.

    Raises:
        ServingError: INVALID_ARGUMENT for a plan that cannot be run, INTERNAL when a process ended
            before its time.
    """
    shares = plan.checked().shares(processes or os.cpu_count() or 1)
    workers = [_started() for _ in shares]
    interrupted = False
    answers: list[Future[str]] = []
    try:
        with ThreadPoolExecutor(len(workers)) as pool:
            try:
                _begin(workers, shares)
                answers = [pool.submit(_line, worker) for worker in workers]
                wait(answers, plan.seconds + plan.timeout + _END_SECONDS)
            except KeyboardInterrupt:
                interrupted = True
            _end(workers)
            wait(answers, _END_SECONDS)
            _kill(workers)
        return _merged(plan, [answer.result() for answer in answers], interrupted)
    finally:
        _kill(workers)


def _started() -> Worker:
    # In a session of its own: the terminal's Ctrl-C ends the test, not the measuring of its end.
    return subprocess.Popen(
        [sys.executable, "-m", "serving.loadtest.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _begin(workers: Sequence[Worker], shares: Sequence[Plan]) -> None:
    """Hands out the plans and, when all processes are connected, the time to start."""
    for worker, share in zip(workers, shares, strict=True):
        _tell(worker, share.to_json())
    for worker in workers:
        _line(worker)
    start = time.monotonic() + _LEAD_SECONDS
    for worker in workers:
        _tell(worker, repr(start))


def _tell(worker: Worker, line: str) -> None:
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # its end is seen where its answer is read
        worker.stdin.write(f"{line}\n")
        worker.stdin.flush()


def _line(worker: Worker) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline()


def _end(workers: Sequence[Worker]) -> None:
    """Ends the test, by the end of the processes' input."""
    for worker in workers:
        assert worker.stdin is not None
        with suppress(BrokenPipeError):
            worker.stdin.close()


def _kill(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.kill()
        worker.wait()


def _merged(plan: Plan, answers: Sequence[str], interrupted: bool) -> Result:
    total = Result({load.signature: Measured() for load in plan.loads}, interrupted=interrupted)
    for answer in answers:
        if answer:
            total.merge(Result.from_json(json.loads(answer)))
        elif not interrupted:
            raise ServingError("INTERNAL", "a process of the load test ended before its time")
    return total
