"""All models of a server: found by name, version or label, and reconfigured while they serve."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import grpc

from serving.errors import ServingError
from serving.server.labels import Labels
from serving.server.manager import ModelManager, Source
from serving.server.model_config import check, check_served, local_path, of_base_paths, read_file
from serving.server.options import ServerOptions
from serving.server.status import StatusError, invalid_argument, without_paths
from serving.server.version_table import Held, State, VersionState, not_found

_LOG = logging.getLogger(__name__)
# Reloads that wait for their models at one time, each in a thread of the server.
_RELOADS = 4


class Models:
    """Every model of a server.

    Args:
        models: The base path of each model, by name; not looked at where the options name a
            `model_config_file`.
        options: Those of the server.

    Example:
        >>> models = Models({"shop": "out/serving/shop"}, ServerOptions())
        >>> models.start()
        >>> with models.acquire(request.model_spec) as model:
        ...     response = predict(model, request, timeout=1.0)
    """

    def __init__(self, models: Mapping[str, str | PathLike[str]], options: ServerOptions):
        self._options = options
        self._given = {name: Path(path) for name, path in models.items()}
        self._loads = threading.Semaphore(options.num_load_threads)
        self._managers: dict[str, ModelManager] = {}
        self._configs: list[Any] = []
        self._labels = Labels(options.allow_version_labels_for_unavailable_models)
        self._lock = threading.Lock()
        self._reloads = threading.BoundedSemaphore(_RELOADS)
        self._stopping = threading.Event()
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Loads every model, and follows the base paths and the configuration file from then on.

        Raises:
            ServingError: NOT_FOUND when a model has no version; the code of the failure when
                none of a model's versions can be loaded, or the configuration is refused.
        """
        file = self._options.model_config_file
        try:
            if file is not None:
                config = read_file(file)
            else:
                config = of_base_paths(self._given, self._options.keep)
            if config.WhichOneof("config") is None:
                config.model_config_list.SetInParent()
            self._apply(config)
        except StatusError as error:
            raise ServingError(error.code.name, error.message) from error
        for manager in self._managers.values():
            manager.wait_looked()
            _require_available(manager)
        if file is not None and self._options.model_config_file_poll_wait_seconds:
            self._reader = threading.Thread(
                target=self._follow_file, args=(file,), name="model-config-file", daemon=True
            )
            self._reader.start()

    def acquire(self, spec: Any) -> Held:
        """Holds the version a request asks for; use it in a `with`, which gives the model.

        Args:
            spec: The request's `ModelSpec`.

        Raises:
            StatusError: INVALID_ARGUMENT without a name or with an unknown label, NOT_FOUND when
                the model or version is not served.
        """
        name = spec.name
        if not name:
            raise invalid_argument("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice is None:
            number = None
        elif choice == "version":
            number = spec.version.value
        else:
            number = self._labels.version(name, spec.version_label)
        manager = self._managers.get(name)
        if manager is None:
            raise not_found(name, number)
        return manager.versions.acquire(number)

    def names(self) -> list[str]:
        """The models that are configured, by name."""
        return sorted(config.name for config in self._configs)

    def states(self, name: str) -> dict[int, VersionState]:
        """Every version seen of a model, newest first; also of one no longer configured."""
        manager = self._managers.get(name)
        return manager.versions.entries() if manager is not None else {}

    def reload(self, config: Any, alive: Callable[[], bool] = lambda: True) -> None:
        """Takes over a new list of models; returns when the models that are new in it answer.

        A model that is not listed is unloaded. Where TF Serving waits for ever and holds up
        every later reload, this waits until nobody is left to be told.

        Args:
            config: A `ModelServerConfig`.
            alive: Whether the caller still waits.

        Raises:
            StatusError: When the list is refused, which changes nothing; UNKNOWN when a new
                model cannot be loaded, which keeps the list.
        """
        if not self._reloads.acquire(blocking=False):
            raise StatusError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{_RELOADS} reloads are waiting for their models already",
            )
        try:
            new = self._apply(config)
            _await(new, lambda: alive() and not self._stopping.is_set())
        finally:
            self._reloads.release()

    def close(self, timeout: float) -> None:
        """Unloads everything; what still runs after `timeout` seconds is cancelled."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        if self._reader is not None:
            self._reader.join()
        for manager in self._managers.values():
            manager.close(max(0.0, deadline - time.monotonic()))

    def _apply(self, config: Any) -> dict[ModelManager, int]:
        """Follows a configuration; returns the new models with their counts of changes."""
        with self._lock:
            check(config, self._configs)
            labels = self._labels.checked(config, self._is_available)
            check_served(config)
            configs = list(config.model_config_list.config)
            before = {model.name for model in self._configs}
            for name in before - {model.name for model in configs}:
                self._managers[name].follow(None)
            new = {}
            for model in configs:
                manager = self._managers.get(model.name)
                if manager is None:
                    manager = ModelManager(model.name, self._options, self._loads)
                    # A new dictionary, because requests look into the other without the lock.
                    self._managers = {**self._managers, model.name: manager}
                since = manager.follow(Source(local_path(model), model.model_version_policy))
                if model.name not in before:
                    new[manager] = since
            self._labels, self._configs = labels, configs
        return new

    def _is_available(self, name: str, number: int) -> bool:
        entry = self.states(name).get(number)
        return entry is not None and entry.state is State.AVAILABLE

    def _follow_file(self, file: Path) -> None:
        while not self._stopping.wait(self._options.model_config_file_poll_wait_seconds):
            try:
                config = read_file(file)
                if config.WhichOneof("config") is not None:
                    self._apply(config)
            except StatusError as error:
                _LOG.error("the models' configuration is kept: %s", error)


def require_model_spec(request: Any) -> None:
    """Refuses a request without a `ModelSpec`.

    Raises:
        StatusError: INVALID_ARGUMENT.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


def _await(new: Mapping[ModelManager, int], alive: Callable[[], bool]) -> None:
    failed = []
    for manager, since in new.items():
        reached = manager.versions.wait_served(since, alive)
        if reached is not None and reached[1] is not None:
            failed.append((manager.name, reached[0], reached[1]))
    if failed:
        listed = "".join(
            f"{{{{name: {name} version: {number}}} due to error: {error.code.name}: "
            f"{error.message}}}, "
            for name, number, error in failed
        )
        raise StatusError(
            grpc.StatusCode.UNKNOWN,
            without_paths(f"{len(failed)} model(s) did not become available: {{{listed}}}"),
        )


def _require_available(manager: ModelManager) -> None:
    states = manager.versions.entries()
    errors = [entry.error for entry in states.values() if entry.error is not None]
    if not states:
        received = manager.source.base_path if manager.source is not None else None
        raise ServingError(
            "NOT_FOUND",
            f"model `{manager.name}` has no version: a base path should hold numeric directories. "
            f"Received: {received}",
        )
    if len(errors) == len(states):
        number = next(iter(states))
        raise ServingError(
            errors[0].code.name,
            f"model `{manager.name}` version {number} cannot be loaded: {errors[0].message}",
        )
