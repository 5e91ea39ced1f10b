"""`tfmtl query`: one request to a model server, the answer as JSON."""

import json
import math
from typing import Annotated, Any

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
from pipelines.commands.requests import read_request


def query(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="A model server.")],
    model: Annotated[str, typer.Option(help="The model's name on the server.")],
    signature: Annotated[
        str | None,
        typer.Option(help="rank, rank_rows, retrieve, recommend, or any that the model has."),
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="{input: value or list}, null is missing; {examples: [rows]} for classify and "
            "regress; - is stdin.",
        ),
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Print what the signature, or each, takes and gives.")
    ] = False,
    version: Version = None,
    label: Label = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds the call may take.")] = 5.0,
    tls: Tls = False,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_name: TlsName = None,
) -> None:
    """Ask a model server for one prediction; input and answer are JSON, null is missing."""
    check_address(address)
    check_target(version, label)
    inputs = None if describe else _inputs(signature, json_file)
    encrypted = encryption(tls, tls_ca, tls_cert, tls_key, tls_name)
    import serving
    from serving.client import describe as described

    with serving.Client(
        address, model, timeout, version=version, label=label, tls=encrypted
    ) as client:
        if inputs is not None:
            print(json.dumps(_plain(client.ask(str(signature), inputs))))
            return
        known = [client.metadata(signature)] if signature else client.signatures().values()
        print("\n\n".join(described(found) for found in known))


def _inputs(signature: str | None, json_file: str | None) -> dict[str, Any]:
    if signature is None:
        raise typer.BadParameter(
            "expected a signature, such as recommend; --describe shows all",
            param_hint="--signature",
        )
    if json_file is None:
        raise typer.BadParameter(
            "expected a file with the request; --describe shows what it takes", param_hint="--json"
        )
    return read_request(json_file)


def _plain(value: Any) -> Any:
    """What JSON has: lists for arrays, text instead of bytes, null instead of NaN."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if hasattr(value, "labels"):
        return {"labels": value.labels, "scores": _plain(value.scores)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
