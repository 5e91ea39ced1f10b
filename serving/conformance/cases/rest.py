"""REST: addresses, status and metadata, methods and paths that are none."""

from serving.conformance import answers
from serving.conformance.case import LABELS, MODEL, REST, RestCall, grouped
from serving.conformance.requests import get, post

_SOURCE = "http_rest_api_util.cc, http_rest_api_handler.cc"
_any = grouped("rest", _SOURCE, frozenset([MODEL, REST]))
_labels = grouped("rest", _SOURCE, frozenset([LABELS, REST]))


def _is_available(answer: dict) -> bool:
    states = [entry["state"] for entry in answer["model_version_status"]]
    return "AVAILABLE" in states


def _has_texts(answer: dict) -> bool:
    """Versions are strings, as JSON has no int64, and a healthy version says OK."""
    entry = answer["model_version_status"][0]
    return isinstance(entry["version"], str) and entry["status"]["error_code"] == "OK"


def _has_signatures(answer: dict) -> bool:
    found = answer["metadata"]["signature_def"]["signature_def"]
    return bool(found) and isinstance(answer["model_spec"]["version"], str)


CASES = (
    _any("status", get("/v1/models/{model}"), "200", right=answers.json_of(_is_available)),
    _any("status as text", get("/v1/models/{model}"), "200", right=answers.json_of(_has_texts)),
    _any(
        "status of a version",
        get("/v1/models/{model}/versions/{latest}"),
        "200",
        right=answers.json_of(_is_available),
    ),
    _any(
        "metadata",
        get("/v1/models/{model}/metadata"),
        "200",
        right=answers.json_of(_has_signatures),
    ),
    _any(
        "metadata of a version",
        get("/v1/models/{model}/versions/{latest}/metadata"),
        "200",
        right=answers.json_of(_has_signatures),
    ),
    _labels(
        "metadata of a label",
        get("/v1/models/{model}/labels/stable/metadata"),
        "200",
        right=answers.json_of(lambda answer: answer["model_spec"]["version"] == "1"),
    ),
    _any("no model name", get("/v1/models"), "400", r"^Missing model name in request\.$"),
    _any(
        "unknown model",
        get("/v1/models/no-such-model"),
        "404",
        "^Could not find any versions of model no-such-model$",
    ),
    _any(
        "unknown version",
        get("/v1/models/{model}/versions/987654321"),
        "404",
        "^Could not find version 987654321 of model .+$",
    ),
    _any("a version beyond int64", get("/v1/models/{model}/versions/" + "9" * 30), "400"),
    _any(
        "metadata of an unknown model",
        get("/v1/models/no-such-model/metadata"),
        "404",
        r"^Servable not found for request: Latest\(no-such-model\)$",
    ),
    _any(
        "metadata of an unknown label",
        get("/v1/models/{model}/labels/no-such-label/metadata"),
        "400",
        "^Unrecognized servable version label: no-such-label$",
    ),
    _any(
        "malformed", get("/v1/no/such/thing"), "400", "^Malformed request: GET /v1/no/such/thing$"
    ),
    _any(
        "a POST without a method",
        post("/v1/models/{model}", {}),
        "400",
        "^Malformed request: POST /v1/models/.+$",
    ),
    _any(
        "an unknown method",
        post("/v1/models/{model}:explain", {}),
        "400",
        "^Malformed request: POST /v1/models/.+:explain$",
    ),
    _any(
        "a GET that predicts",
        get("/v1/models/{model}:predict"),
        "400",
        "^Malformed request: GET /v1/models/.+:predict$",
    ),
    _any(
        "a DELETE",
        lambda target: RestCall("DELETE", f"/v1/models/{target.model}"),
        "400|404|405|501",
    ),
    _any("a path beside", get("/v2/models"), "404"),
    _any("the root", get("/"), "404"),
    _any("a path that climbs", get("/v1/models/../../../etc/passwd"), "400|404"),
    _any("a path of the host", get("/etc/passwd"), "404"),
    _any(
        "a name that climbs in escapes",
        get("/v1/models/..%2F..%2Fetc%2Fpasswd"),
        "404",
        r"^Could not find any versions of model \.\./\.\./etc/passwd$",
    ),
    _any("a name of a zero byte", get("/v1/models/no%00such"), "400|404"),
    _any("an escape that is none", get("/v1/models/no%zzsuch"), "400|404"),
    _any("a long path", get("/v1/models/" + "m" * 5000), "400|404|414"),
)
