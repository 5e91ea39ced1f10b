"""How the clients reach a server: encryption, retries, deadlines, sizes, versions and labels."""

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_status_pb2

import serving
from serving.client import TLS
from serving.pushing.versions import push

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def refused(call, *arguments, **named):
    with pytest.raises(serving.ServingError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Failing(grpc.GenericRpcHandler):
    """Ends the first calls in a code, then answers; remembers when it was called."""

    def __init__(self, times, code):
        self.times, self.code = times, code
        self.called, self.left = [], []

    def service(self, details):
        def answer(request, context):
            self.called.append(time.monotonic())
            self.left.append(context.time_remaining())
            if len(self.called) <= self.times:
                context.abort(self.code, "not now")
            response = get_model_status_pb2.GetModelStatusResponse()
            response.model_version_status.add(version=7, state=30)
            return response.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def failing():
    servers = []

    def start(times, code=grpc.StatusCode.UNAVAILABLE):
        handler = Failing(times, code)
        server = grpc.server(ThreadPoolExecutor(2), handlers=(handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return handler, f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()


def test_unavailable_is_tried_again_after_longer_and_longer(failing):
    handler, address = failing(3)
    with serving.Client(address, model="shop", timeout=8) as client:
        assert client.status() == [(7, "AVAILABLE", "")]
    waits = np.diff(handler.called)
    assert len(waits) == 3
    assert waits[0] >= 0.03
    assert waits[2] > waits[0]
    # Below ten seconds gRPC tells the time that is left to the hundredth of a second.
    assert handler.left[3] < handler.left[0] - waits.sum() / 2, "all attempts share one deadline"


def test_asyncio_tries_again_too(failing):
    handler, address = failing(2)

    async def ask():
        async with serving.AsyncClient(address, model="shop", timeout=20) as client:
            return await client.status()

    assert asyncio.run(ask()) == [(7, "AVAILABLE", "")]
    assert len(handler.called) == 3


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "INTERNAL", "ABORTED", "DEADLINE_EXCEEDED"])
def test_other_codes_are_not_tried_again(failing, code):
    handler, address = failing(1, grpc.StatusCode[code])
    with serving.Client(address, model="shop") as client:
        assert refused(client.status) == f"{code}: not now"
    assert len(handler.called) == 1


def test_tries_end(failing):
    handler, address = failing(99)
    with serving.Client(address, model="shop", timeout=20, retries=1) as client:
        assert refused(client.status) == "UNAVAILABLE: not now"
    assert len(handler.called) == 2
    handler, address = failing(99)
    with serving.Client(address, model="shop", timeout=20, retries=0) as client:
        assert refused(client.status) == "UNAVAILABLE: not now"
    assert len(handler.called) == 1


def test_the_deadline_ends_the_tries(failing):
    _, address = failing(99)
    with serving.Client(address, model="shop", timeout=0.2) as client:
        began = time.monotonic()
        assert refused(client.status).startswith("DEADLINE_EXCEEDED")
        assert time.monotonic() - began < 2


def test_a_server_that_comes_back(tmp_path, shop_one):
    push(shop_one, tmp_path / "shop")
    with serving.EmbeddedServer({"shop": tmp_path / "shop"}) as first:
        client = serving.Client(first.address, model="shop", timeout=30)
        assert client.status()
    options = serving.ServerOptions(port=first.port)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(client.predict, "scaled", {"x": [4]})
        time.sleep(0.2)
        with serving.EmbeddedServer({"shop": tmp_path / "shop"}, options):
            assert pending.result()["y"].tolist() == [40]
    client.close()


def test_settings_that_cannot_be():
    make = serving.Client
    assert refused(make, "h:1", "shop", version=2, label="canary") == (
        "INVALID_ARGUMENT: give a version or a label. Received: version 2, label `canary`"
    )
    assert refused(make, "h:1", "shop", retries=9) == (
        "INVALID_ARGUMENT: retries should be between 0 and 4. Received: 9"
    )
    assert refused(make, "h:1", "shop", max_message_bytes=0) == (
        "INVALID_ARGUMENT: max_message_bytes should be at least 1. Received: 0"
    )


def test_sizes_of_messages(shop_server):
    inputs = {"item": "x" * 5000, "x": [0, 0]}
    with serving.Client(shop_server.address, "shop", max_message_bytes=3000) as client:
        assert client.metadata("slow").version == 3
        message = refused(client.predict, "serving_default", inputs)
        assert message.startswith("RESOURCE_EXHAUSTED: ")
    with serving.Client(shop_server.address, "shop", max_message_bytes=30_000) as client:
        assert client.predict("serving_default", inputs)["item"].tolist() == [b"x" * 5000]


def test_one_deadline_for_all_messages_of_a_call(shop_server):
    client = serving.Client(shop_server.address, "shop", timeout=1e-9)
    assert refused(client.predict, "scaled", {"x": [4]}).startswith("DEADLINE_EXCEEDED: ")
    assert client.at(timeout=20).predict("scaled", {"x": [4]})["y"].tolist() == [40]
    client.close()
    assert refused(client.at(timeout=20).status) == "FAILED_PRECONDITION: the client is closed"


def test_health(shop_client):
    assert shop_client.health() == "SERVING"


def config(base, labels):
    """A models.config of versions 1 and 2, and the version of each label."""
    marks = "".join(f'version_labels {{ key: "{k}" value: {v} }} ' for k, v in labels.items())
    return (
        'model_config_list { config { name: "shop" model_platform: "tensorflow" '
        f'base_path: "{base}" model_version_policy {{ specific {{ versions: 1 versions: 2 }} }} '
        f"{marks} }} }}"
    )


def wait_for(client, status):
    deadline = time.monotonic() + 30
    while status not in client.status() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status in client.status()


def weight(client, **at):
    return float(client.predict("slow", {"steps": 1}, **at)["weight"])


def test_versions_and_labels_that_move(tmp_path, shop_one, shop_two):
    base = tmp_path / "shop"
    push(shop_one, base)
    push(shop_two, base)
    with (
        serving.EmbeddedServer({"shop": base}) as server,
        serving.Client(server.address, "shop", timeout=20) as client,
    ):
        client.reload_config(config(base, {}))
        wait_for(client, (1, "AVAILABLE", ""))
        client.reload_config(config(base, {"stable": 1}))
        assert client.metadata("slow", label="stable").version == 1
        assert weight(client, label="stable") == 1
        assert weight(client, version=1) == 1
        assert weight(client) == 2, "the latest"
        stable = client.at(label="stable")
        assert (stable.metadata("slow").version, weight(stable)) == (1, 1)
        client.reload_config(config(base, {"stable": 2}))
        assert weight(stable) == 2
        assert stable.metadata("slow").version == 2
        assert weight(client.at(version=1)) == 1
        assert refused(weight, client, label="canary") == (
            "INVALID_ARGUMENT: Unrecognized servable version label: canary"
        )
        assert refused(client.reload_config, "models {").startswith(
            "INVALID_ARGUMENT: no models.config: "
        )
        message = refused(client.reload_config, config(base, {"stable": 9}))
        assert message.startswith("FAILED_PRECONDITION: Request to assign label to version 9")


def test_what_is_known_of_a_version_is_forgotten_with_it(tmp_path, shop_one):
    import tensorflow as tf

    base = tmp_path / "shop"
    push(shop_one, base)
    newer = tmp_path / "newer"
    module = tf.Module()
    function = tf.function(lambda x, z: {"y": x - z})
    spec = [tf.TensorSpec([None], tf.float32, name) for name in ("x", "z")]
    signature = function.get_concrete_function(*spec)
    tf.saved_model.save(module, str(newer), signatures={"scaled": signature})
    options = serving.ServerOptions(file_system_poll_wait_seconds=0.1)
    with (
        serving.EmbeddedServer({"shop": base}, options) as server,
        serving.Client(server.address, "shop", timeout=20) as client,
    ):
        assert client.predict("scaled", {"x": [4]})["y"].tolist() == [40]
        push(newer, base)
        wait_for(client, (1, "END", ""))
        answer = client.predict("scaled", {"x": [1.5], "z": [1.0]})
        assert answer["y"].tolist() == [0.5], "the known signature has no `z`"
        assert "has no signature `slow`" in refused(client.predict, "slow", {"steps": 1})


@needs_openssl
def test_tls(pem, shop_one, tmp_path):
    push(shop_one, tmp_path / "shop")
    own = {"ssl_server_key": pem / "server.key", "ssl_server_cert": pem / "server.crt"}
    with serving.EmbeddedServer(
        {"shop": tmp_path / "shop"}, serving.ServerOptions(**own)
    ) as server:
        make = {"model": "shop", "timeout": 20, "retries": 0}
        with serving.Client(server.address, tls=TLS(ca=pem / "ca.crt"), **make) as client:
            assert client.status() == [(1, "AVAILABLE", "")]
        tls = TLS(ca=pem / "stranger.crt")
        with serving.Client(server.address, tls=tls, **make) as client:
            assert refused(client.status).startswith("UNAVAILABLE: ")
        tls = TLS(ca=pem / "ca.crt", server_name="elsewhere")
        with serving.Client(server.address, tls=tls, **make) as client:
            assert refused(client.status).startswith("UNAVAILABLE: ")
        with serving.Client(server.address, **make) as client:
            assert refused(client.status).startswith("UNAVAILABLE: ")


@needs_openssl
def test_mutual_tls(pem, shop_one, tmp_path):
    push(shop_one, tmp_path / "shop")
    options = serving.ServerOptions(
        ssl_server_key=pem / "server.key",
        ssl_server_cert=pem / "server.crt",
        ssl_custom_ca=pem / "ca.crt",
        ssl_client_verify=True,
    )
    own = TLS(ca=pem / "ca.crt", certificate=pem / "client.crt", key=pem / "client.key")

    async def ask(address):
        async with serving.AsyncClient(address, "shop", tls=own, timeout=20) as client:
            return await client.status()

    with serving.EmbeddedServer({"shop": tmp_path / "shop"}, options) as server:
        assert asyncio.run(ask(server.address)) == [(1, "AVAILABLE", "")]
        anonymous = serving.Client(server.address, "shop", tls=TLS(ca=pem / "ca.crt"), retries=0)
        assert refused(anonymous.status).startswith("UNAVAILABLE: ")
        anonymous.close()


def test_files_of_keys_that_are_not_there(tmp_path):
    client = serving.Client("h:1", "shop", tls=TLS(ca=tmp_path / "ca.pem"))
    assert refused(client.status) == (
        f"INVALID_ARGUMENT: tls: ca {tmp_path / 'ca.pem'}: No such file or directory"
    )
    client = serving.Client("h:1", "shop", tls=TLS(certificate=tmp_path / "own.pem"))
    assert refused(client.status) == (
        "INVALID_ARGUMENT: tls: mutual TLS needs the certificate and its key. "
        "Received: the certificate alone"
    )
