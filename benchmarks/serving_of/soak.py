"""Half load for minutes while a new version is pushed every half minute."""

import time
from pathlib import Path

from benchmarks.figures import Bar, Row
from benchmarks.preprocess_of.measuring import median
from benchmarks.serving_of import workload
from benchmarks.serving_of.load import Load, write_requests
from benchmarks.serving_of.processes import Server, clients, server, tfmtl_serve
from serving.pushing.versions import push

CLIENTS = 8
SETTLED = 3
"""The swap after which memory should no longer grow."""
MOST_GROWTH = 1.05


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Finds what the server answers at most, then sends half of it."""
    seconds, every = (60.0, 6.0) if quick else (600.0, 30.0)
    base = work / "run" / "serving" / workload.MODEL
    workload.export(base / "1", seed=1)
    exports = [work / f"export-{seed}" for seed in (2, 3)]
    for seed, export in enumerate(exports, start=2):
        workload.export(export, seed)
    requests = work / "requests.json"
    # Of ten users nine ask for a single row: what is soaked is the server, not the processor.
    write_requests(requests, [*workload.requests(1, 36), *workload.requests(100, 4)])
    with (
        server(tfmtl_serve(work / "run"), work / "server.log") as serving,
        clients(work / "clients.log") as sender,
    ):
        sender.send(Load(serving.address, str(requests), CLIENTS, 2.0))
        most = sender.send(Load(serving.address, str(requests), CLIENTS, 5.0)).rate
        sender.start(Load(serving.address, str(requests), CLIENTS, seconds, rate=most / 2))
        memory = _swap(serving, base, exports, seconds, every)
        answered = sender.answered()
    settled = memory[SETTLED]
    rows = [
        Row("most", most, "requests/s"),
        Row("half load, answered", answered.rate, "requests/s"),
        Row("requests", answered.count, "answered"),
        Row("versions pushed", len(memory) - 1, "versions"),
        Row("half load", answered.p50, "ms p50"),
        Row("half load", answered.p99, "ms p99"),
        Row("slowest of all", answered.worst, "ms"),
        Row("memory before the first swap", memory[0], "MB"),
        Row(f"memory after swap {SETTLED}", settled, "MB"),
        Row("memory after the last swap", memory[-1], "MB"),
    ]
    rows += [Row(f"failed: {text}", count, "requests") for text, count in answered.failures.items()]
    return rows, [
        Bar("failed requests", 0, sum(answered.failures.values()), at_most=True),
        Bar(
            f"memory over that after swap {SETTLED}, its most",
            MOST_GROWTH,
            max(memory[SETTLED:]) / settled,
            at_most=True,
        ),
    ]


def _swap(
    serving: Server, base: Path, exports: list[Path], seconds: float, every: float
) -> list[float]:
    """Pushes versions in turns; the memory held between two pushes, one figure for each version."""
    ended = time.monotonic() + seconds
    memory = []
    for number in range(int(seconds / every)):
        if number:
            push(exports[number % len(exports)], base, keep=3)
        # Two versions are held while one takes the other's place: the second half is after that.
        until = min(ended, time.monotonic() + every)
        samples = []
        while (now := time.monotonic()) < until:
            if until - now < every / 2:
                samples.append(serving.resident_mb())
            time.sleep(0.2)
        memory.append(median(samples))
    return memory
