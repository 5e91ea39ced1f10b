"""Follows one model: what is on disk becomes what is served.

A thread of its own looks at the base path again and again, and takes the steps of
`version_policy` from what is served to what the policy chooses. A version that fails to load never
takes the place of one that works; a version that is being unloaded is closed when its last request
has ended.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from serving.pushing.versions import version_directories
from serving.server.loading import load
from serving.server.options import ServerOptions
from serving.server.status import StatusError
from serving.server.version_policy import Kind, Step, chosen, next_step
from serving.server.version_table import State, VersionState, VersionTable

_LOG = logging.getLogger(__name__)
# What a follower gets to come to its end when the server stops at once.
_LEAST_SECONDS = 1.0


class Source(NamedTuple):
    """Where a model lies and which of its versions to serve.

    Attributes:
        base_path: The directory that holds numeric version directories.
        policy: A `ServableVersionPolicy`.
    """

    base_path: Path
    policy: Any


class ModelManager:
    """Loads and unloads the versions of one model.

    Args:
        name: The model's name in requests.
        options: Those of the server.
        loads: Bounds the versions that are loaded at once, of all models.

    Attributes:
        name: The model's name.
        versions: What is served and what is known of it.
        source: What is being followed, `None` when the model is not configured.
    """

    def __init__(self, name: str, options: ServerOptions, loads: threading.Semaphore):
        self.name = name
        self.versions = VersionTable(name)
        self.source: Source | None = None
        self._options = options
        self._loads = loads
        self._problem = ""
        # How often a new source was given, and how often one had been when the last look began.
        self._asked = self._looked = 0
        self._stopping = False
        self._follower: threading.Thread | None = None

    def follow(self, source: Source | None) -> int:
        """Serves what is there and what will come; `None` unloads everything.

        Returns:
            The count of changes so far, for `VersionTable.wait_served`.
        """
        with self.versions.changed:
            self.source = source
            self._asked += 1
            self.versions.changed.notify_all()
            if self._follower is None:
                self._follower = threading.Thread(
                    target=self._run, name=f"follow-{self.name}", daemon=True
                )
                self._follower.start()
            return self.versions.changes

    def wait_looked(self) -> None:
        """Waits until the follower has done all it can do now."""
        with self.versions.changed:
            self.versions.changed.wait_for(lambda: self._looked == self._asked or self._stopping)

    def close(self, timeout: float) -> None:
        """Stops following and unloads everything; gives running requests `timeout` seconds.

        A load cannot be broken off: one that outlasts the time ends later, and serves nothing.
        """
        with self.versions.changed:
            self._stopping = True
            self.versions.changed.notify_all()
        if self._follower is not None:
            self._follower.join(max(timeout, _LEAST_SECONDS))
        with self.versions.changed:
            for entry in self.versions.in_state(State.AVAILABLE).values():
                self.versions.enter(entry, State.UNLOADING)
            entries = list(self.versions.in_state(State.UNLOADING).values())
            self.versions.changed.wait_for(lambda: not any(e.users for e in entries), timeout)
        for entry in entries:
            self._close(entry)

    def _run(self) -> None:
        wait = self._options.file_system_poll_wait_seconds or None
        while not self._stopping:
            asked = self._asked
            try:
                self._bring_in_line(asked)
            except Exception:
                _LOG.exception("model %s: a look at its base path failed", self.name)
            with self.versions.changed:
                self._looked = asked
                self.versions.changed.notify_all()
                self.versions.changed.wait_for(self._has_work, wait)

    def _has_work(self) -> bool:
        return self._looked != self._asked or self._stopping or bool(self.versions.unused())

    def _bring_in_line(self, asked: int) -> None:
        """Looks at the disk and takes every step there is to take, until asked for others."""
        self._close_unused()
        found = self._find()
        if found is None:
            return
        self._forget_failures(set(found))
        while not self._stopping and asked == self._asked:
            step = self._next(set(found))
            if step is None:
                return
            if step.kind is Kind.LOAD:
                self._load(step.number, found[step.number])
            else:
                self.versions.enter(self.versions.entries()[step.number], State.UNLOADING)
            self._close_unused()

    def _find(self) -> dict[int, Path] | None:
        """The directories of the wanted versions; `None` when that cannot be known now.

        A base path without a version unloads everything; one that is not there at all is logged
        and changes nothing.
        """
        source = self.source
        if source is None:
            return {}
        try:
            found = version_directories(source.base_path)
        except (OSError, ValueError) as error:
            problem = f"model {self.name}: its base path cannot be read: {error}"
            if problem != self._problem:
                _LOG.warning(problem)
            self._problem = problem
            return None
        self._problem = ""
        return {number: found[number] for number in chosen(source.policy, found)}

    def _forget_failures(self, wanted: set[int]) -> None:
        """A version that went away and comes back is tried at once."""
        for number, entry in self.versions.entries().items():
            if number not in wanted:
                entry.failures, entry.retry_at = 0, 0.0

    def _next(self, wanted: set[int]) -> Step | None:
        entries = self.versions.entries()
        loadable = [number for number in wanted if self._may_load(entries.get(number))]
        return next_step(wanted, self.versions.in_state(State.AVAILABLE), loadable)

    def _may_load(self, entry: VersionState | None) -> bool:
        """Whether the version is new, was unloaded, or has failed long enough ago."""
        if entry is None:
            return True
        if entry.state is not State.END:
            return False
        if not entry.failures:
            return True
        retries = self._options.max_num_load_retries
        return entry.failures <= retries and time.monotonic() >= entry.retry_at

    def _load(self, number: int, directory: Path) -> None:
        entry = self.versions.begin(number)
        with self._loads:
            if self._stopping:
                return
            self.versions.enter(entry, State.LOADING)
            try:
                model = load(directory, number, self._options)
            except StatusError as error:
                _LOG.error("model %s version %d failed to load: %s", self.name, number, error)
                entry.error = error
                entry.failures += 1
                entry.retry_at = time.monotonic() + self._options.load_retry_interval_micros / 1e6
                self.versions.enter(entry, State.END)
                return
        if self._stopping:
            model.close()
            return
        entry.model, entry.failures = model, 0
        self.versions.enter(entry, State.AVAILABLE)

    def _close_unused(self) -> None:
        for entry in self.versions.unused():
            self._close(entry)

    def _close(self, entry: VersionState) -> None:
        assert entry.model is not None
        entry.model.close()
        entry.model = None
        self.versions.enter(entry, State.END)
