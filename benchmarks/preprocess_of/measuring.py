"""CPU time and memory of a command and all its processes."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Used:
    """What a command took.

    Attributes:
        cpu_seconds: user and system time of its processes.
        peak_mb: most resident memory (RSS, in 10^6 bytes) of any of its processes.
    """

    cpu_seconds: float
    peak_mb: float


def used(command: Sequence[str | Path], log: Path, environment: Mapping[str, str] = {}) -> Used:
    """Runs a command to its end.

    Args:
        command: what to run.
        log: file for its output.
        environment: variables set for it.

    Raises:
        RuntimeError: it failed.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{last}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def median(values: Sequence[float]) -> float:
    """The middle one of some figures."""
    return float(np.median(values))
