"""MultiInference: several signatures over the same examples, in one run."""

from typing import Any

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import MODEL, REFERENCE, grouped
from serving.conformance.requests import multi_inference, raw

_FEATURES = [{"x": [1.0, 2.0]}]
# What version 2 of the reference model makes of them: x @ [[2], [2]].
_EXPECTED: list[list[Any]] = [[[("low", -6.0), ("high", 6.0)]], [6.0]]
_CLASSIFY = ("classify", {"signature": "classify"})
_REGRESS = ("regress", {"signature": "regress"})

_any = grouped("multi_inference", "multi_inference_helper.cc, multi_inference.cc", MODEL)
_reference = grouped("multi_inference", "multi_inference.cc", REFERENCE)

CASES = (
    _any(
        "no task",
        raw(protocol.MULTI_INFERENCE, b""),
        "INVALID_ARGUMENT",
        r"^ModelSpec has no name specified\.$",
    ),
    _any(
        "unknown model",
        multi_inference([("classify", {"name": "no-such-model"})], _FEATURES),
        "NOT_FOUND",
        r"^Servable not found for request: Latest\(no-such-model\)$",
    ),
    _any(
        "unknown signature",
        multi_inference([("classify", {"signature": "no_such_signature"})], _FEATURES),
        "INVALID_ARGUMENT",
        "^Requested signature not found in model graph: no_such_signature$",
    ),
    _reference(
        "answers",
        multi_inference([_CLASSIFY, _REGRESS], _FEATURES),
        right=answers.results(_EXPECTED),
    ),
    _reference(
        "a second name that is empty",
        multi_inference([_CLASSIFY, ("regress", {"name": None})], _FEATURES),
        "INVALID_ARGUMENT",
        r"^Found ModelSpec with an empty model name\.$",
    ),
    _reference(
        "two models",
        multi_inference([_CLASSIFY, ("regress", {"name": "another"})], _FEATURES),
        "INVALID_ARGUMENT",
        "^All ModelSpecs in a MultiInferenceRequest must access the same model name\\.$",
    ),
    _reference(
        "a signature twice",
        multi_inference([_CLASSIFY, _CLASSIFY], _FEATURES),
        "INVALID_ARGUMENT",
        "^Duplicate evaluation of signature: classify$",
    ),
    _reference(
        "a predict task",
        multi_inference([("predict", {"signature": "serving_default"})], _FEATURES),
        "UNIMPLEMENTED",
        "^Unsupported signature method_name: tensorflow/serving/predict$",
    ),
    _reference(
        "no example",
        multi_inference([_CLASSIFY, _REGRESS]),
        "INVALID_ARGUMENT",
        r"^Input is empty\.$",
    ),
)
