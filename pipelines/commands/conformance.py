"""`tfmtl conformance`: whether a model server answers as TF Serving does."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.commands.addresses import check_address
from pipelines.commands.common import logging_to, make_console

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim"}


def conformance(
    address: Annotated[
        str | None, typer.Argument(metavar="[HOST:PORT]", help="A model server's gRPC port.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="A model it serves; the reference model has most.")
    ] = "reference",
    rest: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Its REST port; else REST is left out.")
    ] = None,
    reload: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The models.config it runs with: also send it other ones, and this at last.",
        ),
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM that its certificate is checked by.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP", help="Only cases of this group: rest. Repeatable."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the reference model there, and do nothing else."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the verdicts there too.")
    ] = None,
) -> None:
    """Send a model server requests good and bad; exits with 1 if an answer is not TF Serving's."""
    console = make_console()
    if export is not None:
        _export(export, console)
        return
    if address is None:
        raise typer.BadParameter(
            "expected a server's address, or --export DIR", param_hint="HOST:PORT"
        )
    check_address(address)
    if rest is not None:
        check_address(rest, "--rest")
    from serving.conformance.cases import CASES
    from serving.conformance.running import run
    from serving.conformance.target import Target

    cases = [case for case in CASES if not only or case.group in only]
    if not cases:
        groups = ", ".join(dict.fromkeys(case.group for case in CASES))
        raise typer.BadParameter(f"expected one of {groups}", param_hint="--only")
    config = None if reload is None else _config(reload)
    certificates = None if tls_ca is None else _read(tls_ca, "--tls-ca")
    with Target(address, model, rest, config, certificates) as target:
        verdicts = list(run(target, cases))
    _show(console, verdicts)
    counted = Counter(verdict.outcome for verdict in verdicts)
    if json_file is not None:
        json_file.write_text(json.dumps(_plain(verdicts), indent=2), encoding="utf-8")
    if counted["failed"]:
        raise typer.Exit(1)


def _export(directory: Path, console: Console) -> None:
    from serving.conformance.reference import NAME, export
    from serving.deploy import IMAGE

    with logging_to(Path(os.devnull)):
        config = export(directory)
    flags = (
        "--port=8500 --rest_api_port=8501 "
        f"--model_config_file={config} --allow_version_labels_for_unavailable_models"
    )
    home = config.parent
    ports = "-p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501"
    for line in (
        f"model     {home / NAME}",
        f"config    {config}",
        f"binary    tensorflow_model_server {flags}",
        f"docker    docker run --rm {ports} -v {home}:{home}:ro "
        f"--entrypoint=tensorflow_model_server {IMAGE} {flags}",
        f"then      tfmtl conformance 127.0.0.1:8500 --rest 127.0.0.1:8501 --reload {config}",
    ):
        console.print(line, soft_wrap=True)


def _config(path: Path) -> Any:
    from google.protobuf import text_format

    from serving.protocol import ModelServerConfig

    try:
        text = _read(path, "--reload").decode()
        return text_format.Parse(text, ModelServerConfig())
    except (ValueError, text_format.ParseError) as error:
        problem = " ".join(str(error).split())
        raise typer.BadParameter(
            f"{path}: expected a ModelServerConfig as text, got {problem}", param_hint="--reload"
        ) from None


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint=option) from None


def _show(console: Console, verdicts: list[Any]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for verdict in verdicts:
        outcome = Text(verdict.outcome, _STYLES[verdict.outcome])
        table.add_row(outcome, Text(verdict.case.name), Text(verdict.problem))
    console.print(table)
    for verdict in verdicts:
        if verdict.outcome == "failed":
            case = verdict.case
            console.print(f"\n{case.name}", style="bold", soft_wrap=True)
            for label, text in (
                ("expected", case.expected),
                ("got", verdict.problem),
                ("source", case.source),
            ):
                console.print(f"  {label:9}{text}", soft_wrap=True)
    counted = Counter(verdict.outcome for verdict in verdicts)
    line = ", ".join(f"{counted[name]} {name}" for name in _STYLES if counted[name])
    console.print(f"\n{line}", style="bold")


def _plain(verdicts: list[Any]) -> list[dict[str, str]]:
    return [
        {
            "case": verdict.case.name,
            "outcome": verdict.outcome,
            "expected": verdict.case.expected,
            "problem": verdict.problem,
            "source": verdict.case.source,
        }
        for verdict in verdicts
    ]
