"""Versions coming and going under a running server."""

import shutil
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

import serving
from serving.pushing.versions import push

SLOW = 200_000
QUICK = serving.ServerOptions(file_system_poll_wait_seconds=0.1)


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def base(tmp_path, shop_one):
    push(shop_one, tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def server(base):
    with serving.EmbeddedServer({"shop": base}, QUICK) as server:
        yield server


@pytest.fixture
def client(server):
    with serving.Client(server.address, model="shop", timeout=20) as client:
        yield client


def states(client) -> dict[int, str]:
    return {entry.version: entry.state for entry in client.status()}


def weight(client, **options) -> float:
    return float(client.predict("slow", {"steps": 1}, **options)["weight"])


def test_a_swap_under_load_fails_no_request(client, base, shop_one, shop_two):
    stop, weights, errors = threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                weights.append(weight(client))
            except serving.ServingError as error:
                errors.append(error)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for number, source in ((2, shop_two), (3, shop_one), (4, shop_two)):
        assert push(source, base) == number
        wait_until(lambda number=number: states(client).get(number) == "AVAILABLE")
    wait_until(lambda: states(client) == {4: "AVAILABLE", 3: "END", 2: "END", 1: "END"})
    stop.set()
    for asker in askers:
        asker.join()
    assert errors == []
    assert set(weights) == {1.0, 2.0}
    assert weight(client) == 2.0


def test_unloading_waits_for_a_running_request(client, base, shop_two):
    answers = []
    asker = threading.Thread(
        target=lambda: answers.append(client.predict("slow", {"steps": SLOW})["weight"])
    )
    asker.start()
    time.sleep(0.1)
    push(shop_two, base)
    wait_until(lambda: states(client).get(2) == "AVAILABLE")
    assert states(client)[1] == "UNLOADING"
    assert weight(client) == 2.0
    asker.join()
    assert answers == [1.0]
    wait_until(lambda: states(client)[1] == "END")
    with pytest.raises(serving.ServingError, match=r"Specific\(shop, 1\)"):
        weight(client, version=1)


def test_removing_the_latest_rolls_back(client, base, shop_two):
    push(shop_two, base)
    wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})
    shutil.rmtree(base / "2")
    wait_until(lambda: states(client) == {2: "END", 1: "AVAILABLE"})
    assert weight(client) == 1.0


def test_a_version_that_cannot_be_loaded_changes_nothing(client, base, shop_two):
    (base / "7").mkdir()
    (base / "7" / "saved_model.pb").write_bytes(b"damaged")
    wait_until(lambda: 7 in states(client))
    wait_until(lambda: states(client) == {7: "END", 1: "AVAILABLE"})
    (failed,) = [entry for entry in client.status() if entry.version == 7]
    assert failed.error
    assert str(base) not in failed.error
    assert weight(client) == 1.0
    push(shop_two, base)
    wait_until(lambda: states(client).get(8) == "AVAILABLE")
    assert weight(client) == 2.0


def test_a_failed_load_is_tried_again(base, shop_two):
    options = replace(QUICK, load_retry_interval_micros=200_000)
    with (
        serving.EmbeddedServer({"shop": base}, options) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        (base / "2").mkdir()
        wait_until(lambda: states(client).get(2) == "END")
        shutil.copytree(shop_two, base / "2", dirs_exist_ok=True)
        wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})


def test_an_empty_base_path_unloads_and_a_missing_one_does_not(client, base, shop_two):
    away = base.with_name("away")
    base.rename(away)
    time.sleep(0.3)
    assert weight(client) == 1.0
    base.mkdir()
    wait_until(lambda: states(client) == {1: "END"})
    with pytest.raises(serving.ServingError, match=r"^NOT_FOUND: .* Latest\(shop\)"):
        weight(client)
    assert push(shop_two, base) == 1
    wait_until(lambda: states(client) == {1: "AVAILABLE"})
    assert weight(client) == 2.0


