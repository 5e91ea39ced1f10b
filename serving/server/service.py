"""The gRPC services: from a call to a request, and from a failure to a status."""

import logging
from types import TracebackType
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.server.classify import classify
from serving.server.model_metadata import get_model_metadata
from serving.server.model_status import get_model_status
from serving.server.models import Models, require_model_spec
from serving.server.multi_inference import multi_inference, spec_of
from serving.server.predict import predict
from serving.server.regress import regress
from serving.server.status import StatusError, from_tensorflow

_LOG = logging.getLogger(__name__)
# gRPC tells of a missing deadline as one some centuries away.
_NO_DEADLINE = 10 * 365 * 24 * 3600.0


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Runs models; the client's deadline bounds each run."""

    def __init__(self, models: Models):
        self._models = models

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs any signature, from named tensors to named tensors."""
        with _Statuses(context):
            require_model_spec(request)
            with self._models.acquire(request.model_spec) as model:
                return predict(model, request, _time_left(context))

    def Classify(
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Runs a signature that gives classes and scores of examples."""
        with _Statuses(context):
            require_model_spec(request)
            with self._models.acquire(request.model_spec) as model:
                return classify(model, request, _time_left(context))

    def Regress(
        self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """Runs a signature that gives a number for each example."""
        with _Statuses(context):
            require_model_spec(request)
            with self._models.acquire(request.model_spec) as model:
                return regress(model, request, _time_left(context))

    def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several such signatures at once."""
        with _Statuses(context), self._models.acquire(spec_of(request)) as model:
            return multi_inference(model, request, _time_left(context))

    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answers the signatures of a version."""
        with _Statuses(context):
            return get_model_metadata(self._models, request)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Tells of the models and takes over a new list of them."""

    def __init__(self, models: Models):
        self._models = models

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answers the states of one version or of all, newest first."""
        with _Statuses(context):
            return get_model_status(self._models, request)

    def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves another list of models; returns when those that are new in it are loaded."""
        with _Statuses(context):
            self._models.reload(request.config, context.is_active)
            response = model_management_pb2.ReloadConfigResponse()
            response.status.SetInParent()
            return response


class _Statuses:
    """Ends the call with the status of whatever is raised within."""

    __slots__ = ("_context",)

    def __init__(self, context: grpc.ServicerContext):
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        failure = _status_of(error)
        if failure is not None:
            self._context.abort(failure.code, failure.message)


def _status_of(error: BaseException) -> StatusError | None:
    if isinstance(error, StatusError):
        return error
    if isinstance(error, tf.errors.OpError):
        return from_tensorflow(error)
    if not isinstance(error, Exception):
        return None
    _LOG.error("a request failed in a way it should not", exc_info=error)
    return StatusError(grpc.StatusCode.INTERNAL, "internal error, see the server's log")


def _time_left(context: grpc.ServicerContext) -> float | None:
    """Seconds to the client's deadline, `None` without one.

    Raises:
        StatusError: DEADLINE_EXCEEDED when it has passed while the call waited for a thread.
    """
    left: Any = context.time_remaining()
    if left is None or left > _NO_DEADLINE:
        return None
    if left <= 0:
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for a thread")
    return float(left)
