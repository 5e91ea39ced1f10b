"""Bounds of the gRPC port: message sizes, requests at once, calls that send nothing."""

import shutil
import threading
import time

import grpc
import numpy as np
import pytest

import serving
from serving.protocol import PREDICT, PredictRequest

MOST = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory, shop_one):
    base = tmp_path_factory.mktemp("bounds")
    shutil.copytree(shop_one, base / "1")
    options = serving.ServerOptions(
        max_request_bytes=MOST, grpc_max_threads=2, rest_api_port=0, monitoring=False
    )
    with serving.EmbeddedServer({"shop": base}, options) as server:
        yield server


@pytest.fixture
def client(server):
    with serving.Client(server.address, model="shop", timeout=10) as client:
        yield client


def test_a_message_that_is_too_large(client):
    fits = np.ones((MOST // 10, 2), np.float32)
    assert client.predict("serving_default", {"item": "a", "x": fits[:5000]})["score"][0] == 2.0
    with pytest.raises(serving.ServingError) as caught:
        client.predict("serving_default", {"item": "a", "x": np.ones((50_000, 2), np.float32)})
    assert caught.value.code == "RESOURCE_EXHAUSTED"
    assert client.predict("slow", {"steps": 1})["weight"] == 1.0


def test_calls_that_send_nothing_stop_nobody(server, client):
    """A call is opened by its first message, which these clients owe."""
    silence = threading.Event()

    def nothing():
        silence.wait(20)
        yield from ()

    with grpc.insecure_channel(server.address) as channel:
        calls = [channel.stream_unary(PREDICT).future(nothing()) for _ in range(40)]
        time.sleep(0.5)
        start = time.monotonic()
        assert client.predict("slow", {"steps": 1})["weight"] == 1.0
        assert time.monotonic() - start < 2
        silence.set()
        for call in calls:
            call.cancel()


def test_only_so_many_run_at_once(server, client):
    """Two threads: of four equal runs the last two end after the first two."""
    steps = 60_000
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "shop", "slow"
    request.inputs["steps"].dtype = 3
    request.inputs["steps"].int_val.append(steps)
    ends = []
    with grpc.insecure_channel(server.address) as channel:
        method = channel.unary_unary(PREDICT, request_serializer=PredictRequest.SerializeToString)
        calls = [method.future(request, timeout=30) for _ in range(4)]
        for call in calls:
            call.add_done_callback(lambda _: ends.append(time.monotonic()))
        start = time.monotonic()
        for call in calls:
            call.result()
        time.sleep(0.1)
    first, second, third, fourth = sorted(end - start for end in ends)
    assert third > 1.2 * first
    assert fourth > 1.2 * second


def test_metrics_can_be_left_out(server):
    import http.client

    connection = http.client.HTTPConnection(server.rest_address, timeout=10)
    connection.request("GET", "/monitoring/prometheus/metrics")
    assert connection.getresponse().status == 404
    connection.close()
