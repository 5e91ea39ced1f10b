"""The gRPC services: from a call to a request, and from a failure to a status."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.server.manager import ModelManager, not_found
from serving.server.model import LoadedVersion
from serving.server.predict import predict
from serving.server.status import StatusError, from_tensorflow, invalid_argument

_LOG = logging.getLogger(__name__)
_SIGNATURE_DEF = "signature_def"
# gRPC tells of a missing deadline as one some centuries away.
_NO_DEADLINE = 10 * 365 * 24 * 3600.0


def _unimplemented(name: str) -> Callable[..., Any]:
    def method(self: Any, request: Any, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{name} is not served by the embedded server")

    return method


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED."""

    Classify = _unimplemented("Classify")
    Regress = _unimplemented("Regress")
    MultiInference = _unimplemented("MultiInference")

    def __init__(self, models: Mapping[str, ModelManager]):
        self._models = models

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature; the client's deadline bounds the run."""
        with _statuses(context):
            _require_model_spec(request)
            with _resolve(self._models, request.model_spec) as model:
                return predict(model, request, _time_left(context))

    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answers the signatures of a version."""
        with _statuses(context):
            _require_model_spec(request)
            if not request.metadata_field:
                raise invalid_argument(
                    "GetModelMetadataRequest must specify at least one metadata_field"
                )
            for name in request.metadata_field:
                if name != _SIGNATURE_DEF:
                    # TF Serving joins this message without formatting it.
                    raise invalid_argument(f"Metadata field %s is not supported{name}")
            with _resolve(self._models, request.model_spec) as model:
                return _metadata(request.model_spec.name, model)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; reloading the configuration answers UNIMPLEMENTED."""

    HandleReloadConfigRequest = _unimplemented("HandleReloadConfigRequest")

    def __init__(self, models: Mapping[str, ModelManager]):
        self._models = models

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answers the states of one version or of all, newest first."""
        with _statuses(context):
            _require_model_spec(request)
            return _status(self._models, request.model_spec)


@contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    """Ends the call with the status of whatever is raised within."""
    try:
        yield
    except StatusError as error:
        failure = error
    except tf.errors.OpError as error:
        failure = from_tensorflow(error)
    except Exception:
        _LOG.exception("a request failed in a way it should not")
        failure = StatusError(grpc.StatusCode.INTERNAL, "internal error, see the server's log")
    else:
        return
    context.abort(failure.code, failure.message)


def _require_model_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


@contextmanager
def _resolve(
    models: Mapping[str, ModelManager], spec: model_pb2.ModelSpec
) -> Iterator[LoadedVersion]:
    """Holds the version a request asks for.

    Raises:
        StatusError: INVALID_ARGUMENT without a name or with a label (this server has none),
            NOT_FOUND when the model or version is not served.
    """
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    if choice == "version_label":
        raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
    number = spec.version.value if choice == "version" else None
    if spec.name not in models:
        raise not_found(spec.name, number)
    with models[spec.name].acquire(number) as model:
        yield model


def _time_left(context: grpc.ServicerContext) -> float | None:
    """Seconds to the client's deadline, `None` without one.

    Raises:
        StatusError: DEADLINE_EXCEEDED when it has passed while the call waited for a thread.
    """
    left = context.time_remaining()
    if left is None or left > _NO_DEADLINE:
        return None
    if left <= 0:
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for a thread")
    return left


def _metadata(name: str, model: LoadedVersion) -> get_model_metadata_pb2.GetModelMetadataResponse:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for key, signature in model.signatures.items():
        signatures.signature_def[key].CopyFrom(signature)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = name
    response.model_spec.version.value = model.number
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response


def _status(
    models: Mapping[str, ModelManager], spec: model_pb2.ModelSpec
) -> get_model_status_pb2.GetModelStatusResponse:
    states = models[spec.name].states() if spec.name in models else {}
    if spec.HasField("version"):
        number = spec.version.value
        if number not in states:
            raise StatusError(
                grpc.StatusCode.NOT_FOUND, f"Could not find version {number} of model {spec.name}"
            )
        states = {number: states[number]}
    elif not states:
        raise StatusError(
            grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {spec.name}"
        )
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, entry in states.items():
        status = response.model_version_status.add(version=number, state=entry.state.value)
        # A healthy version has a status too: OK without a message.
        status.status.SetInParent()
        if entry.error is not None:
            status.status.error_code = entry.error.code.value[0]
            status.status.error_message = entry.error.message
    return response
