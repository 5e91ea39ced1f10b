"""What a GetModelMetadata request means: the signatures of a version."""

from tensorflow_serving.apis import get_model_metadata_pb2

from serving.server.models import Models, require_model_spec
from serving.server.status import invalid_argument

_SIGNATURE_DEF = "signature_def"


def get_model_metadata(
    models: Models, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Answers one GetModelMetadata request.

    Args:
        models: All models of the server.
        request: The request; `signature_def` is the one field there is.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    require_model_spec(request)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != _SIGNATURE_DEF:
            # TF Serving joins this message without formatting it.
            raise invalid_argument(f"Metadata field %s is not supported{name}")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    with models.acquire(request.model_spec) as model:
        for key, signature in model.signatures.items():
            signatures.signature_def[key].CopyFrom(signature)
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = model.number
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response
