"""Bytes that are no request, methods that are none, health."""

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import Case, grouped
from serving.conformance.requests import raw

_METHODS = {
    "Predict": protocol.PREDICT,
    "Classify": protocol.CLASSIFY,
    "Regress": protocol.REGRESS,
    "MultiInference": protocol.MULTI_INFERENCE,
    "GetModelMetadata": protocol.GET_MODEL_METADATA,
    "GetModelStatus": protocol.GET_MODEL_STATUS,
    "HandleReloadConfigRequest": protocol.RELOAD_CONFIG,
}
_JUNK = {
    "no message": b"\xff\xff\xff\xff",
    "a length beyond the end": b"\x0a\x7f\x0a",
    "a group that never ends": b"\x0b" * 64,
}
# model_spec { name: "\xff\xfe" }, which is no UTF-8.
_BAD_NAME = b"\x0a\x04\x0a\x02\xff\xfe"
_UNKNOWN_SERVICE = protocol.HealthCheckRequest(service="no.such.Service").SerializeToString()
_IF_ENABLED = "OK|UNIMPLEMENTED"
_NAMED_BADLY = ("Predict", "Classify", "Regress", "GetModelMetadata", "GetModelStatus")

_case = grouped("wire", "gRPC: a request that cannot be parsed is INTERNAL")
_health = grouped("health", "server.cc: --enable_grpc_healthcheck_service")


def _junk() -> list[Case]:
    return [
        _case(f"{about} to {name}", raw(method, payload), "INTERNAL")
        for name, method in _METHODS.items()
        for about, payload in _JUNK.items()
    ]


def _names() -> list[Case]:
    return [
        _case(f"a name that is not UTF-8 to {name}", raw(_METHODS[name], _BAD_NAME), "INTERNAL")
        for name in _NAMED_BADLY
    ]


CASES = (
    *_junk(),
    *_names(),
    _case(
        "unknown method",
        raw("/tensorflow.serving.PredictionService/NoSuchMethod", b""),
        "UNIMPLEMENTED",
    ),
    _case("unknown service", raw("/no.such.Service/Predict", b""), "UNIMPLEMENTED"),
    _case("a method that climbs", raw("/../../etc/passwd", b""), "UNIMPLEMENTED"),
    _health("of the server", raw(protocol.HEALTH, b""), _IF_ENABLED, right=answers.serving),
    _health(
        "of an unknown service",
        raw(protocol.HEALTH, _UNKNOWN_SERVICE),
        "NOT_FOUND|UNIMPLEMENTED",
    ),
    _health(
        "no message", raw(protocol.HEALTH, b"\xff\xff"), "INTERNAL|INVALID_ARGUMENT|UNIMPLEMENTED"
    ),
)
