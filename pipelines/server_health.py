"""What a machine offers for serving: TF Serving, Docker, free ports, tools for certificates."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

BINARY = "tensorflow_model_server"

_SECONDS = 10.0
_PORTS = {8500: "gRPC", 8501: "REST"}
# TensorFlow of the models; an older server may lack an operation that they have.
_TENSORFLOW = (2, 21)


class Finding(NamedTuple):
    """One finding; nothing here is needed, as the embedded server is always there.

    Attributes:
        name: What was looked at.
        ok: Whether it can be used.
        found: What is there.
        remedy: What it would bring, or what to do; empty when all is well.
    """

    name: str
    ok: bool
    found: str
    remedy: str


def look(image: str) -> Iterator[Finding]:
    """Looks for what serves models.

    Args:
        image: TF Serving's image that `tfmtl serve --backend docker` would run.
    """
    yield _binary()
    yield from _docker(image)
    yield from (_port(port, what) for port, what in _PORTS.items())
    yield _openssl()


def _binary() -> Finding:
    if shutil.which(BINARY) is None:
        remedy = "tfmtl serve uses the embedded server without it"
        return Finding(BINARY, False, "not on PATH", remedy)
    text = _said([BINARY, "--version"])
    if text is None:
        return Finding(BINARY, False, "does not tell its version", "install it anew")
    library = re.search(r"TensorFlow Library: (\d+)\.(\d+)", text)
    own = re.search(r"TensorFlow ModelServer: (\S+)", text)
    found = own[1] if own else "of an unknown version"
    if library and (int(library[1]), int(library[2])) < _TENSORFLOW:
        wanted = ".".join(map(str, _TENSORFLOW))
        remedy = f"older than TensorFlow {wanted}, which writes the models; install {wanted}"
        return Finding(BINARY, False, found, remedy)
    return Finding(BINARY, True, found, "")


def _docker(image: str) -> Iterator[Finding]:
    if shutil.which("docker") is None:
        remedy = "needed for tfmtl serve --backend docker only"
        yield Finding("docker", False, "not on PATH", remedy)
        return
    version = _said(["docker", "version", "--format", "{{.Server.Version}}"])
    if version is None:
        remedy = "start Docker, or join the group that may use it: for --backend docker only"
        yield Finding("docker", False, "its daemon does not answer", remedy)
        return
    yield Finding("docker", True, version.strip(), "")
    size = _said(["docker", "image", "inspect", image, "--format", "{{json .Size}}"])
    if size is None:
        remedy = f"fetched at the first --backend docker, or by docker pull {image}"
        yield Finding("tensorflow/serving", False, f"{image} is not here", remedy)
    else:
        yield Finding("tensorflow/serving", True, f"{image}, {json.loads(size) / 1e6:.0f} MB", "")


def _port(port: int, what: str) -> Finding:
    name = f"port {port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            remedy = f"give tfmtl serve another port for {what}, or 0 for a free one"
            return Finding(name, False, error.strerror or "taken", remedy)
    return Finding(name, True, f"free, for {what}", "")


def _openssl() -> Finding:
    if shutil.which("openssl") is None:
        remedy = "any tool that makes certificates will do; needed for TLS only"
        return Finding("openssl", False, "not on PATH", remedy)
    text = _said(["openssl", "version"])
    return Finding("openssl", True, " ".join((text or "there").split()[:2]), "")


def _said(command: list[str]) -> str | None:
    """What a program prints; None when it fails or does not end."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=True, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
