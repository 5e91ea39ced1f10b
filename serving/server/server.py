"""The embedded server: its ports, its threads and its end.

with EmbeddedServer({"shop": "out/serving/shop"}) as server:
    with serving.Client(server.address, model="shop") as client:
        client.predict("rank", {...})
"""

import gc
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from types import TracebackType
from typing import Self

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import ServingError
from serving.server.batching.parameters import batching_parameters
from serving.server.ending import EndingSignals
from serving.server.entry import Entry
from serving.server.health import Health
from serving.server.metrics import Metrics
from serving.server.models import Models
from serving.server.options import ServerOptions
from serving.server.rest.api import Api
from serving.server.rest.door import RestDoor
from serving.server.service import ModelService, PredictionService
from serving.server.tls import server_credentials

# Calls whose message has not come yet, or that wait for their turn, beside those that run. Threads
# are only made as they are needed.
_WAITING = 240
# A client that has vanished without a word is found out after these times, ms.
_KEEPALIVE = (("grpc.keepalive_time_ms", 60_000), ("grpc.keepalive_timeout_ms", 20_000))


class EmbeddedServer:
    """Serves models over TF Serving's gRPC protocol, and REST, from within this process.

    Args:
        models: The base path of each model, by name. A base path holds numeric version
            directories; the latest is served, and a new one replaces it without a failed request.
            Not looked at where the options name a `model_config_file`.
        options: How it listens, loads and answers; by default on a free port of the loopback
            interface, without REST.

    Example:
        >>> with EmbeddedServer({"shop": "out/serving/shop"}) as server:
        ...     print(server.address)
        127.0.0.1:43571
    """

    def __init__(
        self,
        models: Mapping[str, str | PathLike[str]],
        options: ServerOptions | None = None,
    ):
        self._options = options or ServerOptions()
        self._models = Models(models, self._options)
        self._metrics = Metrics()
        self._health = Health(self._models)
        self._pool = ThreadPoolExecutor(
            self._options.grpc_max_threads + _WAITING, thread_name_prefix="serving"
        )
        self._server: grpc.Server | None = None
        self._rest: RestDoor | None = None
        self._port = self._options.port

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
        """The port of gRPC, once started."""
        return self._port

    @property
    def address(self) -> str:
        """`host:port` of gRPC, as a client wants it."""
        return _address(self._options.host, self._port)

    @property
    def rest_address(self) -> str | None:
        """`host:port` of REST, once started; `None` where it is not served."""
        if self._rest is None:
            return None
        return _address(self._options.host, self._rest.port)

    def start(self) -> None:
        """Loads every model and takes requests; returns when they are answered.

        Raises:
            ServingError: UNAVAILABLE when a port cannot be listened on; INVALID_ARGUMENT when a
                file of the options is not what it should be; NOT_FOUND when a model has no
                version; the code of the failure when a model's latest version cannot be loaded
                and no other is available.
        """
        batching_parameters(self._options)  # a file that is wrong is said before anything loads
        try:
            self._server = self._make_server()
            self._bind(self._server)
            if self._options.rest_api_port is not None:
                api = Api(self._models, self._metrics, self._options)
                self._rest = RestDoor(api.answer, self._options)
                self._rest.bind()
            self._models.start()
            self._server.start()
            if self._rest is not None:
                self._rest.start()
        except BaseException:
            self.stop(grace=0)
            raise

    def stop(self, grace: float | None = None) -> None:
        """Refuses new requests, lets running ones end and unloads the models.

        Args:
            grace: The seconds running requests get; `None` takes those of the options.
        """
        grace = self._options.grace if grace is None else grace
        deadline = time.monotonic() + grace
        self._health.stop()
        server, self._server = self._server, None
        stopped = server.stop(grace) if server is not None else None
        if self._rest is not None:
            self._rest.stop(grace)
            self._rest = None
        if stopped is not None:
            stopped.wait()
        self._models.close(max(0.0, deadline - time.monotonic()))
        self._pool.shutdown(wait=False)

    def _make_server(self) -> grpc.Server:
        most = self._options.max_request_bytes
        server = grpc.server(
            self._pool,
            interceptors=[Entry(self._options.grpc_max_threads, self._metrics)],
            # Without SO_REUSEPORT the system refuses a port that is in use, where it would
            # otherwise share it out between two servers.
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", most),
                ("grpc.max_send_message_length", -1),
                *_KEEPALIVE,
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self._models), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self._models), server
        )
        self._health.add_to(server)
        return server

    def _bind(self, server: grpc.Server) -> None:
        credentials = server_credentials(self._options)
        try:
            if credentials is None:
                bound = server.add_insecure_port(self.address)
            else:
                bound = server.add_secure_port(self.address, credentials)
        except RuntimeError:
            bound = 0
        if not bound and credentials is not None and self._is_free():
            raise ServingError(
                "INVALID_ARGUMENT",
                "the key and certificate cannot be used: expected a private key and its "
                "certificate, both PEM",
            )
        if not bound:
            raise ServingError(
                "UNAVAILABLE",
                f"cannot listen on {self.address}: the port is in use or not permitted; "
                "choose another, or 0 for a free one",
            )
        self._port = bound

    def _is_free(self) -> bool:
        """Whether the port could be listened on, for gRPC does not tell why it could not."""
        family = socket.AF_INET6 if ":" in self._options.host else socket.AF_INET
        with socket.socket(family) as probe:
            try:
                probe.bind((self._options.host, self._port))
            except OSError:
                return False
        return True


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def serve(
    models: Mapping[str, str | PathLike[str]],
    options: ServerOptions | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then ends running requests and returns.

    Prints one line, `ready HOST:PORT`, on standard output when requests are answered, and the
    address of REST on standard error. Call it from the main thread, which receives the signals.

    Args:
        models: The base path of each model, by name.
        options: How to serve; without any, gRPC on port 8500 and no REST.

    Raises:
        ServingError: As `EmbeddedServer.start`.
    """
    server = EmbeddedServer(models, options or ServerOptions(port=8500))
    # What is imported stays: a full collection, for which requests wait, need not look at it.
    gc.collect()
    gc.freeze()
    with EndingSignals() as signals:
        try:
            server.start()
            if server.rest_address is not None:
                rest = f"REST at http://{server.rest_address}/v1/models"
                print(rest, file=sys.stderr, flush=True)
            print(f"ready {server.address}", flush=True)
            signals.wait()
        finally:
            server.stop()
