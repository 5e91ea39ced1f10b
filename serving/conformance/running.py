"""Runs the cases against a server."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from serving.conformance.case import Answer, Call, Case, RestCall
from serving.conformance.requests import status
from serving.conformance.target import Target

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

# An absolute path of two parts or more, as a host has them; a node's name has no leading slash.
_PATH = re.compile(r"(?<![\w.{\]/])/(?:[\w.~+-]+/)+[\w.~+-]+")


class Verdict(NamedTuple):
    """How a case ended.

    Attributes:
        case: The case.
        outcome: `PASSED`, `FAILED` or `SKIPPED`.
        problem: What was wrong, or what was missing to run it; empty when it passed.
    """

    case: Case
    outcome: str
    problem: str


def run(target: Target, cases: Iterable[Case]) -> Iterator[Verdict]:
    """Runs cases one after the other; behind each, the server must still tell its status.

    Args:
        target: The server.
        cases: The cases, in order.

    Raises:
        ServingError: The server cannot be reached, or does not have the model.
    """
    offers = target.offers
    for case in cases:
        missing = case.needs - offers
        if missing:
            yield Verdict(case, SKIPPED, f"needs {', '.join(sorted(missing))}")
            continue
        problem = _problem(case, target)
        yield Verdict(case, FAILED if problem else PASSED, problem)


def _problem(case: Case, target: Target) -> str:
    call = case.request(target)
    answer = target.send(call)
    after = target.send(status()(target))
    if after.code != "OK":
        return f"the server does not answer any more: {after.code} {after.message}"
    if answer.code not in case.codes:
        return f"{answer.code}: {answer.message}".rstrip(": ")
    if answer.code in ("OK", "200"):
        return case.right(answer, target) if case.right is not None else ""
    if not re.search(case.message, answer.message):
        return f"{answer.code}: {answer.message}"
    return told_path(call, answer)


def told_path(call: Call | RestCall, answer: Answer) -> str:
    """A path of the server's disk in an error, unless the request had brought it along."""
    sent = call.payload if isinstance(call, Call) else unquote_to_bytes(call.path) + call.body
    for path in _PATH.findall(answer.message):
        if path.encode() not in sent:
            return f"the message tells a path of the host: {path}"
    return ""
