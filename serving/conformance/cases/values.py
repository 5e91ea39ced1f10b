"""Predict with values a recommender meets: NaN, unknown ids, no candidates, very many, bytes."""

from typing import Any

import numpy as np

from serving.conformance import answers
from serving.conformance.case import MODEL, REFERENCE, Answer, grouped
from serving.conformance.requests import Bend, fitting, predict
from serving.conformance.target import Target
from serving.dtypes import DT_STRING

_MANY = 10_000
_MEGABYTES = 5 * 2**20


def _strings(value: bytes) -> Bend:
    """Writes a value into every string input."""

    def bend(request: Any, target: Target) -> None:
        for proto in request.inputs.values():
            if proto.dtype == DT_STRING:
                proto.string_val[:] = [value] * len(proto.string_val)

    return bend


def _not_a_number(request: Any, target: Target) -> None:
    for proto in request.inputs.values():
        for field in (proto.float_val, proto.double_val):
            field[:] = [float("nan")] * len(field)


def _long(answer: Answer, target: Target) -> str:
    return "" if len(answer.body) > _MEGABYTES else f"only {len(answer.body)} bytes came back"


def _rows(value: float, rows: int = 1) -> np.ndarray:
    return np.full((rows, 2), value, np.float32)


def _place(items: list[Any], columns: int) -> np.ndarray:
    """Items as candidates of one user."""
    array = np.empty((1, columns), object)
    array[0, :] = items
    return array


_any = grouped("values", "the kernels of the model", MODEL)
_reference = grouped("values", "the kernels of the model", REFERENCE)
_NO_ITEMS = np.empty((1, 0), object)

CASES = (
    _any(
        "unknown users and items",
        fitting(_strings(b"no such id")),
        "OK|INVALID_ARGUMENT",
        right=answers.all_outputs,
    ),
    _any("NaN", fitting(_not_a_number), "OK|INVALID_ARGUMENT"),
    _any(
        "strings that are not UTF-8", fitting(_strings(b"\xff\xfe\x00\x80")), "OK|INVALID_ARGUMENT"
    ),
    _any("strings with zero bytes", fitting(_strings(b"a\x00b\x00")), "OK|INVALID_ARGUMENT"),
    _any("no rows", fitting(batch=0), "OK|INVALID_ARGUMENT"),
    _any(
        "10,000 rows",
        fitting(batch=_MANY),
        "OK|INVALID_ARGUMENT|RESOURCE_EXHAUSTED|DEADLINE_EXCEEDED",
    ),
    _any(
        "a string of 5 MB",
        fitting(_strings(b"x" * _MEGABYTES)),
        "OK|INVALID_ARGUMENT|RESOURCE_EXHAUSTED",
    ),
    _reference(
        "NaN comes back",
        predict({"item": ["bread"], "x": _rows(float("nan"))}, outputs=["score"]),
        right=answers.outputs({"score": [[float("nan")]]}),
    ),
    _reference(
        "infinity comes back",
        predict({"item": ["bread"], "x": _rows(float("inf"))}, outputs=["score"]),
        right=answers.outputs({"score": [[float("inf")]]}),
    ),
    _reference(
        "bytes come back",
        predict({"item": [b"\xff\x00\x80"], "x": _rows(0)}, outputs=["item", "id"]),
        right=answers.outputs({"item": [b"\xff\x00\x80"], "id": [-1]}),
    ),
    _reference(
        "examples that are none",
        predict({"inputs": [b"\xff\xfe no example \x80"]}, signature="regress"),
        "INVALID_ARGUMENT",
        "Could not parse example input",
    ),
    _reference(
        "no rows come back",
        predict({"item": np.empty(0, object), "x": _rows(0, 0)}),
        right=answers.outputs({"item": [], "id": [], "score": np.empty((0, 1))}),
    ),
    _reference(
        "10,000 rows come back",
        predict({"item": ["cheese"] * _MANY, "x": _rows(1, _MANY)}, outputs=["id"]),
        right=answers.outputs({"id": [2] * _MANY}),
    ),
    _reference(
        "5 MB come back",
        predict({"item": [b"x" * _MEGABYTES], "x": _rows(1)}, outputs=["item"]),
        "OK|RESOURCE_EXHAUSTED",
        right=_long,
    ),
    _reference(
        "no candidates",
        predict({"user": ["u"], "item": _NO_ITEMS}, signature="candidates"),
        right=answers.outputs({"score": np.empty((1, 0))}, "candidates"),
    ),
    _reference(
        "10,000 candidates",
        predict(
            {"user": ["u"], "item": _place(["cheese"] * _MANY, _MANY)},
            signature="candidates",
            version=2,
        ),
        right=answers.outputs({"score": [[4.0] * _MANY]}, "candidates", 2),
    ),
    _reference(
        "unknown candidates",
        predict(
            {"user": ["nobody"], "item": _place(["?", "bread"], 2)},
            signature="candidates",
            version=2,
        ),
        right=answers.outputs({"score": [[-2.0, 2.0]]}, "candidates", 2),
    ),
)
