"""The embedded server: a port, a pool of threads and one poller per model.

with EmbeddedServer({"shop": "out/serving/shop"}) as server:
    with serving.Client(server.address, model="shop") as client:
        client.predict("rank", {...})
"""

import logging
import signal
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Self

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import ServingError
from serving.server.manager import ModelManager
from serving.server.service import ModelService, PredictionService

_LOG = logging.getLogger(__name__)


class EmbeddedServer:
    """Serves models over TF Serving's gRPC protocol from within this process.

    Args:
        models: The base path of each model, by name. A base path holds numeric version
            directories; the latest is served, and a new one replaces it without a failed request.
        host: The interface to listen on.
        port: The port to listen on; 0 takes a free one.
        threads: The requests that run at once.
        poll_seconds: How often the base paths are looked at.
        keep: How many of the latest versions to serve.

    Example:
        >>> with EmbeddedServer({"shop": "out/serving/shop"}) as server:
        ...     print(server.address)
        127.0.0.1:43571
    """

    def __init__(
        self,
        models: Mapping[str, str | PathLike[str]],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        threads: int = 16,
        poll_seconds: float = 1.0,
        keep: int = 1,
    ):
        self._host = f"[{host}]" if ":" in host else host
        self._port = port
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="serving")
        self._poll_seconds = poll_seconds
        self._models = {name: ModelManager(name, Path(path), keep) for name, path in models.items()}
        self._server: grpc.Server | None = None
        self._stopping = threading.Event()
        self._pollers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port the server listens on, once started."""
        return self._port

    @property
    def address(self) -> str:
        """`host:port`, as a client wants it."""
        return f"{self._host}:{self._port}"

    def start(self) -> None:
        """Loads every model and takes requests; returns when they are answered.

        Raises:
            ServingError: UNAVAILABLE when the port cannot be listened on; NOT_FOUND when a model
                has no version; the code of the failure when a model's latest version cannot be
                loaded and no other is available.
        """
        server = grpc.server(
            self._pool,
            # Without SO_REUSEPORT the system refuses a port that is in use, where it would
            # otherwise share it out between two servers.
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self._models), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self._models), server
        )
        self._bind(server)
        self._server = server
        try:
            for manager in self._models.values():
                manager.poll()
                _require_available(manager)
        except BaseException:
            self.stop(grace=0)
            raise
        server.start()
        for manager in self._models.values():
            poller = threading.Thread(
                target=self._follow, args=(manager,), name=f"poll-{manager.name}", daemon=True
            )
            poller.start()
            self._pollers.append(poller)

    def stop(self, grace: float = 5.0) -> None:
        """Refuses new requests, gives running ones `grace` seconds and unloads the models."""
        deadline = time.monotonic() + grace
        self._stopping.set()
        if self._server is not None:
            self._server.stop(grace).wait()
            self._server = None
        for poller in self._pollers:
            poller.join()
        for manager in self._models.values():
            manager.close(max(0.0, deadline - time.monotonic()))
        self._pool.shutdown(wait=False)

    def _bind(self, server: grpc.Server) -> None:
        try:
            bound = server.add_insecure_port(self.address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise ServingError(
                "UNAVAILABLE",
                f"cannot listen on {self.address}: the port is in use or not permitted; "
                "choose another, or 0 for a free one",
            )
        self._port = bound

    def _follow(self, manager: ModelManager) -> None:
        while not self._stopping.wait(self._poll_seconds):
            try:
                manager.poll()
            except Exception:
                _LOG.exception("model %s: a look at its base path failed", manager.name)


def _require_available(manager: ModelManager) -> None:
    states = manager.states()
    errors = [entry.error for entry in states.values() if entry.error is not None]
    if not states:
        raise ServingError(
            "NOT_FOUND",
            f"model `{manager.name}` has no version: a base path should hold numeric directories. "
            f"Received: {manager.base_path}",
        )
    if len(errors) == len(states):
        number = next(iter(states))
        raise ServingError(
            errors[0].code.name,
            f"model `{manager.name}` version {number} cannot be loaded: {errors[0].message}",
        )


def serve(
    models: Mapping[str, str | PathLike[str]],
    host: str = "127.0.0.1",
    port: int = 8500,
    grace: float = 5.0,
) -> None:
    """Serves until SIGTERM or SIGINT, then ends running requests and returns.

    Prints one line, `ready HOST:PORT`, on standard output when requests are answered. Call it from
    the main thread, which receives the signals.

    Args:
        models: The base path of each model, by name.
        host: The interface to listen on.
        port: The port to listen on; 0 takes a free one.
        grace: Seconds that running requests get to end.

    Raises:
        ServingError: As `EmbeddedServer.start`.
    """
    # A handler runs amid what the main thread does: an event that is being waited for holds its
    # lock for a moment, and to set it then would wait for ever. A SimpleQueue has no such moment.
    ended: SimpleQueue[int] = SimpleQueue()

    def end(number: int, frame: FrameType | None) -> None:
        ended.put(number)

    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    server = EmbeddedServer(models, host, port)
    try:
        server.start()
        print(f"ready {server.address}", flush=True)
        ended.get()
    finally:
        server.stop(grace)
        for number, handler in previous.items():
            signal.signal(number, handler)
