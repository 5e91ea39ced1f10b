"""What a GetModelStatus request means: the states of a model's versions."""

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from serving.server.models import Models, require_model_spec
from serving.server.status import StatusError


def get_model_status(
    models: Models, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Answers one GetModelStatus request.

    Args:
        models: All models of the server.
        request: The request, for one version or for all that were ever seen; a label in it is
            ignored.

    Returns:
        The states, newest version first, with the error of those that could not be loaded.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    require_model_spec(request)
    spec = request.model_spec
    states = models.states(spec.name)
    if spec.HasField("version"):
        number = spec.version.value
        if number not in states:
            raise _not_found(f"Could not find version {number} of model {spec.name}")
        states = {number: states[number]}
    elif not states:
        raise _not_found(f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, entry in states.items():
        status = response.model_version_status.add(version=number, state=entry.state.value)
        # A healthy version has a status too: OK without a message.
        status.status.SetInParent()
        if entry.error is not None:
            status.status.error_code = entry.error.code.value[0]
            status.status.error_message = entry.error.message
    return response


def _not_found(message: str) -> StatusError:
    return StatusError(grpc.StatusCode.NOT_FOUND, message)
