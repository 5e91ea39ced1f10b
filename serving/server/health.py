"""gRPC health checking (`grpc.health.v1`): is the server up, is a model served?

The service `""` is the server as a whole; a service of a model's name is that model. Load balancers
and Kubernetes probes ask for it. The messages are this project's light ones, since the published
package wants another protobuf than TensorFlow does.
"""

import threading
from collections.abc import Callable
from typing import Any

import grpc

from serving.protocol import HEALTH_STATES, HealthCheckRequest, HealthCheckResponse
from serving.server.models import Models
from serving.server.version_table import State

_NUMBERS = {name: number for number, name in HEALTH_STATES.items()}
_SERVICE = "grpc.health.v1.Health"
_MOST_WATCHERS = 100
_LOOK_SECONDS = 0.2

_Send = Callable[[Any], None]


class Health:
    """Answers Check and Watch from the states of the models.

    Args:
        models: The models of the server.
    """

    def __init__(self, models: Models):
        self._models = models
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        # The last status each watcher has been told, by how it is told.
        self._watchers: dict[_Send, tuple[str, str]] = {}
        self._follower: threading.Thread | None = None

    def add_to(self, server: grpc.Server) -> None:
        """Registers the service."""
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    _SERVICE,
                    {
                        "Check": grpc.unary_unary_rpc_method_handler(
                            self._check,
                            request_deserializer=HealthCheckRequest.FromString,
                            response_serializer=HealthCheckResponse.SerializeToString,
                        ),
                        "Watch": grpc.unary_stream_rpc_method_handler(
                            _Watch(self),
                            request_deserializer=HealthCheckRequest.FromString,
                            response_serializer=HealthCheckResponse.SerializeToString,
                        ),
                    },
                ),
            )
        )

    def stop(self) -> None:
        """From now on everything is NOT_SERVING; watchers are told, and told no more."""
        self._stopping.set()
        if self._follower is not None:
            self._follower.join()
        with self._lock:
            watchers, self._watchers = self._watchers, {}
        for send in watchers:
            send(_response("NOT_SERVING"))
            send(None)

    def status(self, service: str) -> str:
        """The state of a service: `SERVING`, `NOT_SERVING` or `SERVICE_UNKNOWN`."""
        if service and service not in self._models.names():
            return "SERVICE_UNKNOWN"
        if self._stopping.is_set():
            return "NOT_SERVING"
        if not service:
            return "SERVING"
        states = self._models.states(service).values()
        available = any(entry.state is State.AVAILABLE for entry in states)
        return "SERVING" if available else "NOT_SERVING"

    def _check(self, request: Any, context: grpc.ServicerContext) -> Any:
        status = self.status(request.service)
        if status == "SERVICE_UNKNOWN":
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _response(status)

    def watch(self, service: str, send: _Send, context: grpc.ServicerContext) -> None:
        """Tells the status now and whenever it has changed, until the client goes away."""
        with self._lock:
            refused = self._stopping.is_set() or len(self._watchers) >= _MOST_WATCHERS
            if not refused:
                status = self.status(service)
                self._watchers[send] = (service, status)
                if self._follower is None:
                    self._follower = threading.Thread(
                        target=self._follow, name="health", daemon=True
                    )
                    self._follower.start()
        if refused:
            context.set_code(grpc.StatusCode.RESOURCE_EXHAUSTED)
            context.set_details("too many watchers")
            send(None)
            return
        send(_response(status))
        if not context.add_callback(lambda: self._forget(send)):
            self._forget(send)

    def _forget(self, send: _Send) -> None:
        with self._lock:
            self._watchers.pop(send, None)

    def _follow(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            with self._lock:
                watchers = dict(self._watchers)
            for send, (service, told) in watchers.items():
                status = self.status(service)
                if status == told:
                    continue
                with self._lock:
                    if send not in self._watchers:
                        continue
                    self._watchers[send] = (service, status)
                send(_response(status))


class _Watch:
    """A method that leaves its thread at once: a watcher must not keep one from other requests."""

    experimental_non_blocking = True

    def __init__(self, health: Health):
        self._health = health

    def __call__(self, request: Any, context: grpc.ServicerContext, send: _Send) -> None:
        self._health.watch(request.service, send, context)


def _response(status: str) -> Any:
    return HealthCheckResponse(status=_NUMBERS[status])
