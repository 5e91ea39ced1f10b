"""The embedded server beside one that does nothing and the one that is written first."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import grpc

from benchmarks.figures import Bar, Row
from benchmarks.serving_of import workload
from benchmarks.serving_of.load import METHOD, Answered, Load, write_requests
from benchmarks.serving_of.processes import Clients, Server, clients, server, tfmtl_serve

NOOP, NAIVE, EMBEDDED = "no-op", "naive", "embedded"
CLIENTS = (1, 8)
LEAST_SHARE = {1: 0.33, 100: 0.28}
"""Requests a second that the embedded server should reach, of the no-op's, by rows."""
MOST_MS_ABOVE = 3.0

Case = tuple[str, int, int]
"""Server, rows, clients."""


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Sends the same requests to all servers in turns; figures are medians over the rounds."""
    rounds, seconds = (3, 1.0) if quick else (7, 3.0)
    version = work / "run" / "serving" / workload.MODEL / "1"
    workload.export(version, seed=1)
    for rows in workload.BATCHES:
        write_requests(work / f"requests-{rows}.json", workload.requests(rows, 32))
    with ExitStack() as stack:
        servers = _servers(work, version, stack)
        sender = stack.enter_context(clients(work / "clients.log"))
        cases = [
            (kind, rows, count)
            for rows in workload.BATCHES
            for count in CLIENTS
            for kind in (NOOP, NAIVE, EMBEDDED)
        ]
        dict(_round(sender, servers, cases, work, 0.5))  # the first requests allocate and optimise
        found = [dict(_round(sender, servers, cases, work, seconds)) for _ in range(rounds)]
    failures = {
        text for answers in found for answer in answers.values() for text in answer.failures
    }
    if failures:
        raise RuntimeError(f"requests failed: {failures}")
    return _rows(found, cases), _bars(found)


def _servers(work: Path, version: Path, stack: ExitStack) -> dict[tuple[str, int], Server]:
    """A server by kind and rows; one no-op for each size of answer."""
    embedded = stack.enter_context(server(tfmtl_serve(work / "run"), work / "embedded.log"))
    command = [sys.executable, "-m", "benchmarks.serving_of.naive", str(version)]
    naive = stack.enter_context(server(command, work / "naive.log"))
    servers = {}
    for rows in workload.BATCHES:
        answer = work / f"answer-{rows}"
        with grpc.insecure_channel(embedded.address) as channel:
            answer.write_bytes(channel.unary_unary(METHOD)(workload.requests(rows, 1)[0]))
        command = [sys.executable, "-m", "benchmarks.serving_of.noop", str(answer)]
        noop = stack.enter_context(server(command, work / f"noop-{rows}.log"))
        servers |= {(NOOP, rows): noop, (NAIVE, rows): naive, (EMBEDDED, rows): embedded}
    return servers


def _round(
    sender: Clients,
    servers: dict[tuple[str, int], Server],
    cases: list[Case],
    work: Path,
    seconds: float,
) -> Iterator[tuple[Case, Answered]]:
    for kind, rows, count in cases:
        address = servers[kind, rows].address
        requests = str(work / f"requests-{rows}.json")
        yield (kind, rows, count), sender.send(Load(address, requests, count, seconds))


def _rows(found: list[dict[Case, Answered]], cases: list[Case]) -> list[Row]:
    rows = []
    for kind, size, count in cases:
        answers = [answers[kind, size, count] for answers in found]
        name = f"{kind}, {size} rows, {count} clients"
        rows += [
            Row(name, median(answer.rate for answer in answers), "requests/s"),
            Row(name, median(answer.p50 for answer in answers), "ms p50"),
            Row(name, median(answer.p99 for answer in answers), "ms p99"),
        ]
    return rows


def _bars(found: list[dict[Case, Answered]]) -> list[Bar]:
    bars = []
    for rows, least in LEAST_SHARE.items():
        share = median(a[EMBEDDED, rows, 8].rate / a[NOOP, rows, 8].rate for a in found)
        bars.append(Bar(f"requests/s of the no-op's, {rows} rows, 8 clients", least, share))
    for rows in workload.BATCHES:
        above = median(a[EMBEDDED, rows, 1].p99 - a[NOOP, rows, 1].p99 for a in found)
        name = f"p99 above the no-op's, {rows} rows, 1 client, ms"
        bars.append(Bar(name, MOST_MS_ABOVE, above, at_most=True))
    return bars
