"""Classify and Regress: tf.Examples, with a context too, and signatures that are neither."""

from serving import protocol
from serving.conformance import answers
from serving.conformance.case import MODEL, REFERENCE, Case, grouped
from serving.conformance.requests import examples, raw

_ONE, _TWO = {"x": [1.0, 2.0]}, {"x": [0.5, 0.0]}
# What version 2 of the reference model makes of them: x @ [[2], [2]].
_SCORES = [6.0, 1.0]
_CLASSES = [[("low", -score), ("high", score)] for score in _SCORES]
_METHODS = {"classify": protocol.CLASSIFY, "regress": protocol.REGRESS}
_RIGHT = {"classify": answers.classes(_CLASSES), "regress": answers.regressions(_SCORES)}
_OF_NOTHING = {
    "classify": answers.classes([[("low", 0.0), ("high", 0.0)]]),
    "regress": answers.regressions([0.0]),
}
_SOURCES = {
    "classify": "classification_service.cc, classifier.cc, util.cc",
    "regress": "regression_service.cc, regressor.cc, util.cc",
}


def _any_model(name: str) -> list[Case]:
    case, method = grouped(name, _SOURCES[name], MODEL), _METHODS[name]
    return [
        case("no model spec", raw(method, b""), "INVALID_ARGUMENT", "^Missing ModelSpec$"),
        case(
            "no model name",
            examples(method, [_ONE], name=None),
            "INVALID_ARGUMENT",
            r"^ModelSpec has no name specified\.$",
        ),
        case(
            "unknown model",
            examples(method, [_ONE], name="no-such-model"),
            "NOT_FOUND",
            r"^Servable not found for request: Latest\(no-such-model\)$",
        ),
        case(
            "unknown label",
            examples(method, [_ONE], label="no-such-label"),
            "INVALID_ARGUMENT",
            "^Unrecognized servable version label: no-such-label$",
        ),
        case(
            "unknown signature",
            examples(method, [_ONE], signature="no_such_signature"),
            "INVALID_ARGUMENT",
            "^No signature was found with the name: no_such_signature$",
        ),
    ]


def _reference_model(name: str) -> list[Case]:
    case, method = grouped(name, _SOURCES[name], REFERENCE), _METHODS[name]

    def asked(*features: dict[str, list[float]]) -> object:
        return examples(method, features, signature=name, version=2)

    return [
        case("answers", asked(_ONE, _TWO), right=_RIGHT[name]),
        case("an example without features", asked({}), right=_OF_NOTHING[name]),
        case(
            "a context shared by all",
            examples(method, [{}, _TWO], _ONE, signature=name, version=2),
            right=_RIGHT[name],
        ),
        case("no example", asked(), "INVALID_ARGUMENT", r"^Input is empty\.$"),
        case(
            "a context without examples",
            examples(method, [], _ONE, signature=name),
            "INVALID_ARGUMENT",
            r"^Input is empty\.$",
        ),
        case(
            "text for a number",
            examples(method, [{"x": [b"one", b"two"]}], signature=name),
            "INVALID_ARGUMENT",
            r"Data types don't match\. .*expected type: float",
        ),
        case(
            "one number for two",
            examples(method, [{"x": [1.0]}], signature=name),
            "INVALID_ARGUMENT",
            "Number of float values != expected",
        ),
        # With --enable_signature_method_name_check the first message, without it the second.
        case(
            "a predict signature",
            examples(method, [_ONE], signature="serving_default"),
            "INVALID_ARGUMENT",
            r"^Expected \w+ signature method_name to be|^Expected one input Tensor\.$",
        ),
    ]


CASES = tuple(case for name in _METHODS for case in (*_any_model(name), *_reference_model(name)))
