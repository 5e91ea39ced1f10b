"""Clients that mean harm: behind each attack, and during it, the others are answered."""

import contextlib
import gzip
import http.client
import os
import socket
import threading
import time

import grpc
import numpy as np
import pytest
from fuzzed import GOOD, check_unharmed

import serving
from serving import protocol
from serving.conformance.case import Call, RestCall
from serving.conformance.reference import export
from serving.conformance.requests import predict
from serving.conformance.target import Target

LARGEST = 2_000_000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
ROW = b'{"inputs": {"item": ["bread"], "x": [[1.0, 2.0]]}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    options = serving.ServerOptions(
        model_config_file=export(tmp_path_factory.mktemp("attacked")),
        allow_version_labels_for_unavailable_models=True,
        rest_api_port=0,
        rest_read_timeout_seconds=1.0,
        rest_max_connections=64,
        rest_api_num_threads=4,
        grpc_max_threads=8,
        max_request_bytes=LARGEST,
    )
    with serving.EmbeddedServer({}, options) as server:
        yield server


class Others:
    """Clients that go on asking, over gRPC and REST, and keep what they were told."""

    def __init__(self, target, rest=True):
        self.target, self.rest = target, rest
        self.wrong, self.answered, self.slowest = [], 0, 0.0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(kind,)) for kind in (0, 1)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, kind):
        good = predict(GOOD, outputs=["id"])(self.target)
        if kind == 1 and self.rest:
            good = RestCall("POST", "/v1/models/reference:predict", ROW)
        while not self._ended.is_set():
            start = time.monotonic()
            answer = self.target.send(good)
            self.slowest = max(self.slowest, time.monotonic() - start)
            if answer.code in ("OK", "200"):
                self.answered += 1
            else:
                self.wrong.append(answer)
            time.sleep(0.01)


@pytest.fixture
def target(server):
    with Target(server.address, "reference", server.rest_address) as target:
        yield target
        check_unharmed(target)
        assert target.send(RestCall("GET", "/v1/models/reference")).code == "200"


def connect(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


@contextlib.contextmanager
def attacked(target, rest=True):
    """Nobody else is refused, and nobody waits long."""
    with Others(target, rest) as others:
        yield
        time.sleep(0.2)
    assert others.wrong == []
    assert others.answered > 5
    assert others.slowest < 3


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        PREFACE[:10],
        PREFACE,
        PREFACE + SETTINGS,
        PREFACE + SETTINGS + b"\xff\xff\xff\x00",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        os.urandom(4096),
    ],
    ids=["nothing", "half a preface", "preface", "settings", "frame", "HTTP/1", "TLS", "noise"],
)
@pytest.mark.parametrize("half_closed", [False, True])
def test_connections_that_say_little(target, server, sent, half_closed):
    """Sixty of them at once, some of them half closed, on the gRPC port."""
    with attacked(target), contextlib.ExitStack() as open_ones:
        for _ in range(60):
            client = open_ones.enter_context(connect(server.address))
            with contextlib.suppress(OSError):
                client.sendall(sent)
                if half_closed:
                    client.shutdown(socket.SHUT_WR)
        time.sleep(0.3)


def test_very_many_idle_connections(target, server):
    with attacked(target), contextlib.ExitStack() as open_ones:
        for _ in range(400):
            open_ones.enter_context(connect(server.address))
        time.sleep(0.5)


def test_rest_is_back_once_idle_connections_have_had_their_time(target, server):
    with attacked(target, rest=False), contextlib.ExitStack() as open_ones:
        for _ in range(150):
            open_ones.enter_context(connect(server.rest_address))
        time.sleep(1.5)
        assert target.send(RestCall("GET", "/v1/models/reference")).code == "200"


