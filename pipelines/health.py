"""What a machine offers to tfmtl, found out without importing TensorFlow or Beam."""

import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from pipelines.server_health import look
from serving.deploy import IMAGE
from tfmtl.processor import bfloat16_flags

_OLDEST, _NEWEST = (3, 11), (3, 13)
_PACKAGES = (
    "tensorflow",
    "tf-keras",
    "keras",
    "keras-rs",
    "tensorflow-recommenders",
    "tensorflow-serving-api",
    "tensorflow-metadata",
    "apache-beam",
    "pyarrow",
    "pydantic",
)
_ENOUGH_MEMORY = 2e9
_ENOUGH_DISK = 2e9


class Check(NamedTuple):
    """One finding.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        needed: whether nothing works without it.
        found: what is there.
        remedy: what to do about it, or what it would bring; empty when all is well.
    """

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str


def check(directory: Path) -> Iterator[Check]:
    """Looks at the machine.

    Args:
        directory: where runs will lie; its disk is looked at.
    """
    yield _python()
    yield from (_package(name) for name in _PACKAGES)
    yield _scann()
    yield _processor()
    yield _c_library()
    for name, ok, found, remedy in look(IMAGE):
        yield _check(name, ok, found, remedy, needed=False)
    yield _memory()
    yield _disk(directory)
    yield _loopback()


def _check(name: str, ok: bool, found: str, remedy: str, needed: bool = True) -> Check:
    return Check(name, ok, needed, found, "" if ok else remedy)


def _python() -> Check:
    ok = _OLDEST <= sys.version_info[:2] <= _NEWEST
    return _check("python", ok, platform.python_version(), "use Python 3.11, 3.12 or 3.13")


def _package(name: str) -> Check:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = ""
    return _check(name, bool(found), found or "not installed", "pip install tfmtl")


def _scann() -> Check:
    present = importlib.util.find_spec("scann") is not None
    found = "installed" if present else "not installed, as it should be"
    remedy = "pip uninstall scann: beside this TensorFlow it breaks tensorflow-recommenders"
    return _check("scann", not present, found, remedy)


def _processor() -> Check:
    found = bfloat16_flags()
    remedy = "no bfloat16: training computes in float32, which is slower"
    text = f"{os.cpu_count()} cores, {', '.join(found) or 'no bfloat16'}"
    return _check("processor", bool(found), text, remedy, needed=False)


def _c_library() -> Check:
    spec = importlib.util.find_spec("tensorflow")
    folders = (spec.submodule_search_locations or []) if spec else []
    found = [path for folder in folders for path in Path(folder).glob("libtensorflow_cc.so*")]
    return _check(
        "libtensorflow_cc",
        bool(found),
        found[0].name if found else "not found",
        "reinstall tensorflow: models are tried in it as TF Serving would load them",
    )


def free_memory() -> int | None:
    """Bytes that new programs may take; None where the system does not tell."""
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _memory() -> Check:
    free = free_memory()
    if free is None:
        return _check("memory", False, "unknown", "this system does not tell", needed=False)
    remedy = "close other programs, or set training.batch_size lower"
    found = f"{free / 1e9:.1f} GB free"
    return _check("memory", free >= _ENOUGH_MEMORY, found, remedy, needed=False)


def _disk(directory: Path) -> Check:
    free = shutil.disk_usage(directory).free
    remedy = f"free space at {directory.resolve()}, or run with --output elsewhere"
    return _check("disk", free >= _ENOUGH_DISK, f"{free / 1e9:.1f} GB free", remedy)


def _loopback() -> Check:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError as error:
        return _check("loopback", False, str(error), "allow connections to 127.0.0.1")
    return _check("loopback", True, f"port {port} answers", "")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
