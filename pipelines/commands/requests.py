"""Requests to a model server, read from files of JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import typer


def read_request(source: str) -> dict[str, Any]:
    """One request: an object {input: value or list}.

    Args:
        source: A file; `-` for standard input.

    Raises:
        typer.BadParameter: It cannot be read, or holds something else.
    """
    return _request(_content(source, "--json"), source, "--json")


def read_requests(source: str) -> list[dict[str, Any]]:
    """Requests, one a line.

    Args:
        source: A file of JSON lines; `-` for standard input.

    Raises:
        typer.BadParameter: It cannot be read, holds something else or nothing.
    """
    lines = _content(source, "--rows").splitlines()
    found = [
        _request(line, f"{source} line {number}", "--rows")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise typer.BadParameter(
            f"{source}: expected a request a line, got none", param_hint="--rows"
        )
    return found


def _content(source: str, option: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{source}: {error.strerror}", param_hint=option) from None


def _request(content: bytes, where: str, option: str) -> dict[str, Any]:
    try:
        inputs = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{where}: not JSON: {error}", param_hint=option) from None
    if not isinstance(inputs, dict):
        raise typer.BadParameter(
            f"{where}: expected an object {{input: value or list}}, got {type(inputs).__name__}",
            param_hint=option,
        )
    return inputs
