"""What a response should hold; each maker returns a check that says what is wrong, or nothing."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from serving import protocol
from serving.conformance.case import Answer
from serving.conformance.target import Target
from serving.tensors import decode

Right = Callable[[Answer, Target], str]
_TOLERANCE = 1e-5


def outputs(expected: Mapping[str, Any], signature: str = "", version: int | None = None) -> Right:
    """A PredictResponse with these outputs and no other, in typed fields.

    Args:
        expected: Array-likes by output; strings as `bytes`.
        signature: The name the model spec should have; not looked at when empty.
        version: The version it should have, instead of the latest.
    """

    def right(answer: Answer, target: Target) -> str:
        response = protocol.PredictResponse.FromString(answer.body)
        got = {name: decode(proto) for name, proto in response.outputs.items()}
        if set(got) != set(expected):
            return f"outputs {sorted(got)} instead of {sorted(expected)}"
        for name, value in expected.items():
            if not _equal(got[name], value):
                return f"output {name} is {_short(got[name].tolist())}, not {_short(value)}"
        spec = response.model_spec
        wanted = target.latest if version is None else version
        if (spec.name, spec.version.value) != (target.model, wanted):
            return f"model spec {spec.name} {spec.version.value}, not {target.model} {wanted}"
        if signature and spec.signature_name != signature:
            return f"model spec names signature {spec.signature_name!r}, not {signature!r}"
        return "the model spec repeats the label" if spec.version_label else ""

    return right


def typed_fields(answer: Answer, target: Target) -> str:
    """Numbers are in the typed fields, and not in `tensor_content`."""
    response = protocol.PredictResponse.FromString(answer.body)
    wrong = [name for name, proto in sorted(response.outputs.items()) if proto.tensor_content]
    return f"outputs {wrong} are in tensor_content" if wrong else ""


def all_outputs(answer: Answer, target: Target) -> str:
    """A response with every output of the signature that was asked."""
    response = protocol.PredictResponse.FromString(answer.body)
    declared = set(target.signatures[target.signature].outputs)
    got = set(response.outputs)
    return "" if got == declared else f"outputs {sorted(got)} instead of {sorted(declared)}"


def classes(expected: list[list[tuple[str, float]]]) -> Right:
    """A ClassificationResponse with these classes of each example."""

    def right(answer: Answer, target: Target) -> str:
        response = protocol.ClassificationResponse.FromString(answer.body)
        got = read_classes(response.result)
        if not _equal_classes(got, expected):
            return f"classes {_short(got)}, not {_short(expected)}"
        return _own_spec(response.model_spec, target)

    return right


def regressions(expected: list[float]) -> Right:
    """A RegressionResponse with these values."""

    def right(answer: Answer, target: Target) -> str:
        response = protocol.RegressionResponse.FromString(answer.body)
        got = [entry.value for entry in response.result.regressions]
        if not _equal(got, expected):
            return f"values {_short(got)}, not {_short(expected)}"
        return _own_spec(response.model_spec, target)

    return right


def results(expected: list[list[Any]]) -> Right:
    """A MultiInferenceResponse with a classification and a regression, in this order."""

    def right(answer: Answer, target: Target) -> str:
        response = protocol.MultiInferenceResponse.FromString(answer.body)
        if len(response.results) != 2:
            return f"{len(response.results)} results instead of 2"
        first, second = response.results
        if not _equal_classes(read_classes(first.classification_result), expected[0]):
            return "the classification is another"
        if not _equal([e.value for e in second.regression_result.regressions], expected[1]):
            return "the regression is another"
        return _own_spec(first.model_spec, target) or _own_spec(second.model_spec, target)

    return right


def read_classes(result: Any) -> list[list[tuple[str, float]]]:
    """A `ClassificationResult` as plain lists."""
    return [[(one.label, one.score) for one in row.classes] for row in result.classifications]


def signature_map(answer: Answer, target: Target) -> str:
    """A GetModelMetadataResponse whose `Any` holds a SignatureDefMap."""
    response = protocol.GetModelMetadataResponse.FromString(answer.body)
    packed = response.metadata[protocol.SIGNATURE_DEF]
    if not packed.type_url.endswith("/tensorflow.serving.SignatureDefMap"):
        return f"the metadata is of type {packed.type_url!r}"
    found = protocol.SignatureDefMap.FromString(packed.value).signature_def
    if target.signature not in found:
        return f"there is no signature {target.signature!r}, only {sorted(found)}"
    return _own_spec(response.model_spec, target)


def states(answer: Answer, target: Target) -> str:
    """A GetModelStatusResponse: versions descending, one of them AVAILABLE, each with a status."""
    response = protocol.GetModelStatusResponse.FromString(answer.body)
    numbers = [entry.version for entry in response.model_version_status]
    if numbers != sorted(numbers, reverse=True):
        return f"versions are not in descending order: {numbers}"
    if target.latest not in numbers:
        return f"version {target.latest} is missing: {numbers}"
    without = [e.version for e in response.model_version_status if not e.HasField("status")]
    return f"versions {without} have no status" if without else ""


def serving(answer: Answer, target: Target) -> str:
    """A HealthCheckResponse that says SERVING."""
    state = protocol.HealthCheckResponse.FromString(answer.body).status
    return "" if state == 1 else f"health is {protocol.HEALTH_STATES.get(state, state)}"


def json_of(check: Callable[[Any], bool]) -> Right:
    """A JSON body of which something holds; Python's reader takes NaN and Infinity as TF Serving
    writes them."""

    def right(answer: Answer, target: Target) -> str:
        try:
            holds = check(json.loads(answer.body))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return f"{type(error).__name__} {error} in {answer.body[:200]!r}"
        return "" if holds else f"the body is {answer.body[:200]!r}"

    return right


def _own_spec(spec: Any, target: Target) -> str:
    got = (spec.name, spec.version.value)
    wanted = (target.model, target.latest)
    return "" if got == wanted else f"model spec {got}, not {wanted}"


def _equal_classes(got: list[Any], expected: list[Any]) -> bool:
    return len(got) == len(expected) and all(
        [label for label, _ in one] == [label for label, _ in other]
        and all(
            math.isclose(a, b, rel_tol=_TOLERANCE)
            for (_, a), (_, b) in zip(one, other, strict=True)
        )
        for one, other in zip(got, expected, strict=True)
    )


def _equal(got: Any, expected: Any) -> bool:
    array = np.asarray(got)
    if array.dtype.kind == "O":
        return bool(array.tolist() == expected)
    wanted = np.asarray(expected, array.dtype)
    return array.shape == wanted.shape and np.allclose(array, wanted, _TOLERANCE, equal_nan=True)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 80 else text[:77] + "..."
