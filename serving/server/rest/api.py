"""What a path of the REST interface asks for, and its answer.

POST /v1/models/M[/versions/N|/labels/L]:predict|classify|regress
GET  /v1/models/M[/versions/N|/labels/L]           the states of its versions
GET  /v1/models/M[/versions/N|/labels/L]/metadata  its signatures
GET  /monitoring/prometheus/metrics                 for Prometheus
"""

import html
import logging
import re
import time
import zlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.server.classify import classify
from serving.server.metrics import Metrics
from serving.server.model_metadata import get_model_metadata
from serving.server.model_status import get_model_status
from serving.server.models import Models
from serving.server.options import MONITORING_PATH, ServerOptions
from serving.server.predict import predict
from serving.server.regress import regress
from serving.server.rest import json_response
from serving.server.rest.http import Answer, Request, is_gzip, unzipped_size
from serving.server.rest.json_examples import fill_examples
from serving.server.rest.json_request import fill_inputs, fill_signature
from serving.server.rest.json_text import error_body, parse
from serving.server.status import StatusError, from_tensorflow, invalid_argument

_LOG = logging.getLogger(__name__)
_DEFAULT_SIGNATURE = "serving_default"
# Digits of the largest 64-bit number.
_LONGEST = 19

_ROOT = re.compile(r"(?i)/v1/.*")
_CALL = re.compile(
    r"(?i)/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?:(classify|regress|predict)"
)
_LOOK = re.compile(
    r"(?i)/v1/models(?:/([^/:]+))?(?:/versions/([0-9]+)|/labels/([^/:]+))?(?:/(metadata))?"
)

_HTTP_CODES = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}


