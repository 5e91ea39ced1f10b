"""Servers and clients, each in a process of its own that ends with the benchmark."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.serving_of.load import Answered, Load


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        address: `host:port`.
        process: Its process number.
    """

    address: str
    process: int

    def resident_mb(self) -> float:
        """Its memory (RSS), in 10^6 bytes."""
        for line in Path(f"/proc/{self.process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("the server has ended")


def tfmtl_serve(run: Path, *options: str) -> list[str]:
    """The command of the embedded server over a run's directory, on a free port."""
    tfmtl = str(Path(sys.executable).with_name("tfmtl"))
    return [tfmtl, "serve", str(run), "--backend", "embedded", "--port", "0", *options]


@contextmanager
def server(command: Sequence[str], log: Path) -> Iterator[Server]:
    """Starts a server, waits for its line `ready HOST:PORT`, and ends it.

    Args:
        command: What to run.
        log: File for its messages.

    Raises:
        RuntimeError: It ended before it was ready.
    """
    with _process(command, log) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("ready "):
                yield Server(line.split()[1], process.pid)
                return
        raise RuntimeError(f"{' '.join(command)} ended early:\n{log.read_text()[-2000:]}")


class Clients:
    """The process of `benchmarks.serving_of.load`."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def start(self, load: Load) -> None:
        """Begins to send."""
        assert self._process.stdin
        print(json.dumps(asdict(load)), file=self._process.stdin, flush=True)

    def answered(self) -> Answered:
        """Waits for the end of what was started."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the clients ended early")
        return Answered(**json.loads(line))

    def send(self, load: Load) -> Answered:
        """Sends a load and waits for its end."""
        self.start(load)
        return self.answered()


@contextmanager
def clients(log: Path) -> Iterator[Clients]:
    """Starts the process of the clients, and ends it."""
    with _process([sys.executable, "-m", "benchmarks.serving_of.load"], log) as process:
        yield Clients(process)


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with log.open("w") as messages:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            env=environment,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
