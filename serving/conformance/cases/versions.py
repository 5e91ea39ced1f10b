"""Model names, versions and labels, those that mean another place on the disk among them."""

import re

import numpy as np

from serving.conformance import answers
from serving.conformance.case import LABELS, MODEL, Case, grouped
from serving.conformance.reference import CANARY, STABLE
from serving.conformance.requests import fitting, metadata, predict, status

_NAMES = {
    "an unknown name": "no-such-model",
    "a name that climbs": "../../../etc/passwd",
    "an absolute name": "/etc/passwd",
    "the name of the parent": "..",
    "a name with a zero byte": "no\x00such",
    "a name that is a format": "%s%n{0}",
    "a name of 900 letters": "m" * 900,
}
_LABELS = {"an unknown label": "no-such-label", "a label that climbs": "../../1"}
_GOOD = {"item": ["bread"], "x": np.ones((1, 2), np.float32)}

_any = grouped("versions", "server_core.cc", MODEL)
_labels = grouped("versions", "server_core.cc", LABELS)


def _not_found(asked: str) -> str:
    return rf"^Servable not found for request: {re.escape(asked)}$"


def _weighed(weight: int) -> answers.Right:
    outputs = {"score": [[2.0 * weight]], "id": [1], "item": [b"bread"]}
    return answers.outputs(outputs, "serving_default", weight)


def _named() -> list[Case]:
    return [
        _any(about, fitting(name=name), "NOT_FOUND", _not_found(f"Latest({name})"))
        for about, name in _NAMES.items()
    ]


def _labelled() -> list[Case]:
    return [
        _any(
            about,
            fitting(label=label),
            "INVALID_ARGUMENT",
            rf"^Unrecognized servable version label: {re.escape(label)}$",
        )
        for about, label in _LABELS.items()
    ]


CASES = (
    *_named(),
    *_labelled(),
    _any(
        "a version that is not",
        fitting(version=987_654_321),
        "NOT_FOUND",
        r"^Servable not found for request: Specific\(.+, 987654321\)$",
    ),
    _any(
        "a negative version",
        fitting(version=-1),
        "NOT_FOUND",
        r"^Servable not found for request: Specific\(.+, -1\)$",
    ),
    _any(
        "metadata of a version that is not",
        metadata(version=987_654_321),
        "NOT_FOUND",
        r"^Servable not found for request: Specific\(.+, 987654321\)$",
    ),
    _any(
        "status of a version that is not",
        status(version=987_654_321),
        "NOT_FOUND",
        "^Could not find version 987654321 of model .+$",
    ),
    _labels("the latest answers", predict(_GOOD), right=_weighed(CANARY)),
    _labels("by number", predict(_GOOD, version=STABLE), right=_weighed(STABLE)),
    _labels("stable", predict(_GOOD, label="stable"), right=_weighed(STABLE)),
    _labels("canary", predict(_GOOD, label="canary"), right=_weighed(CANARY)),
)
