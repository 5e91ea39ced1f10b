"""What every gRPC request passes on its way in: a bound on how many run, and the counters.

Python's gRPC server keeps a thread from the moment a call is opened until its message has come, so
a few clients that open calls and send nothing would stop a small pool. The pool is large instead,
and only so many of its threads run a model at once.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from serving.server.metrics import Metrics

_SERVICE = "/tensorflow.serving.PredictionService/"
# TF Serving counts these, and neither MultiInference nor GetModelMetadata.
_COUNTED = ("Predict", "Classify", "Regress")


class Entry(grpc.ServerInterceptor):
    """Stands before the methods of `PredictionService`.

    Args:
        running: The requests that run at once; more wait.
        metrics: What is counted.
    """

    def __init__(self, running: int, metrics: Metrics):
        self._running = threading.Semaphore(running)
        self._metrics = metrics
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """The method's handler with this before it; others' are left alone."""
        method = handler_call_details.method
        if not method.startswith(_SERVICE):
            return continuation(handler_call_details)
        handler = self._handlers.get(method)
        if handler is None:
            inner = continuation(handler_call_details)
            if inner is None:
                return None
            handler = self._handlers[method] = grpc.unary_unary_rpc_method_handler(
                self._bounded(inner.unary_unary, method.removeprefix(_SERVICE)),
                request_deserializer=inner.request_deserializer,
                response_serializer=inner.response_serializer,
            )
        return handler

    def _bounded(self, behaviour: Callable[..., Any], api: str) -> Callable[..., Any]:
        def run(request: Any, context: grpc.ServicerContext) -> Any:
            with self._running:
                return behaviour(request, context)

        def run_counted(request: Any, context: grpc.ServicerContext) -> Any:
            start = time.perf_counter()
            code = "OK"
            try:
                return run(request, context)
            except Exception:
                code = getattr(context.code(), "name", "UNKNOWN")
                raise
            finally:
                seconds = time.perf_counter() - start
                self._metrics.record(request.model_spec.name, api, "GRPC", code, seconds)

        return run_counted if api in _COUNTED else run
