"""REST requests that nobody would write: bodies, paths, and bytes that are hardly HTTP."""

import json
import socket

import pytest
from fuzzed import check_unharmed, no_accidents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.conformance.case import RestCall
from serving.conformance.running import told_path
from serving.conformance.target import Target

FUZZ = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CODES = {"200", "400", "404", "405", "408", "411", "413", "414", "431", "501", "505"}
PATHS = ["/v1/models/reference:predict", "/v1/models/reference:classify"]
SIGNATURES = ["serving_default", "scaled", "candidates", "classify", "regress", "", "nope"]


@pytest.fixture(scope="module")
def target(reference_server):
    with Target(reference_server.address, "reference", reference_server.rest_address) as target:
        yield target
        check_unharmed(target)
        assert target.send(RestCall("GET", "/v1/models/reference")).code == "200"


def check(target, call):
    answer = target.send(call)
    assert answer.code in CODES, answer
    assert "internal error" not in answer.message
    assert b"Traceback" not in answer.body
    assert not told_path(call, answer)
    if answer.code == "400" and answer.body:
        assert "error" in json.loads(answer.body)


@FUZZ
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=200))
def test_bodies_of_bytes(target, caplog, path, body):
    with no_accidents(caplog):
        check(target, RestCall("POST", path, body))


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.fixed_dictionaries({"b64": st.text(max_size=8)}),
)
names = st.sampled_from(["item", "x", "by", "user", "inputs", "b64", "z"])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@FUZZ
@given(
    path=st.sampled_from(PATHS),
    signature=st.sampled_from(SIGNATURES),
    key=st.sampled_from(["instances", "inputs", "examples", "context"]),
    value=values,
    more=st.dictionaries(st.sampled_from(["instances", "inputs", "context"]), values, max_size=1),
)
def test_bodies_of_json(target, caplog, path, signature, key, value, more):
    body = {"signature_name": signature, key: value, **more}
    if not signature:
        del body["signature_name"]
    with no_accidents(caplog):
        check(target, RestCall("POST", path, json.dumps(body).encode()))


segments = st.lists(
    st.one_of(
        st.sampled_from(
            ["v1", "models", "reference", "versions", "labels", "1", "stable", "..", "."]
        ),
        st.text("abcXYZ019%:._-~+", max_size=8),
        st.sampled_from(["%2e%2e", "%2F", "%00", "%ff", "%", "metadata", "reference:predict"]),
    ),
    max_size=7,
)


@FUZZ
@given(verb=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE"]), parts=segments)
def test_paths(target, caplog, verb, parts):
    path = "/" + "/".join(parts)
    if verb == "POST" and path.endswith("predict"):
        return
    with no_accidents(caplog):
        check(target, RestCall(verb, path, b"{}" if verb == "POST" else b""))


pieces = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [
                b"GET ",
                b"POST ",
                b"/v1/models/reference",
                b" HTTP/1.1\r\n",
                b"\r\n",
                b"\r\n\r\n",
                b"Content-Length: 5\r\n",
                b"Content-Length: -1\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Expect: 100-continue\r\n",
                b"ffffffffffffffff\r\n",
                b"0\r\n\r\n",
            ]
        ),
    ),
    min_size=1,
    max_size=8,
)


@FUZZ
@given(parts=pieces)
def test_bytes_that_are_hardly_http(target, caplog, parts):
    host, _, port = target.rest.rpartition(":")
    with no_accidents(caplog):
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"".join(parts))
            client.shutdown(socket.SHUT_WR)
            received = b""
            while block := client.recv(65536):
                received += block
        assert not received or received.startswith(b"HTTP/1.1 ")
        assert b"Traceback" not in received
        assert b"internal error" not in received