class Api:
    """Answers whole requests; `answer` may be called from many threads at once.

    Args:
        models: The models of the server.
        metrics: What is counted, and shown to Prometheus.
        options: Those of the server.
    """

    def __init__(self, models: Models, metrics: Metrics, options: ServerOptions):
        self._models = models
        self._metrics = metrics
        self._options = options
        self._timeout = options.rest_api_timeout_in_ms / 1000

    def answer(self, request: Request) -> Answer:
        """The answer to a request, also to one that fails."""
        if self._options.monitoring and request.target.split("?")[0] == MONITORING_PATH:
            return self._metrics_page(request.target)
        if _ROOT.fullmatch(request.target) is None:
            return plain_error(404)
        try:
            if is_gzip(request):
                request.body = _unzipped(request.body)
            return Answer(200, self._body(request))
        except _NumberError:
            return Answer(400, b"")
        except Exception as error:
            failure = _as_status(error)
            return Answer(_HTTP_CODES.get(failure.code, 500), error_body(failure.message))

    def _metrics_page(self, target: str) -> Answer:
        if target != MONITORING_PATH:
            problem = f"Unexpected path: {target}. Should be {MONITORING_PATH}"
            return Answer(400, problem.encode(), "text/plain")
        return Answer(200, self._metrics.render().encode(), "text/plain")

    def _body(self, request: Request) -> bytes:
        if request.method == "POST" and (match := _CALL.fullmatch(request.target)):
            spec = _ModelSpec(match)
            return self._counted(spec, match[4].lower(), request.body)
        if request.method == "GET" and (match := _LOOK.fullmatch(request.target)):
            if match[1] is None:
                raise invalid_argument("Missing model name in request.")
            spec = _ModelSpec(match)
            return self._metadata(spec) if match[4] else self._status(spec)
        raise invalid_argument(f"Malformed request: {request.method} {request.target}")

    def _counted(self, spec: "_ModelSpec", method: str, body: bytes) -> bytes:
        start = time.perf_counter()
        call = {"predict": self._predict, "classify": self._classify, "regress": self._regress}
        code = "OK"
        try:
            return call[method](spec, body)
        except Exception as error:
            failure = _as_status(error)
            code = failure.code.name
            raise failure from error
        finally:
            seconds = time.perf_counter() - start
            self._metrics.record(spec.name, method, "REST", code, seconds)

    def _predict(self, spec: "_ModelSpec", body: bytes) -> bytes:
        request = predict_pb2.PredictRequest()
        spec.fill(request.model_spec)
        document = parse(body)
        fill_signature(document, request.model_spec)
        with self._models.acquire(request.model_spec) as model:
            name = request.model_spec.signature_name or _DEFAULT_SIGNATURE
            signature = model.signatures.get(name)
            if signature is None:
                raise invalid_argument(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            if not signature.inputs:
                asked = request.model_spec.signature_name or "DEFAULT"
                raise invalid_argument(f"Failed to get input map for signature: {asked}")
            layout = fill_inputs(document, dict(signature.inputs), request.inputs)
            response = predict(model, request, self._timeout)
        return json_response.predictions(response.outputs, layout)

    def _classify(self, spec: "_ModelSpec", body: bytes) -> bytes:
        request = classification_pb2.ClassificationRequest()
        response = self._run_examples(spec, body, request, classify)
        return json_response.classifications(response.result)

    def _regress(self, spec: "_ModelSpec", body: bytes) -> bytes:
        request = regression_pb2.RegressionRequest()
        response = self._run_examples(spec, body, request, regress)
        return json_response.regressions(response.result)

    def _run_examples(
        self, spec: "_ModelSpec", body: bytes, request: Any, run: Callable[..., Any]
    ) -> Any:
        spec.fill(request.model_spec)
        document = parse(body)
        fill_signature(document, request.model_spec)
        fill_examples(document, request.input)
        with self._models.acquire(request.model_spec) as model:
            return run(model, request, self._timeout)

    def _status(self, spec: "_ModelSpec") -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest()
        spec.fill(request.model_spec)
        return json_response.message(get_model_status(self._models, request))

    def _metadata(self, spec: "_ModelSpec") -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        spec.fill(request.model_spec)
        return json_response.metadata(get_model_metadata(self._models, request))


def plain_error(code: int) -> Answer:
    """What a client gets outside of the interface: a page as libevent writes it."""
    phrase = html.escape(HTTPStatus(code).phrase)
    page = (
        f"<HTML><HEAD>\n<TITLE>{code} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>\n"
        "</BODY></HTML>\n"
    )
    return Answer(code, page.encode(), "text/html")


class _ModelSpec:
    """The model, and perhaps version or label, that a path names."""

    def __init__(self, match: re.Match[str]):
        self.name = _decoded(match[1])
        self._version, self._label = match[2], match[3]
        digits = (self._version or "").lstrip("0")
        if len(digits) > _LONGEST or int(digits or 0) >= 2**63:
            raise _NumberError

    def fill(self, spec: Any) -> None:
        spec.name = self.name
        if self._version is not None:
            spec.version.value = int(self._version)
        if self._label is not None:
            spec.version_label = _decoded(self._label)


class _NumberError(Exception):
    """A version that is no 64-bit number. TF Serving's answer to it has no body."""


def _decoded(part: str) -> str:
    return unquote_to_bytes(part.encode("latin-1")).decode("utf-8", "replace")


def _unzipped(body: bytes) -> bytes:
    """A body without its compression; an empty one where it is damaged, as in TF Serving."""
    size = unzipped_size(body)
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        # No more than was set aside for it when it was read.
        content = stream.decompress(body, size + 1)
    except zlib.error:
        return b""
    return content if stream.eof and len(content) == size else b""


def _as_status(error: Exception) -> StatusError:
    if isinstance(error, StatusError):
        return error
    if isinstance(error, tf.errors.OpError):
        return from_tensorflow(error)
    if isinstance(error, UnicodeError):
        return invalid_argument("JSON Parse error: Invalid encoding in string.")
    if isinstance(error, RecursionError):
        return invalid_argument("JSON Parse error: The document is nested too deeply.")
    _LOG.error("a request failed in a way it should not", exc_info=error)
    return StatusError(grpc.StatusCode.INTERNAL, "internal error, see the server's log")