def test_keeping_two_versions(base, shop_two):
    push(shop_two, base)
    with (
        serving.EmbeddedServer({"shop": base}, serving.ServerOptions(keep=2)) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        assert states(client) == {2: "AVAILABLE", 1: "AVAILABLE"}
        assert weight(client, version=1) == 1.0
        assert weight(client) == 2.0


def write_warmup(directory, *requests):
    (directory / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(directory / "assets.extra/tf_serving_warmup_requests")) as file:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            file.write(log.SerializeToString())


def slow_request(steps) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "slow"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto(steps))
    return request


def test_warm_up_is_replayed_and_its_failure_fails_the_load(client, base, shop_two, tmp_path):
    source = shutil.copytree(shop_two, tmp_path / "source")
    write_warmup(source, slow_request(np.int32(1)), slow_request("a string"))
    push(source, base)
    wait_until(lambda: states(client).get(2) == "END")
    assert "to be int32 but string is provided" in client.status()[0].error
    assert weight(client) == 1.0
    shutil.rmtree(source / "assets.extra")
    write_warmup(source, *[slow_request(np.int32(1))] * 3)
    push(source, base)
    wait_until(lambda: states(client).get(3) == "AVAILABLE")


def test_more_than_a_thousand_warm_up_records_fail(client, base, shop_two, tmp_path):
    source = shutil.copytree(shop_two, tmp_path / "source")
    write_warmup(source, *[slow_request(np.int32(1))] * 1001)
    push(source, base)
    wait_until(lambda: states(client).get(2) == "END")
    assert "exceeds the maximum (1000)" in client.status()[0].error


def test_the_client_follows_a_signature_that_changes(client, base, shop_one, tmp_path):
    class Renamed(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "price")])
        def double(self, price):
            return {"y": price * 2}

    assert client.predict("scaled", {"x": 1})["y"].tolist() == [10]
    module = Renamed()
    tf.saved_model.save(module, str(tmp_path / "v2"), signatures={"scaled": module.double})
    push(tmp_path / "v2", base)
    wait_until(lambda: states(client) == {2: "AVAILABLE", 1: "END"})
    assert client.predict("scaled", {"price": 3})["y"].tolist() == [6]


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
def test_a_used_port_is_refused(base, listen):
    with socket.socket() as used:
        used.bind((listen, 0))
        used.listen()
        port = used.getsockname()[1]
        with pytest.raises(serving.ServingError, match=f"127.0.0.1:{port}: the port is in use"):
            serving.EmbeddedServer({"shop": base}, serving.ServerOptions(port=port)).start()


def test_two_servers_do_not_share_a_port(server, base):
    with pytest.raises(serving.ServingError, match="the port is in use"):
        serving.EmbeddedServer({"shop": base}, serving.ServerOptions(port=server.port)).start()


def test_nothing_to_serve(tmp_path):
    with pytest.raises(serving.ServingError, match=r"^NOT_FOUND: model `shop` has no version"):
        serving.EmbeddedServer({"shop": tmp_path / "none"}).start()
    (tmp_path / "bad" / "1").mkdir(parents=True)
    with pytest.raises(serving.ServingError, match="model `shop` version 1 cannot be loaded"):
        serving.EmbeddedServer({"shop": tmp_path / "bad"}).start()


def test_stopping_cancels_what_outlasts_the_grace(base):
    server = serving.EmbeddedServer({"shop": base})
    server.start()
    errors = []

    def ask():
        with serving.Client(server.address, model="shop", timeout=60) as client:
            try:
                client.predict("slow", {"steps": 2**31 - 1})
            except serving.ServingError as error:
                errors.append(error.code)

    asker = threading.Thread(target=ask)
    asker.start()
    time.sleep(0.3)
    started = time.monotonic()
    server.stop(grace=0.2)
    assert time.monotonic() - started < 5
    asker.join(5)
    assert errors
    assert errors[0] in ("UNAVAILABLE", "CANCELLED")
