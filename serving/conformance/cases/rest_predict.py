"""REST: predict, classify and regress as JSON."""

import math
from collections.abc import Callable
from typing import Any

from serving.conformance import answers
from serving.conformance.case import LABELS, MODEL, REFERENCE, REST, Case, RestCall, grouped
from serving.conformance.requests import post
from serving.conformance.target import Target

_SOURCE = "json_tensor.cc, http_rest_api_handler.cc"
_any = grouped("rest_predict", _SOURCE, frozenset([MODEL, REST]))
_reference = grouped("rest_predict", _SOURCE, frozenset([REFERENCE, REST]))
_labels = grouped("rest_predict", _SOURCE, frozenset([LABELS, REST]))
_PATH = "/v1/models/{model}:predict"
_ROW = {"item": "bread", "x": [1.0, 2.0]}
_ROWS = [_ROW, {"item": "wine", "x": [3.0, 4.0]}]
_COLUMNS = {"item": ["bread", "wine"], "x": [[1.0, 2.0], [3.0, 4.0]]}
# What version 2 of the reference model makes of them: x @ [[2], [2]].
_PREDICTIONS = [
    {"score": [6.0], "id": 1, "item": "bread"},
    {"score": [14.0], "id": -1, "item": "wine"},
]
_OUTPUTS = {"score": [[6.0], [14.0]], "id": [1, -1], "item": ["bread", "wine"]}
_EXAMPLES = {"examples": [{"x": [1.0, 2.0]}], "signature_name": "classify"}


def _is(key: str, expected: Any) -> answers.Right:
    return answers.json_of(lambda answer: answer == {key: expected})


def _named(signature: str) -> Callable[[Target], RestCall]:
    return post(_PATH, {"signature_name": signature, "instances": [1]})


def _nan_is_read_and_written(answer: dict) -> bool:
    return math.isnan(answer["outputs"]["score"][0][0])


def _bad_bodies() -> list[Case]:
    """Bodies that no model can answer, with what is said about them."""
    bodies = {
        "no body": (b"", "^JSON Parse error: The document is empty$"),
        "no JSON": (b"{", r"^JSON Parse error: .+ at offset: \d+$"),
        "bytes that are no text": (b"\xff\xfe\x00", r"^JSON Parse error: .+ at offset: \d+$"),
        "a list": (b"[]", "Is not object"),
        "no rows": (b"{}", "^Missing 'inputs' or 'instances' key$"),
        "instances that are no list": (b'{"instances": {}}', "'instances' to be an list/array"),
        "an empty list": (b'{"instances": []}', "No values in 'instances' array"),
        "rows and columns": (
            b'{"instances": [1], "inputs": [1]}',
            r"(?s)one of 'inputs' or 'instances' keys to exist",
        ),
        "a signature that is a number": (
            b'{"signature_name": 100, "instances": [1]}',
            "'signature_name' key must be a string value",
        ),
    }
    return [
        _any(about, post(_PATH, body), "400", message) for about, (body, message) in bodies.items()
    ]


def _bad_values() -> list[Case]:
    """Bodies that the reference model cannot answer."""
    bodies: dict[str, tuple[Any, str]] = {
        "a plain list for two inputs": ({"instances": [1.0]}, "expecting list of objects"),
        "text for a number": (
            {"instances": [{"item": "a", "x": ["b", "c"]}]},
            "is not of expected type: float",
        ),
        "a missing column": ({"inputs": {"item": ["a"]}}, "^Missing named input: x"),
        "a missing key": ({"instances": [{"item": "a"}]}, "must only have keys: item,x"),
        "an unknown key": ({"instances": [{**_ROW, "z": 1}]}, "does not have named input: z"),
        "rows of two shapes": (
            {"instances": [_ROW, {"item": "a", "x": [1.0]}]},
            "Expecting tensor size: 2 but got: 1",
        ),
        "a ragged column": (
            {"inputs": {"item": ["a"], "x": [[1.0, 2.0], [3.0]]}},
            "unexpected size",
        ),
        "null": (
            {"instances": [{"item": None, "x": [1.0, 2.0]}]},
            "is not of expected type: string",
        ),
        "no base64": (
            {"instances": [{"item": {"b64": "%%%"}, "x": [1.0, 2.0]}]},
            "Unable to base64 decode",
        ),
        "a number beyond a float": (
            {"instances": [{"item": "a", "x": [1e300, 1.0]}]},
            "without loss of precision",
        ),
    }
    return [
        _reference(about, post(_PATH, body), "400", message)
        for about, (body, message) in bodies.items()
    ]


CASES = (
    *_bad_bodies(),
    _any(
        "unknown signature",
        _named("no_such_signature"),
        "400",
        '^Serving signature name: "no_such_signature" not found in signature def$',
    ),
    _any(
        "unknown model",
        post("/v1/models/no-such-model:predict", {"instances": [1]}),
        "404",
        r"^Servable not found for request: Latest\(no-such-model\)$",
    ),
    _any(
        "unknown version",
        post("/v1/models/{model}/versions/987654321:predict", {"instances": [1]}),
        "404",
        r"^Servable not found for request: Specific\(.+, 987654321\)$",
    ),
    _any(
        "unknown label",
        post("/v1/models/{model}/labels/no-such-label:predict", {"instances": [1]}),
        "400",
        "^Unrecognized servable version label: no-such-label$",
    ),
    _any("nested a thousand deep", post(_PATH, b'{"instances": ' + b"[" * 1000), "400"),
    _any("10 MB", post(_PATH, b'{"instances": ["' + b"x" * 10_000_000 + b'"]}'), "200|400|413"),
    *_bad_values(),
    _reference(
        "rows", post(_PATH, {"instances": _ROWS}), "200", "", _is("predictions", _PREDICTIONS)
    ),
    _reference("columns", post(_PATH, {"inputs": _COLUMNS}), "200", "", _is("outputs", _OUTPUTS)),
    _reference(
        "a single output is not named",
        post(_PATH, {"signature_name": "slow", "instances": [2]}),
        "200",
        "",
        _is("predictions", [2.0]),
    ),
    _reference(
        "base64",
        post(_PATH, {"instances": [{"item": {"b64": "YnJlYWQ="}, "x": [1.0, 2.0]}]}),
        "200",
        "",
        _is("predictions", _PREDICTIONS[:1]),
    ),
    _reference(
        "NaN",
        post(_PATH, b'{"inputs": {"item": ["a"], "x": [[NaN, 1.0]]}}'),
        "200",
        "",
        answers.json_of(_nan_is_read_and_written),
    ),
    _reference(
        "classify",
        post("/v1/models/{model}:classify", _EXAMPLES),
        "200",
        "",
        _is("results", [[["low", -6.0], ["high", 6.0]]]),
    ),
    _reference(
        "regress",
        post("/v1/models/{model}:regress", {**_EXAMPLES, "signature_name": "regress"}),
        "200",
        "",
        _is("results", [6.0]),
    ),
    _reference(
        "classify without examples",
        post("/v1/models/{model}:classify", {"signature_name": "classify"}),
        "400",
        "key 'examples' is expected and was not found",
    ),
    _reference(
        "classify an empty list",
        post("/v1/models/{model}:classify", {"signature_name": "classify", "examples": []}),
        "400",
        "'examples' value is an empty array",
    ),
    _labels(
        "a label",
        post("/v1/models/{model}/labels/stable:predict", {"instances": [_ROW]}),
        "200",
        "",
        _is("predictions", [{"score": [3.0], "id": 1, "item": "bread"}]),
    ),
)
