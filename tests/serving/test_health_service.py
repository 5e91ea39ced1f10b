"""Health over gRPC, asked as a load balancer would: by the wire format of grpc.health.v1."""

import shutil
import threading
import time

import grpc
import pytest

import serving

SERVING, NOT_SERVING, SERVICE_UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"


def request(service):
    """`HealthCheckRequest`: field 1, a string."""
    name = service.encode()
    return b"\x0a" + bytes([len(name)]) + name if name else b""


def check(channel, service=""):
    return channel.unary_unary("/grpc.health.v1.Health/Check")(request(service), timeout=5)


@pytest.fixture
def base(tmp_path, shop_one):
    shutil.copytree(shop_one, tmp_path / "shop" / "1")
    return tmp_path / "shop"


@pytest.fixture
def server(base):
    options = serving.ServerOptions(file_system_poll_wait_seconds=0.1)
    with serving.EmbeddedServer({"shop": base}, options) as server:
        yield server


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


def test_server_and_models(channel):
    assert check(channel) == SERVING
    assert check(channel, "shop") == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        check(channel, "shoe")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_watching_a_model_that_goes_and_comes(channel, base, shop_two):
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(request("shop"), timeout=20)
    unknown = channel.unary_stream("/grpc.health.v1.Health/Watch")(request("shoe"), timeout=20)
    assert next(watch) == SERVING
    assert next(unknown) == SERVICE_UNKNOWN
    shutil.rmtree(base / "1")
    assert next(watch) == NOT_SERVING
    assert check(channel, "shop") == NOT_SERVING
    assert check(channel) == SERVING
    (base.parent / "next").mkdir()
    shutil.copytree(shop_two, base.parent / "next" / "2")
    (base.parent / "next" / "2").rename(base / "2")
    assert next(watch) == SERVING
    watch.cancel()
    unknown.cancel()


def test_watchers_take_no_thread_from_requests(server, channel):
    method = channel.unary_stream("/grpc.health.v1.Health/Watch")
    watchers = [method(request(""), timeout=20) for _ in range(100)]
    assert {next(watcher) for watcher in watchers} == {SERVING}
    with pytest.raises(grpc.RpcError) as caught:
        next(method(request(""), timeout=20))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with serving.Client(server.address, model="shop", timeout=5) as client:
        assert client.predict("slow", {"steps": 1})["weight"] == 1.0
    watchers.pop().cancel()
    deadline = time.monotonic() + 5
    while True:
        again = method(request(""), timeout=20)
        try:
            assert next(again) == SERVING
            break
        except grpc.RpcError:
            assert time.monotonic() < deadline
    for watcher in [*watchers, again]:
        watcher.cancel()


def test_stopping(base):
    server = serving.EmbeddedServer({"shop": base})
    server.start()
    with grpc.insecure_channel(server.address) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(request(""), timeout=20)
        assert next(watch) == SERVING
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert list(watch) == [NOT_SERVING]
        stopper.join(10)
        assert not stopper.is_alive()
