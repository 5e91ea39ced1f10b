"""The versions of one model: what is on disk becomes what is served.

Every poll looks at the base path. The newest versions are loaded first and the others unloaded
after, so that requests always find one; a version that fails to load never takes the place of
one that works. A version that is being unloaded is closed when its last request has ended.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import grpc
import tensorflow as tf

from serving.pushing.versions import version_directories
from serving.server.model import LoadedVersion
from serving.server.status import StatusError, from_tensorflow, without_paths
from serving.server.warmup import warm_up

_LOG = logging.getLogger(__name__)
_RETRIES = 5
_RETRY_SECONDS = 60.0


class State(IntEnum):
    """A version's state, with the numbers of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class VersionState:
    """What is known of one version; kept after it has ended.

    Attributes:
        state: Where it is in its life.
        error: Why loading failed, `None` when it did not.
        model: The loaded model while `AVAILABLE` or `UNLOADING`.
        users: The requests that run on it now.
        failures: Loads that failed in a row.
        retry_at: When to try again, on the monotonic clock.
    """

    state: State = State.START
    error: StatusError | None = None
    model: LoadedVersion | None = field(default=None, repr=False)
    users: int = 0
    failures: int = 0
    retry_at: float = 0.0


class ModelManager:
    """Loads, serves and unloads the versions of one model.

    Args:
        name: The model's name in requests.
        base_path: The directory that holds numeric version directories.
        keep: How many of the latest versions to serve.
    """

    def __init__(self, name: str, base_path: Path, keep: int = 1):
        self.name = name
        self.base_path = Path(base_path)
        self._keep = keep
        self._versions: dict[int, VersionState] = {}
        self._changed = threading.Condition()

    def poll(self) -> None:
        """Brings the served versions in line with the disk. Call it from one thread only.

        A base path without a version unloads everything; one that is not there at all is logged
        and changes nothing.
        """
        try:
            found = version_directories(self.base_path)
        except OSError as error:
            _LOG.warning("model %s: its base path cannot be read: %s", self.name, error)
            return
        wanted = sorted(found, reverse=True)[: self._keep]
        for number in wanted:
            self._load(number, found[number])
        with self._changed:
            available = self._available()
            if not wanted or set(wanted) & set(available):
                for number in set(available) - set(wanted):
                    self._versions[number].state = State.UNLOADING
            unused = [
                entry
                for entry in self._versions.values()
                if entry.state is State.UNLOADING and not entry.users
            ]
        self._close(unused)

    @contextmanager
    def acquire(self, number: int | None) -> Iterator[LoadedVersion]:
        """Holds a version for the length of one request.

        Args:
            number: A version; `None` for the largest that is available.

        Raises:
            StatusError: NOT_FOUND when it is not available.
        """
        with self._changed:
            available = self._available()
            chosen = max(available, default=None) if number is None else number
            if chosen not in available:
                raise not_found(self.name, number)
            entry = available[chosen]
            entry.users += 1
        try:
            assert entry.model is not None
            yield entry.model
        finally:
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()

    def states(self) -> dict[int, VersionState]:
        """Every version seen so far, newest first."""
        with self._changed:
            return dict(sorted(self._versions.items(), reverse=True))

    def close(self, timeout: float) -> None:
        """Unloads everything; what still runs after `timeout` seconds is cancelled."""
        with self._changed:
            entries = list(self._versions.values())
            for entry in self._available().values():
                entry.state = State.UNLOADING
            self._changed.wait_for(lambda: not any(entry.users for entry in entries), timeout)
        self._close(entry for entry in entries if entry.state is State.UNLOADING)

    def _available(self) -> dict[int, VersionState]:
        return {
            number: entry
            for number, entry in self._versions.items()
            if entry.state is State.AVAILABLE
        }

    def _load(self, number: int, directory: Path) -> None:
        with self._changed:
            entry = self._versions.get(number)
            if entry is not None and not _may_load(entry):
                return
            failures = entry.failures if entry is not None else 0
            entry = self._versions[number] = VersionState(State.LOADING, failures=failures)
        try:
            model = load(directory, number)
        except StatusError as error:
            _LOG.error("model %s version %d failed to load: %s", self.name, number, error)
            with self._changed:
                entry.state, entry.error = State.END, error
                entry.failures += 1
                entry.retry_at = time.monotonic() + _RETRY_SECONDS
            return
        with self._changed:
            entry.state, entry.model, entry.failures = State.AVAILABLE, model, 0

    def _close(self, entries: Iterable[VersionState]) -> None:
        for entry in entries:
            assert entry.model is not None
            entry.model.close()
            with self._changed:
                entry.state, entry.model = State.END, None


def not_found(name: str, number: int | None) -> StatusError:
    """The status of a request for a model or version that is not served."""
    asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return StatusError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")


def load(directory: Path, number: int) -> LoadedVersion:
    """Loads and warms up one version.

    Raises:
        StatusError: When it cannot be loaded or a warm-up request fails.
    """
    try:
        model = LoadedVersion(directory, number)
        try:
            warm_up(model, directory)
        except BaseException:
            model.close()
            raise
        return model
    except StatusError:
        raise
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error
    except Exception as error:
        # The v1 loader raises what it likes for a damaged directory, and a version that cannot
        # be loaded must never take the server down.
        message = without_paths(f"{type(error).__name__}: {error}".replace(str(directory), "..."))
        raise StatusError(grpc.StatusCode.UNKNOWN, message) from error


def _may_load(entry: VersionState) -> bool:
    """Whether an earlier version of the number has ended, and not by failing just now."""
    if entry.state is not State.END:
        return False
    if entry.error is None:
        return True
    return entry.failures <= _RETRIES and time.monotonic() >= entry.retry_at
