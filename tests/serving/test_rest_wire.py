"""REST on the wire: clients that are slow, broken, greedy or gone, beside one that is served."""

import contextlib
import gzip
import json
import select
import shutil
import socket
import threading
import time

import pytest

import serving

BODY = b'{"signature_name": "slow", "inputs": 1}'
GOOD = b"POST /v1/models/shop:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
WHOLE = GOOD % (len(BODY), BODY)
TIMEOUT = 0.5
MOST = 200_000


@pytest.fixture(scope="module")
def server(tmp_path_factory, shop_one):
    base = tmp_path_factory.mktemp("wire")
    shutil.copytree(shop_one, base / "1")
    options = serving.ServerOptions(
        rest_api_port=0,
        rest_api_num_threads=2,
        rest_max_connections=12,
        rest_read_timeout_seconds=TIMEOUT,
        rest_api_timeout_in_ms=400,
        max_request_bytes=MOST,
    )
    with serving.EmbeddedServer({"shop": base}, options) as server:
        yield server


@pytest.fixture
def connect(server):
    """`connect() -> socket`; all are closed at the end."""
    host, _, port = server.rest_address.rpartition(":")
    opened = []

    def connect():
        client = socket.create_connection((host, int(port)), timeout=10)
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.close()


def read_answer(client):
    """One answer: its code, its headers by lower-case name and its body."""
    stream = client.makefile("rb")
    line = stream.readline().decode()
    headers = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode().partition(": ")
        headers[name.lower()] = value
    body = stream.read(int(headers.get("content-length", 0)))
    return int(line.split()[1]), headers, body


def error(client):
    code, headers, body = read_answer(client)
    assert headers["connection"] == "close"
    return code, json.loads(body)["error"]


def assert_serves(connect):
    client = connect()
    client.sendall(WHOLE)
    code, headers, body = read_answer(client)
    assert (code, headers["connection"]) == (200, "keep-alive")
    assert json.loads(body) == {"outputs": 1.0}


def test_a_connection_is_kept_and_pipelined(connect):
    client = connect()
    client.sendall(WHOLE * 3)
    stream = client.makefile("rb")
    for _ in range(3):
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
        while (header := stream.readline()) != b"\r\n":
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        assert json.loads(stream.read(length)) == {"outputs": 1.0}


def test_an_answer_in_http_1_0_ends_the_connection(connect):
    client = connect()
    client.sendall(b"GET /v1/models/shop HTTP/1.0\r\n\r\n")
    code, headers, _ = read_answer(client)
    assert (code, headers["connection"]) == (200, "close")
    assert client.recv(1) == b""


