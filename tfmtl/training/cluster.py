"""Workers on this machine: started, listened to, and ended together."""

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tfmtl.config import Config, ConfigError, dump
from tfmtl.training.artifact import Outcome
from tfmtl.training.errors import TrainingError
from tfmtl.training.watch import OnBatch, silent

_MODULE = "tfmtl.training.worker"
_SECONDS_TO_END = 20


def train_on_workers(
    config: Config,
    transformed: Path,
    output: Path,
    on_batch: OnBatch = silent,
    *,
    work: Path | None = None,
    logs: Path | None = None,
    base: Path | None = None,
) -> Outcome:
    """Trains a model in processes of their own.

    Without a TF_CONFIG there are `training.workers` of them, on free ports of the loopback
    interface; with one there is the one it names, and the others are started elsewhere. All end
    when one of them does not succeed, or when this process ends, even if it is killed.

    Args:
        config: the configuration, with the strategy `multi_worker`.
        transformed: Transform's artifact.
        output: where the model goes; written by the first worker.
        on_batch: told how far training has come.
        work: directory for the checkpoint.
        logs: directory of TensorBoard's files.
        base: a trained model to go on from.

    Raises:
        TrainingError: a worker could not go on; the reason of the first one that told any.
        ConfigError: the configuration asks what several workers cannot do.
    """
    with tempfile.TemporaryDirectory(prefix="tfmtl-workers-") as scratch, ExitStack() as stack:
        written = Path(scratch) / "config.yaml"
        written.write_text(dump(config), encoding="utf-8")
        places = {
            "--config": written,
            "--transformed": transformed,
            "--output": output,
            "--work": work,
            "--logs": logs,
            "--base": base,
        }
        words = [str(w) for place in places.items() if place[1] is not None for w in place]
        workers = [
            stack.enter_context(_Worker(number, words, environment))
            for number, environment in enumerate(_environments(config.training.workers))
        ]
        return _listen(workers, on_batch)


def _environments(workers: int) -> list[dict[str, str]]:
    """What tells each worker who it is."""
    if "TF_CONFIG" in os.environ:
        return [dict(os.environ)]
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(workers)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    return [
        os.environ
        | {
            "TF_CONFIG": json.dumps(
                {
                    "cluster": {"worker": addresses},
                    "task": {"type": "worker", "index": index},
                }
            )
        }
        for index in range(workers)
    ]


class _Worker:
    """A worker's process; leaving the block ends it, if it has not ended."""

    def __init__(self, number: int, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self.number = number
        command = [sys.executable, "-m", _MODULE, "--end-with-stdin", *words]
        # stderr is ours, and with it goes to the log of the run.
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def hear(self, heard: "queue.Queue[tuple[_Worker, dict[str, Any] | None]]") -> None:
        """Passes on what the worker says; None when it has ended."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library's word
            if isinstance(said, dict):
                heard.put((self, said))
        heard.put((self, None))


def _listen(workers: Sequence[_Worker], on_batch: OnBatch) -> Outcome:
    heard: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
    for worker in workers:
        threading.Thread(target=worker.hear, args=(heard,), daemon=True).start()
    outcome: Outcome | None = None
    at_work = len(workers)
    while at_work:
        worker, said = heard.get()
        if said is None:
            at_work -= 1
            code = worker.process.wait()
            if code:
                raise TrainingError(
                    f"worker {worker.number} of {len(workers)} ended with exit code {code}; the "
                    "others were ended, too, and the log tells why it did"
                )
        elif "error" in said:
            kind = ConfigError if said["kind"] == "config" else TrainingError
            raise kind(said["error"])
        elif "summary" in said:
            outcome = Outcome(said["summary"], said["anew"])
        elif "done" in said:
            on_batch(said["done"], said["total"], said["note"])
    if outcome is None:
        raise TrainingError(
            "TF_CONFIG names this machine as a worker other than the first, which alone runs the "
            f"pipeline; start it by `python -m {_MODULE}`"
        )
    return outcome
