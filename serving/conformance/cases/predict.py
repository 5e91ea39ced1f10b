"""Predict: what a request must name, inputs that are missing or unknown, output filters."""

from typing import Any

import numpy as np

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import MODEL, REFERENCE, grouped
from serving.conformance.requests import fitting, predict, raw
from serving.conformance.target import Target

_GOOD = {"item": ["bread", "wine"], "x": np.array([[1, 2], [3, 4]], np.float32)}
_THREE = np.array([3], np.int32)


def _without_an_input(request: Any, target: Target) -> None:
    del request.inputs[min(request.inputs)]


def _with_one_too_many(request: Any, target: Target) -> None:
    first = request.inputs[min(request.inputs)]
    for number in range(len(target.signatures[target.signature].inputs)):
        request.inputs[f"no_such_input_{number}"].CopyFrom(first)


def _unknown_output(request: Any, target: Target) -> None:
    request.output_filter.append("no_such_output")


def _repeated_output(request: Any, target: Target) -> None:
    alias = min(target.signatures[target.signature].outputs)
    request.output_filter.extend([alias, alias])


_any = grouped("predict", "predict_util.cc", MODEL)
_reference = grouped("predict", "predict_util.cc", REFERENCE)

CASES = (
    _any("fits the signature", fitting(), right=answers.all_outputs),
    _any("typed fields", fitting(), right=answers.typed_fields),
    _any("no model spec", raw(protocol.PREDICT, b""), "INVALID_ARGUMENT", "^Missing ModelSpec$"),
    _any(
        "no model name",
        fitting(name=None),
        "INVALID_ARGUMENT",
        r"^ModelSpec has no name specified\.$",
    ),
    _any(
        "unknown signature",
        fitting(signature="no_such_signature"),
        "FAILED_PRECONDITION",
        r'^Serving signature key "no_such_signature" not found\.$',
    ),
    _any(
        "missing input",
        fitting(_without_an_input),
        "INVALID_ARGUMENT",
        r"^input size does not match signature: \d+!=\d+ len\(\{.*\}\) != len\(\{.+\}\)\. "
        r"Sent extra: \{\}\. Missing but required: \{.+\}\.$"
        r"|^Signature input alias: .+\(feed name: .+\) not found in request and no default value "
        "provided",
    ),
    _any(
        "too many inputs",
        fitting(_with_one_too_many),
        "INVALID_ARGUMENT",
        r"^input size does not match signature: \d+!=\d+ .* Sent extra: \{.*no_such_input_0.*\}\.",
    ),
    _any(
        "unknown output",
        fitting(_unknown_output),
        "INVALID_ARGUMENT",
        r"^output tensor alias not found in signature: no_such_output "
        r"Outputs expected to be in the set \{.+\}\.$",
    ),
    _any(
        "output twice",
        fitting(_repeated_output),
        "INVALID_ARGUMENT",
        "^duplicate output tensor alias: .+$",
    ),
    _any(
        "a long message is cut",
        fitting(signature="s" * 3000),
        "FAILED_PRECONDITION",
        r"^Serving signature key \"s+\.\.\.TRUNCATED$",
    ),
    _reference(
        "answers",
        predict(_GOOD, version=2),
        right=answers.outputs(
            {"score": [[6.0], [14.0]], "id": [1, -1], "item": [b"bread", b"wine"]},
            "serving_default",
            2,
        ),
    ),
    _reference(
        "output filter",
        predict(_GOOD, outputs=["id"], version=2),
        right=answers.outputs({"id": [1, -1]}, version=2),
    ),
    _reference(
        "a default stands in",
        predict({"x": _THREE}, signature="scaled"),
        right=answers.outputs({"y": [30]}, "scaled"),
    ),
    _reference(
        "a value instead of the default",
        predict({"x": _THREE, "by": np.array([2])}, signature="scaled"),
        right=answers.outputs({"y": [6]}, "scaled"),
    ),
    _reference(
        "unknown beside a default",
        predict({"x": _THREE, "z": _THREE}, signature="scaled"),
        "INVALID_ARGUMENT",
        "^Inputs contains invalid name. Used request inputs: x, request input: x,z$",
    ),
    _reference(
        "one missing, one unknown",
        predict({"item": ["bread"], "y": _THREE}),
        "INVALID_ARGUMENT",
        r"^Signature input alias: x\(feed name: x:0\) not found in request and no default value "
        r"provided\. Inputs expected to be in the request \{item,y\}, or default input alias "
        "set: $",
    ),
    _reference(
        "names of inputs in order",
        predict({"item": ["bread"]}),
        "INVALID_ARGUMENT",
        r"^input size does not match signature: 1!=2 len\(\{item\}\) != len\(\{item,x\}\)\. "
        r"Sent extra: \{\}\. Missing but required: \{x\}\.$",
    ),
    _reference(
        "a classify signature can be predicted",
        predict({"inputs": [b""]}, signature="regress"),
        right=answers.outputs({"outputs": [0.0]}, "regress"),
    ),
    _reference(
        "the deadline bounds the run",
        predict({"steps": np.array([2**31 - 1], np.int32)}, signature="slow", timeout=0.5),
        "DEADLINE_EXCEEDED",
    ),
)