def test_head_has_no_body(connect):
    client = connect()
    client.sendall(b"HEAD /v1/models/shop HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert client.makefile("rb").read().endswith(b"Connection: close\r\n\r\n")


def test_chunks(connect):
    client = connect()
    client.sendall(b"POST /v1/models/shop:predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in (BODY[:5], BODY[5:]):
        client.sendall(b"%x;ext=1\r\n%s\r\n" % (len(part), part))
    client.sendall(b"0\r\nTrailer: x\r\n\r\n")
    assert read_answer(client)[0] == 200
    client.sendall(WHOLE)
    assert read_answer(client)[0] == 200


def test_leave_to_send_a_body(connect):
    client = connect()
    head, _, body = WHOLE.partition(b"\r\n\r\n")
    client.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(body)
    assert read_answer(client)[0] == 200


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        (b"nonsense\r\n\r\n", 400, "expected a request line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "expected a request line"),
        (b"GET /v1/models/shop HTTP/3.0\r\n\r\n", 505, "expected HTTP/1.1"),
        (b"GET /v1/models/shop HTTP/1.1\r\nA : b\r\n\r\n", 400, "expected headers"),
        (b"GET /v1/models/shop HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400, "expected headers"),
        (b"GET /v1/models/shop HTTP/1.1\r\nA: b\x00\r\n\r\n", 400, "expected headers"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "one Cont"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "one Content-Length"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400, "one Content-Length"),
        (b"POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % (b"9" * 18), 413, "larger than"),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MOST + 1), 413, "than 200000 bytes"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
         400, "either Content-Length or Transfer-Encoding"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "hexadecimal"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n", 400, "longer"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\n"
         + b"a" * (MOST + 100_000), 413, "larger than"),
        (b"GET /v1/models/shop HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n", 431, "100 headers"),
        (b"GET /v1/models/shop HTTP/1.1\r\nA: " + b"b" * 200_000, 431, "longer than 65536 bytes"),
        (b"GET /" + b"a" * 200_000, 431, "longer than 65536 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_request(connect, sent, code, message):
    client = connect()
    client.sendall(sent)
    received, text = error(client)
    assert received == code
    assert message in text
    assert client.recv(1) == b""
    assert_serves(connect)


def test_a_body_shorter_than_announced(connect):
    client = connect()
    client.sendall(GOOD % (len(BODY) - 1, BODY))
    code, _, body = read_answer(client)
    assert code == 400
    assert b"JSON Parse error" in body
    # The byte left over begins another request, which never ends.
    assert error(client)[0] == 408


@pytest.mark.parametrize("cut", [10, 60, -5])
def test_a_connection_half_closed(connect, cut):
    client = connect()
    client.sendall(WHOLE[:cut])
    client.shutdown(socket.SHUT_WR)
    code, message = error(client)
    assert code == 400
    assert "ends" in message
    assert_serves(connect)


def test_a_whole_request_over_a_half_closed_connection_is_answered(connect):
    client = connect()
    client.sendall(WHOLE)
    client.shutdown(socket.SHUT_WR)
    assert read_answer(client)[0] == 200


def trickle(client, until):
    """Sends a byte now and then; returns what the server says to that before it closes."""
    client.settimeout(TIMEOUT / 5)
    while time.monotonic() < until:
        try:
            return client.recv(4096)
        except TimeoutError:
            client.sendall(b"x")
    raise AssertionError("the server is still listening")


def test_slow_clients_hold_no_thread_and_are_cut_off(connect):
    slow = [connect() for _ in range(10)]
    for index, client in enumerate(slow):
        client.sendall(WHOLE[: 1 + 9 * index])
    start = time.monotonic()
    assert_serves(connect)
    assert time.monotonic() - start < TIMEOUT
    trickling = trickle(slow[5], start + 10 * TIMEOUT)
    assert trickling.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    for client in slow[:5] + slow[6:]:
        assert error(client)[0] == 408
    assert time.monotonic() - start < 8 * TIMEOUT


def test_an_idle_connection_is_closed(connect):
    client = connect()
    start = time.monotonic()
    assert client.recv(1) == b""
    assert time.monotonic() - start < 4 * TIMEOUT


def test_a_connection_too_many_takes_the_place_of_an_idle_one(connect):
    idle = [connect() for _ in range(12)]
    time.sleep(0.1)
    assert_serves(connect)
    with contextlib.suppress(ConnectionResetError):
        assert idle[0].recv(1) == b""
    idle[-1].sendall(WHOLE)
    assert read_answer(idle[-1])[0] == 200


def test_a_connection_too_many_is_refused_while_all_are_answered(connect):
    body = b'{"signature_name": "slow", "inputs": 2147483647}'
    busy = [connect() for _ in range(12)]
    for client in busy:
        client.sendall(GOOD % (len(body), body))
    time.sleep(0.1)
    assert error(connect()) == (503, "too many connections; try again later")
    for client in busy[:2]:
        assert read_answer(client)[0] == 504
    for client in busy:
        client.close()


def test_a_gzip_stream_that_says_too_much(connect):
    zipped = gzip.compress(b" " * (MOST + 1))
    head = b"POST /v1/models/shop:predict HTTP/1.1\r\nContent-Encoding: gzip\r\n"
    client = connect()
    client.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(zipped), zipped))
    assert error(client) == (413, "the body is larger than 200000 bytes")
    lying = zipped[:-4] + b"\x01\x00\x00\x00"
    client = connect()
    client.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(lying), lying))
    code, _, answer = read_answer(client)
    assert (code, json.loads(answer)) == (
        400,
        {"error": "JSON Parse error: The document is empty"},
    )


def test_a_client_that_takes_no_answer_is_cut_off(connect):
    rows = 10_000
    body = json.dumps({"inputs": {"item": [""] * rows, "x": [[0, 0]] * rows}}, separators=",:")
    client = connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)

    def send():
        # Some 30 MB of answers, more than any buffer on the way holds.
        with contextlib.suppress(OSError):
            client.sendall(GOOD % (len(body), body.encode()) * 40)

    threading.Thread(target=send, daemon=True).start()
    poll = select.poll()
    poll.register(client, select.POLLHUP | select.POLLERR)
    assert poll.poll(20_000), "the server still waits for the client"
    assert_serves(connect)


def test_a_run_has_its_time(connect):
    body = b'{"signature_name": "slow", "inputs": 2147483647}'
    client = connect()
    client.sendall(GOOD % (len(body), body))
    assert read_answer(client)[0] == 504
    assert_serves(connect)


def test_stopping_ends_what_runs_and_takes_nothing_new(tmp_path, shop_one):
    shutil.copytree(shop_one, tmp_path / "1")
    server = serving.EmbeddedServer({"shop": tmp_path}, serving.ServerOptions(rest_api_port=0))
    server.start()
    host, _, port = server.rest_address.rpartition(":")
    address = (host, int(port))
    idle = socket.create_connection(address, timeout=10)
    busy = socket.create_connection(address, timeout=10)
    body = b'{"signature_name": "slow", "inputs": 100000}'
    busy.sendall(GOOD % (len(body), body))
    time.sleep(0.2)
    stopper = threading.Thread(target=server.stop, args=(20.0,))
    stopper.start()
    assert idle.recv(1) == b""
    time.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1)
    code, headers, _ = read_answer(busy)
    assert (code, headers["connection"]) == (200, "close")
    stopper.join(10)
    assert not stopper.is_alive()
    idle.close()
    busy.close()


def test_a_used_port_is_refused(server, tmp_path, shop_one):
    port = int(server.rest_address.rpartition(":")[2])
    options = serving.ServerOptions(rest_api_port=port)
    with pytest.raises(serving.ServingError, match=f"127.0.0.1:{port} for REST: the port is in"):
        serving.EmbeddedServer({"shop": tmp_path}, options).start()