def test_bodies_that_come_a_byte_at_a_time(target, server):
    head = b"POST /v1/models/reference:predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"
    with attacked(target), contextlib.ExitStack() as open_ones:
        slow = [open_ones.enter_context(connect(server.rest_address)) for _ in range(30)]
        for client in slow:
            client.sendall(head)
        for _ in range(12):
            time.sleep(0.1)
            for client in slow:
                with contextlib.suppress(OSError):
                    client.sendall(b"{")
        for client in slow:
            assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_clients_that_read_no_answer(target, server):
    """Each asks for a megabyte again and again, and takes none of it."""
    body = b'{"inputs": {"item": ["' + b"x" * 1_000_000 + b'"], "x": [[1.0, 2.0]]}}'
    request = (
        b"POST /v1/models/reference:predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body
    with attacked(target), contextlib.ExitStack() as open_ones:
        for _ in range(8):
            client = open_ones.enter_context(connect(server.rest_address))
            client.settimeout(0.5)
            with contextlib.suppress(OSError):
                client.sendall(request * 4)
        time.sleep(0.5)


def test_requests_that_are_abandoned(target, server):
    """More of them than the server has threads, each with half a second to run."""
    steps = {"steps": np.array([2**31 - 1], np.int32)}
    call = predict(steps, signature="slow")(target)
    with grpc.insecure_channel(server.address) as channel:
        method = channel.unary_unary(protocol.PREDICT)
        running = [method.future(call.payload, timeout=0.5) for _ in range(40)]
        assert {one.exception().code().name for one in running} == {"DEADLINE_EXCEEDED"}
    start = time.monotonic()
    check_unharmed(target)
    assert time.monotonic() - start < 2


def test_connections_reset_amid_a_request(target, server):
    with attacked(target):
        for _ in range(100):
            client = connect(server.rest_address)
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
            client.sendall(
                b"POST /v1/models/reference:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"
            )
            client.close()


def test_messages_that_are_too_large(target):
    x = np.ones((LARGEST // 4, 2), np.float32)
    with attacked(target):
        call = predict({"item": ["bread"], "x": x})(target)
        answer = target.send(call)
        assert answer.code == "RESOURCE_EXHAUSTED"
        big = RestCall("POST", "/v1/models/reference:predict", b"[" * (LARGEST + 1))
        assert target.send(big).code in ("413", "UNAVAILABLE")


def test_a_small_message_that_unpacks_to_a_large_one(target, server):
    x = np.zeros((LARGEST, 2), np.float32)
    call = predict({"item": ["bread"], "x": x})(target)
    with (
        attacked(target),
        grpc.insecure_channel(server.address, compression=grpc.Compression.Gzip) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary(protocol.PREDICT)(call.payload, timeout=20)
    assert caught.value.code().name == "RESOURCE_EXHAUSTED"


def test_a_small_body_that_unpacks_to_a_large_one(target, server):
    body = gzip.compress(b" " * (20 * LARGEST) + ROW)
    assert len(body) < LARGEST / 10
    host, _, port = server.rest_address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    headers = {"Content-Encoding": "gzip"}
    with attacked(target):
        connection.request("POST", "/v1/models/reference:predict", body, headers)
        assert connection.getresponse().status in (413, 429)
    connection.close()


@pytest.mark.parametrize("size", [2**31, 2**33])
def test_a_tensor_far_larger_than_what_was_sent(target, size):
    """Few values stand for many in a TensorProto; so many would fill the memory."""
    request = protocol.PredictRequest()
    request.model_spec.name = "reference"
    request.model_spec.signature_name = "scaled"
    request.inputs["x"].dtype = 3
    request.inputs["x"].tensor_shape.dim.add(size=size)
    request.inputs["x"].int_val.append(7)
    with attacked(target):
        answer = target.send(Call(protocol.PREDICT, request.SerializeToString()))
    assert (answer.code, answer.message) == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_very_many_inputs(target):
    request = protocol.PredictRequest()
    request.model_spec.name = "reference"
    for number in range(20_000):
        request.inputs[f"input_{number}"].dtype = 1
    with attacked(target):
        answer = target.send(Call(protocol.PREDICT, request.SerializeToString()))
    assert answer.code == "INVALID_ARGUMENT"
    assert answer.message.startswith("input size does not match signature: 20000!=2")
    assert answer.message.endswith("...TRUNCATED")


def test_json_nested_a_hundred_thousand_deep(target):
    body = b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with attacked(target):
        assert target.send(RestCall("POST", "/v1/models/reference:predict", body)).code == "400"


def test_very_many_headers(target, server):
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(5000))
    with attacked(target), connect(server.rest_address) as client:
        client.sendall(b"GET /v1/models/reference HTTP/1.1\r\n" + lines + b"\r\n")
        assert client.recv(1000).split(b" ")[1] in (b"400", b"431")
