"""Load tests: what is sent when, what is counted, and how they end."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import serving
from serving import loadtest
from serving.client import TLS
from serving.client.connection import Address
from serving.loadtest.latencies import Latencies
from serving.loadtest.pacing import Pace
from serving.loadtest.results import Result

PATH = "/tensorflow.serving.PredictionService/Predict"


def plan(**changed):
    loads = [loadtest.Load("rank", PATH, [b"1", b"2"]), loadtest.Load("retrieve", PATH, [b"3"])]
    return loadtest.Plan(**{"address": Address("host:1", retries=0), "loads": loads, **changed})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1e-6, 100), min_size=1, max_size=50),
    st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]),
)
def test_quantiles_are_those_of_the_sorted_latencies(seconds, share):
    one, other = Latencies(), Latencies()
    for place, latency in enumerate(seconds):
        (one if place % 2 else other).add(latency)
    one.merge(Latencies.from_json(json.loads(json.dumps(other.to_json()))))
    expected = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert one.count == len(seconds)
    assert one.longest == max(seconds)
    assert 0.99 * expected <= one.quantile(share) <= 1.011 * expected


def test_no_latencies():
    assert math.isnan(Latencies().quantile(0.5))


def test_shares_are_the_whole_plan():
    shares = plan(clients=5, requests=7, rate=10.0).shares(2)
    assert [(s.clients, s.requests, s.rate, s.phase) for s in shares] == [
        (3, 4, 5.0, 0.0),
        (2, 3, 5.0, 0.1),
    ]
    assert len(plan(clients=8, requests=1).shares(4)) == 1
    tls = TLS(ca="ca.pem", server_name="shop")
    sent = plan(address=Address("host:1", tls, retries=0), requests=3)
    assert loadtest.Plan.from_json(sent.to_json()) == sent


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clients": 0}, "clients should be more than 0. Received: 0"),
        ({"rate": -1.0}, "rate should be more than 0. Received: -1.0"),
        ({"loads": []}, "a load test needs a request of each signature"),
        ({"loads": [loadtest.Load("rank", PATH, [])]}, "a load test needs a request of each sign"),
    ],
)
def test_a_plan_that_cannot_be_run(changed, message):
    with pytest.raises(serving.ServingError, match=message):
        loadtest.run(plan(**changed))


def test_an_open_loop_keeps_its_times_however_late_it_is():
    pace = Pace(plan(rate=10.0, seconds=1.0, phase=0.05), start=100.0)
    assert pace.next(99.0) == (0, pytest.approx(100.05))
    assert pace.next(100.9) == (1, pytest.approx(100.15)), "due long ago"
    assert pace.unsent(100.9) == 7, "due at .25, .35, .45, .55, .65, .75 and .85"
    assert pace.next(101.0) is None
    assert pace.unsent(200.0) == 8


def test_a_closed_loop_sends_at_once_until_the_count_or_the_time_is_over():
    pace = Pace(plan(requests=2, seconds=1.0), start=100.0)
    assert pace.next(99.9) == (0, 100.0)
    assert pace.next(100.5) == (1, 100.5)
    assert pace.next(100.6) is None
    assert Pace(plan(seconds=1.0), start=100.0).next(101.0) is None
    assert pace.unsent(200.0) == 0


class Slow(grpc.GenericRpcHandler):
    """Answers after 20 ms; requests `3` are refused."""

    def __init__(self):
        self.seen = []

    def service(self, details):
        def answer(request, context):
            self.seen.append(request)
            if request == b"3":
                context.abort(grpc.StatusCode.NOT_FOUND, "no")
            time.sleep(0.02)
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def slow():
    handler = Slow()
    server = grpc.server(ThreadPoolExecutor(8), handlers=(handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, Address(f"127.0.0.1:{port}", retries=0)
    server.stop(0).wait()


def test_what_was_sent_is_what_is_counted(slow):
    handler, address = slow
    result = loadtest.run(plan(address=address, requests=41, clients=3, seconds=20.0), processes=2)
    assert len(handler.seen) == 41
    found = result.figures()["signatures"]
    # Each process begins with the first signature: 21 and 20 requests in turns.
    assert (found["rank"]["requests"], found["retrieve"]["requests"]) == (21, 20)
    assert found["retrieve"]["errors"] == {"NOT_FOUND": 20}
    assert found["retrieve"]["p50_ms"] is None
    assert abs(handler.seen.count(b"1") - handler.seen.count(b"2")) <= 2, "in turns"
    assert found["rank"]["p50_ms"] >= 20
    assert found["rank"]["max_ms"] >= found["rank"]["p99_ms"] >= found["rank"]["p50_ms"]


def test_a_late_request_is_measured_from_when_it_was_due(slow):
    _, address = slow
    loads = [loadtest.Load("rank", PATH, [b"1"])]
    # One client gets 50 of the 100 requests a second that are due: the last waits half a second.
    asked = plan(address=address, loads=loads, rate=100.0, clients=1, seconds=1.0)
    result = loadtest.run(asked)
    found = result.figures()["signatures"]["rank"]
    assert 5 <= found["requests"] <= 50
    assert result.unsent == pytest.approx(100 - found["requests"], abs=2)
    assert found["max_ms"] > 400


def test_time_bounds_it(slow):
    _, address = slow
    began = time.monotonic()
    result = loadtest.run(plan(address=address, seconds=0.3))
    assert 0.3 <= result.seconds < 5
    assert time.monotonic() - began < 20
    nobody = plan(address=Address("127.0.0.1:1", retries=0), requests=3, clients=1, seconds=9.0)
    assert loadtest.run(nobody).signatures["rank"].errors == {"UNAVAILABLE": 2}


def test_an_interruption_leaves_what_was_measured(slow):
    _, address = slow
    script = (
        "import json, signal, sys\n"
        # A shell lets what it starts in the background ignore the signal.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from serving import loadtest\n"
        "result = loadtest.run(loadtest.Plan.from_json(sys.stdin.readline()), 2)\n"
        "print(json.dumps([result.interrupted, result.to_json()]))"
    )
    test = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    test.stdin.write(plan(address=address, seconds=60.0).to_json() + "\n")
    test.stdin.flush()
    deadline = time.monotonic() + 30
    while len(slow[0].seen) < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(test.pid, signal.SIGINT)
    out, _ = test.communicate(timeout=60)
    interrupted, written = json.loads(out)
    assert interrupted
    counts = Result.from_json(written).figures()["signatures"]
    assert counts["rank"]["answered"] >= 5


def test_requests_are_encoded_as_a_client_sends_them(shop_client, shop_server):
    rows = [{"x": [4]}, {"x": [5, 6]}]
    load = loadtest.encoded(shop_client, "scaled", rows)
    assert (load.signature, load.path, len(load.requests)) == ("scaled", PATH, 2)
    address = Address(shop_server.address, retries=0)
    result = loadtest.run(loadtest.Plan(address, [load], clients=2, requests=10, seconds=20.0))
    assert result.signatures["scaled"].latencies.count == 10
    assert not result.signatures["scaled"].errors
    with pytest.raises(serving.ServingError, match="missing input `x`"):
        loadtest.encoded(shop_client, "scaled", [{"by": np.int64(1)}])
