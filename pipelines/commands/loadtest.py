"""`tfmtl loadtest`: how many requests a model server answers a second, and how fast."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands.addresses import check_address
from pipelines.commands.connecting import (
    Label,
    Tls,
    TlsCa,
    TlsCert,
    TlsKey,
    TlsName,
    Version,
    check_target,
    encryption,
)
from pipelines.commands.requests import read_request, read_requests

if TYPE_CHECKING:
    from serving.loadtest.results import Result

_ASKING_SECONDS = 5.0
"""What it may take to ask for the model's signatures, which is not measured."""
_INTERRUPTED = 130


def loadtest(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="A model server.")],
    model: Annotated[str, typer.Option(help="The model's name on the server.")],
    signature: Annotated[
        list[str], typer.Option(help="What is asked; may be repeated, then they take turns.")
    ],
    json_file: Annotated[
        list[str] | None,
        typer.Option(
            "--json", metavar="FILE", help="One request, as of tfmtl query; one a signature."
        ),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="In place of --json: a request a line, sent in turns."),
    ] = None,
    clients: Annotated[int, typer.Option(min=1, help="Requests under way at once.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long requests are sent.")] = 10.0,
    requests: Annotated[
        int | None, typer.Option(min=1, help="How many are sent at most; any number by default.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Requests a second that are due whether or not the server keeps up; without it, "
            "each client sends when it was answered.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds a request may take.")] = 5.0,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes that send; one a processor by default.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON; - is stdout.")
    ] = None,
    version: Version = None,
    label: Label = None,
    tls: Tls = False,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_name: TlsName = None,
) -> None:
    """Send many requests to a model server; print requests a second, latencies and errors."""
    check_address(address)
    check_target(version, label)
    asked = _asked(signature, json_file or [], rows or [])
    encrypted = encryption(tls, tls_ca, tls_cert, tls_key, tls_name)
    import serving
    from serving import loadtest as testing
    from serving.client.connection import Address

    with serving.Client(
        address, model, max(timeout, _ASKING_SECONDS), version=version, label=label, tls=encrypted
    ) as client:
        loads = [testing.encoded(client, name, sent) for name, sent in asked]
    result = testing.run(
        testing.Plan(
            Address(address, encrypted, retries=0), loads, clients, seconds, requests, rate, timeout
        ),
        processes or os.cpu_count() or 1,
    )
    _show(result, rate, output)
    if result.interrupted:
        raise typer.Exit(_INTERRUPTED)


def _asked(
    signatures: Sequence[str], files: Sequence[str], rows: Sequence[str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The requests of each signature."""
    if bool(files) == bool(rows):
        raise typer.BadParameter(
            "expected --json or --rows, got " + ("both" if files else "neither"),
            param_hint="--json",
        )
    sources = files or rows
    if len(sources) != len(signatures):
        raise typer.BadParameter(
            f"expected one for each --signature, got {len(sources)} for {len(signatures)}",
            param_hint="--json" if files else "--rows",
        )
    sent = [[read_request(file)] for file in files] or [read_requests(file) for file in rows]
    return list(zip(signatures, sent, strict=True))


def _show(result: "Result", rate: float | None, output: Path | None) -> None:
    figures = result.figures()
    written = json.dumps(figures, indent=2)
    if str(output) == "-":
        print(written)
        return
    if output is not None:
        from serving.pushing.durable import replace_text

        replace_text(output, written + "\n")
    from rich.console import Console
    from rich.table import Table

    table = Table("signature", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for head in ("requests", "a second", "p50 ms", "p90 ms", "p99 ms", "max ms", "errors"):
        table.add_column(head, justify="right")
    for name, found in figures["signatures"].items():
        times = (found[f"{time}_ms"] for time in ("p50", "p90", "p99", "max"))
        table.add_row(
            name,
            str(found["requests"]),
            f"{found['per_second']:,.1f}",
            *("" if time is None else f"{time:,.2f}" for time in times),
            str(sum(found["errors"].values())),
        )
    console = Console(width=120, highlight=False)
    console.print(table)
    for name, found in figures["signatures"].items():
        for code, count in found["errors"].items():
            console.print(f"{name}: {count} {code}", markup=False)
    if result.unsent:
        console.print(
            f"{result.unsent} more requests were due at {rate:g} a second, but all clients were "
            "waiting: more --clients, or the server cannot keep up"
        )
    if result.interrupted:
        console.print(f"interrupted after {result.seconds:.1f} s")
