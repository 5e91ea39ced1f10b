"""The model servers behind `tfmtl serve`: embedded, TF Serving's binary, its Docker image.

Each takes the same options, serves its models over gRPC and, if asked, REST, prints
`ready HOST:PORT` when all of them answer, and ends with SIGTERM or Ctrl-C.
"""

import dataclasses
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path

import serving
from pipelines.commands.common import logging_to
from pipelines.commands.server_flags import served_paths, server_flags
from pipelines.components.base import PipelineError
from pipelines.failures import terminated_as_interrupted
from pipelines.server_health import BINARY
from serving.deploy import IMAGE
from serving.server.options import ServerOptions

_POLL_SECONDS = 0.2
_READY_SECONDS = 120.0
_LOOK_SECONDS = 60.0
# Docker may have to fetch the image first.
_READY_SECONDS_DOCKER = 900.0

Serve = Callable[[Mapping[str, Path], ServerOptions], None]
"""Serves models, by name and base path, as options say, until it is told to end."""


class Backend(StrEnum):
    """Which server."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    BINARY = "binary"
    DOCKER = "docker"


def choose(backend: Backend) -> Serve:
    """The server for a choice on the command line.

    Raises:
        PipelineError: the server is not installed; the line says what is.
    """
    if backend is Backend.AUTO:
        backend = Backend.BINARY if shutil.which(BINARY) else Backend.EMBEDDED
    if backend is Backend.EMBEDDED:
        return _embedded
    program = BINARY if backend is Backend.BINARY else "docker"
    if shutil.which(program) is None:
        raise PipelineError(
            f"serve: {program} is not on PATH; install it, or use --backend embedded"
        )
    return _binary if backend is Backend.BINARY else _docker


def check_port(host: str, port: int) -> None:
    """Looks whether a server can listen on a port, before it takes seconds to load.

    Raises:
        PipelineError: it cannot.
    """
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PipelineError(
                f"serve: cannot listen on {host}:{port}: {error.strerror}; choose another --port, "
                "or 0 for a free one"
            ) from None


def free_port(host: str) -> int:
    """A port on which nobody listens at the moment."""
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _embedded(models: Mapping[str, Path], options: ServerOptions) -> None:
    # TensorFlow greets on stderr, which is the place of the server's own log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with logging_to(Path(os.devnull)):
        from serving.server.server import serve

    serve(models, options)


def _binary(models: Mapping[str, Path], options: ServerOptions) -> None:
    options = _with_ports(options)
    with tempfile.TemporaryDirectory() as scratch:
        flags = server_flags(models, options, Path(scratch))
        names = list(served_paths(models, options))
        # It listens on every interface and has no flag that says otherwise.
        print(
            f"serve: {BINARY} listens on all interfaces, not on {options.host} alone; "
            "--backend docker and --backend embedded keep to it",
            file=sys.stderr,
        )
        _supervise([BINARY, *flags], names, options, _READY_SECONDS)


def _docker(models: Mapping[str, Path], options: ServerOptions) -> None:
    options = _with_ports(options)
    with tempfile.TemporaryDirectory() as scratch:
        flags = server_flags(models, options, Path(scratch))
        paths = served_paths(models, options)
        command = ["docker", "run", "--rm", "--init"]
        command += [f"--publish={_address(options.host, p)}:{p}" for p in _ports(options)]
        # Everything is seen in the container where it lies outside, so that all paths agree.
        seen = [*paths.values(), Path(scratch), *_given(options)]
        command += [f"--volume={path}:{path}:ro" for path in dict.fromkeys(seen)]
        command += [f"--entrypoint={BINARY}", IMAGE, *flags]
        _supervise(command, list(paths), options, _READY_SECONDS_DOCKER)


def _with_ports(options: ServerOptions) -> ServerOptions:
    """The options with ports in place of "a free one", which TF Serving cannot choose itself."""
    rest = options.rest_api_port
    return dataclasses.replace(
        options,
        port=options.port or free_port(options.host),
        rest_api_port=free_port(options.host) if rest == 0 else rest,
    )


def _ports(options: ServerOptions) -> list[int]:
    return [port for port in (options.port, options.rest_api_port) if port is not None]


def _given(options: ServerOptions) -> Iterable[Path]:
    """Directories of the files that options name, and flags name as they are.

    Directories, because a file that is replaced would stay the old one in the container.
    """
    files = (options.model_config_file, options.batching_parameters_file, options.ssl_config_file)
    return [path.resolve().parent for path in files if path is not None]


def _supervise(
    command: list[str], models: list[str], options: ServerOptions, seconds: float
) -> None:
    """Runs a server, says when it is ready and passes the end on to it."""
    address = _address(options.host, options.port)
    with (
        terminated_as_interrupted(),
        subprocess.Popen(command, stdout=subprocess.DEVNULL) as server,
    ):
        try:
            _await(server, models, options, seconds)
            if options.rest_api_port is not None:
                rest = _address(options.host, options.rest_api_port)
                print(f"REST at http://{rest}/v1/models", file=sys.stderr, flush=True)
            print(f"ready {address}", flush=True)
            code = _ended(server)
        except KeyboardInterrupt:
            return
        finally:
            _end(server, options.grace)
    raise PipelineError(f"serve: {command[0]} ended with exit code {code}; its log is above")


def _ended(server: subprocess.Popen[bytes]) -> int:
    """Waits for the exit code.

    The client that asked whether the server is ready has threads, and a signal handed to one of
    them does not wake this one: it has to look itself, as it does when it waits for a while.
    """
    while True:
        try:
            return server.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _end(server: subprocess.Popen[bytes], grace: float) -> None:
    server.terminate()
    try:
        server.wait(grace + 1)
    except subprocess.TimeoutExpired:
        server.kill()


def _await(
    server: subprocess.Popen[bytes], models: list[str], options: ServerOptions, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    waiting = list(models)
    while waiting:
        if server.poll() is not None:
            raise PipelineError(
                f"serve: the server ended before it was ready, with exit code "
                f"{server.returncode}; its log is above"
            )
        if time.monotonic() > deadline:
            raise PipelineError(f"serve: {waiting[0]} was not loaded in {seconds:.0f} s")
        if _is_available(options, waiting[0]):
            waiting.pop(0)
        else:
            time.sleep(_POLL_SECONDS)


def _is_available(options: ServerOptions, model: str) -> bool:
    if options.ssl_config_file is not None or options.ssl_server_key is not None:
        # Whom its clients trust is not known here; it listens once its models are loaded.
        return _listens(options.host, options.port)
    try:
        address = _address(options.host, options.port)
        with serving.Client(address, model=model, timeout=1.0) as client:
            return any(version.state == "AVAILABLE" for version in client.status())
    except serving.ServingError:
        return False


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True
