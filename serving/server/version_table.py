"""The versions of one model that are known: their states, and the requests that run on them.

Requests take a version from here while another thread changes the table. A version that is to be
unloaded takes no further requests, and is free to be closed when the last one has ended.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import TracebackType

import grpc

from serving.server.model import LoadedVersion
from serving.server.status import StatusError


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
        changed: The table's count of changes when this state was reached.
    """

    state: State = State.START
    error: StatusError | None = None
    model: LoadedVersion | None = field(default=None, repr=False)
    users: int = 0
    failures: int = 0
    retry_at: float = 0.0
    changed: int = 0


class VersionTable:
    """The versions of one model, by number.

    Args:
        name: The model's name in requests.

    Attributes:
        changed: A condition that is notified of every change; its lock guards the table.
        changes: How many changes there have been.
    """

    def __init__(self, name: str):
        self._name = name
        self._versions: dict[int, VersionState] = {}
        self._newest: VersionState | None = None
        # Entered by every request, the lock itself is quicker than its condition.
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self.changes = 0

    def acquire(self, number: int | None) -> "Held":
        """Holds a version for the length of one request.

        Args:
            number: A version; `None` for the largest that is available.

        Raises:
            StatusError: NOT_FOUND when it is not available.
        """
        with self._lock:
            entry = self._newest if number is None else self._versions.get(number)
            if entry is None or entry.state is not State.AVAILABLE:
                raise not_found(self._name, number)
            entry.users += 1
        return Held(self, entry)

    def release(self, entry: VersionState) -> None:
        """Ends what `acquire` began."""
        with self._lock:
            entry.users -= 1
            if not entry.users and entry.state is State.UNLOADING:
                self.changed.notify_all()

    def entries(self) -> dict[int, VersionState]:
        """Every version seen so far, newest first."""
        with self._lock:
            return dict(sorted(self._versions.items(), reverse=True))

    def in_state(self, state: State) -> dict[int, VersionState]:
        """The versions in one state, newest first."""
        return {number: entry for number, entry in self.entries().items() if entry.state is state}

    def unused(self) -> list[VersionState]:
        """The versions that can be closed."""
        return [entry for entry in self.in_state(State.UNLOADING).values() if not entry.users]

    def begin(self, number: int) -> VersionState:
        """A new entry in place of the one that has ended, which hands on its failures."""
        with self._lock:
            before = self._versions.get(number)
            entry = VersionState(failures=before.failures if before is not None else 0)
            self._versions[number] = entry
            self.enter(entry, State.START)
        return entry

    def enter(self, entry: VersionState, state: State) -> None:
        """Changes a version's state and tells all who wait."""
        with self._lock:
            self.changes += 1
            entry.state, entry.changed = state, self.changes
            available = self.in_state(State.AVAILABLE)
            self._newest = next(iter(available.values()), None)
            self.changed.notify_all()

    def wait_served(
        self, since: int, alive: Callable[[], bool]
    ) -> tuple[int, StatusError | None] | None:
        """Waits until a version has become available, or has failed to.

        Args:
            since: The count of changes from which on they are looked at.
            alive: Whether there is still somebody who waits.

        Returns:
            The version, and the failure if there was one; `None` when nobody waits any longer.
        """
        with self._lock:
            while alive():
                for number, entry in self.entries().items():
                    reached = entry.state is State.AVAILABLE or entry.error is not None
                    if entry.changed > since and reached:
                        return number, entry.error
                self.changed.wait(0.1)
        return None


class Held:
    """A version held for the length of one request; `with` gives the model."""

    __slots__ = ("_entry", "_table")

    def __init__(self, table: VersionTable, entry: VersionState):
        self._table = table
        self._entry = entry

    def __enter__(self) -> LoadedVersion:
        assert self._entry.model is not None
        return self._entry.model

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._table.release(self._entry)


def not_found(name: str, number: int | None) -> StatusError:
    """The status of a request for a model or version that is not served."""
    asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return StatusError(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")
