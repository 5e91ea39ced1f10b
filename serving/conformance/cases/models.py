"""GetModelMetadata and GetModelStatus."""

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import MODEL, grouped
from serving.conformance.requests import metadata, raw, status

_metadata = grouped("metadata", "get_model_metadata_impl.cc", MODEL)
_status = grouped("status", "get_model_status_impl.cc", MODEL)

CASES = (
    _metadata("answers", metadata(), right=answers.signature_map),
    _metadata(
        "no model spec",
        raw(protocol.GET_MODEL_METADATA, b""),
        "INVALID_ARGUMENT",
        "^Missing ModelSpec$",
    ),
    _metadata(
        "no field",
        metadata(fields=()),
        "INVALID_ARGUMENT",
        "^GetModelMetadataRequest must specify at least one metadata_field$",
    ),
    _metadata(
        "unknown field",
        metadata(fields=("size",)),
        "INVALID_ARGUMENT",
        "^Metadata field %s is not supportedsize$",
    ),
    _metadata(
        "a field that is unknown comes before a model that is",
        metadata(fields=("size",), name="no-such-model"),
        "INVALID_ARGUMENT",
        "^Metadata field %s is not supportedsize$",
    ),
    _metadata(
        "unknown model",
        metadata(name="no-such-model"),
        "NOT_FOUND",
        r"^Servable not found for request: Latest\(no-such-model\)$",
    ),
    _metadata(
        "unknown label",
        metadata(label="no-such-label"),
        "INVALID_ARGUMENT",
        "^Unrecognized servable version label: no-such-label$",
    ),
    _status("answers", status(), right=answers.states),
    _status("labels are not looked at", status(label="no-such-label"), right=answers.states),
    _status(
        "no model spec",
        raw(protocol.GET_MODEL_STATUS, b""),
        "INVALID_ARGUMENT",
        "^Missing ModelSpec$",
    ),
    _status(
        "no model name",
        status(name=None),
        "NOT_FOUND",
        "^Could not find any versions of model $",
    ),
    _status(
        "unknown model",
        status(name="../no-such-model"),
        "NOT_FOUND",
        r"^Could not find any versions of model \.\./no-such-model$",
    ),
)
