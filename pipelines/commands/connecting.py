"""Options of the commands that speak to a model server."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.client import TLS

Version = Annotated[
    int | None, typer.Option(min=0, help="A version of the model; the latest when not given.")
]
Label = Annotated[
    str | None, typer.Option(help="A label in place of a version, such as stable or canary.")
]
Tls = Annotated[bool, typer.Option("--tls", help="Encrypt, trusting the usual authorities.")]
TlsCa = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Encrypt, trusting this authority (PEM).")
]
TlsCert = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The client's own certificate (PEM).")
]
TlsKey = Annotated[Path | None, typer.Option(metavar="FILE", help="The key of --tls-cert (PEM).")]
TlsName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The name the server's certificate bears, if not its host."),
]


def encryption(
    tls: bool, ca: Path | None, certificate: Path | None, key: Path | None, name: str | None
) -> "TLS | None":
    """What the options say about encryption; None for a plain connection."""
    # Else gRPC writes lines of its own beside the error; it looks when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if not (tls or ca or certificate or key or name):
        return None
    from serving.client import TLS

    return TLS(ca=ca, certificate=certificate, key=key, server_name=name)


def check_target(version: int | None, label: str | None) -> None:
    """Refuses a version together with a label.

    Raises:
        typer.BadParameter: Both are given.
    """
    if version is not None and label is not None:
        raise typer.BadParameter("expected --version or --label, got both", param_hint="--label")
