"""What the fuzz tests share: how a server is asked, and what it may never answer."""

import logging
from contextlib import contextmanager

import numpy as np

from serving.conformance.requests import predict
from serving.conformance.running import told_path

# The codes that a request may end with, whatever it is. UNKNOWN and UNAVAILABLE are bugs.
CODES = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED",
    "INTERNAL",
}
GOOD = {"item": ["bread"], "x": np.array([[1, 2]], np.float32)}


def check(target, call, answer):
    """An answer of a known kind, that tells nothing of the host and is no accident."""
    assert answer.code in CODES, (answer.code, answer.message)
    assert "internal error" not in answer.message, answer.message
    assert "Traceback" not in answer.message
    assert not told_path(call, answer)
    if answer.code == "INTERNAL":
        assert "deserializing" in answer.message, answer.message


def check_unharmed(target):
    """The server still answers as it did."""
    answer = target.send(predict(GOOD, outputs=["id"])(target))
    assert answer.code == "OK", answer.message


@contextmanager
def no_accidents(caplog):
    """Nothing that the server logs as an error of its own."""
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        yield
    said = [record.getMessage() for record in caplog.records if "should not" in record.getMessage()]
    assert said == []
