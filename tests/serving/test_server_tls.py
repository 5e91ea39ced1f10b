"""TLS and mutual TLS of the gRPC port, with certificates made here by the openssl program."""

import shutil

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

import serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture(scope="module")
def base(tmp_path_factory, shop_one):
    base = tmp_path_factory.mktemp("tls")
    shutil.copytree(shop_one, base / "1")
    return base


def credentials(pem, trusted="ca", own=None):
    pair = (None, None)
    if own is not None:
        pair = ((pem / f"{own}.key").read_bytes(), (pem / f"{own}.crt").read_bytes())
    return grpc.ssl_channel_credentials((pem / f"{trusted}.crt").read_bytes(), *pair)


def states(address, credentials):
    """The states of the model's versions over TLS, or the code of what went wrong."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "shop"
    with grpc.secure_channel(address, credentials) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        try:
            response = stub.GetModelStatus(request, timeout=5)
        except grpc.RpcError as error:
            return error.code().name
        return [entry.state for entry in response.model_version_status]


def serving_with(base, **options):
    return serving.EmbeddedServer({"shop": base}, serving.ServerOptions(**options))


def test_tls(base, pem):
    own = {"ssl_server_key": pem / "server.key", "ssl_server_cert": pem / "server.crt"}
    with serving_with(base, **own) as server:
        assert states(server.address, credentials(pem)) == [30]
        assert states(server.address, credentials(pem, trusted="stranger")) == "UNAVAILABLE"
        with (
            serving.Client(server.address, model="shop", timeout=2) as client,
            pytest.raises(serving.ServingError, match=r"UNAVAILABLE|DEADLINE_EXCEEDED"),
        ):
            client.status()


def test_mutual_tls(base, pem):
    options = {
        "ssl_server_key": pem / "server.key",
        "ssl_server_cert": pem / "server.crt",
        "ssl_custom_ca": pem / "ca.crt",
        "ssl_client_verify": True,
    }
    with serving_with(base, **options) as server:
        assert states(server.address, credentials(pem, own="client")) == [30]
        assert states(server.address, credentials(pem)) == "UNAVAILABLE"
        assert states(server.address, credentials(pem, own="stranger")) == "UNAVAILABLE"


def quoted(text):
    return '"' + text.replace("\n", "\\n") + '"'


def test_the_file_of_tensorflow_serving(base, pem, tmp_path):
    texts = {
        "server_key": quoted((pem / "server.key").read_text()),
        "server_cert": quoted((pem / "server.crt").read_text()),
        "custom_ca": quoted((pem / "ca.crt").read_text()),
        "client_verify": "true",
    }
    file = tmp_path / "ssl.config"
    file.write_text("".join(f"{name}: {value}\n" for name, value in texts.items()))
    with serving_with(base, ssl_config_file=file) as server:
        assert states(server.address, credentials(pem, own="client")) == [30]
        assert states(server.address, credentials(pem)) == "UNAVAILABLE"


def refused(base, **options):
    with pytest.raises(serving.ServingError) as caught:
        serving_with(base, **options).start()
    return str(caught.value)


def test_what_is_no_key_or_certificate(base, pem, tmp_path):
    key, cert = pem / "server.key", pem / "server.crt"
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    binary = tmp_path / "binary.pem"
    binary.write_bytes(b"\xff\xfe")
    broken = tmp_path / "broken.key"
    broken.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    secret = key.read_text().splitlines()[1]
    cases = [
        ({"ssl_server_key": tmp_path / "none", "ssl_server_cert": cert},
         "INVALID_ARGUMENT: ssl_server_key: none: No such file or directory"),
        ({"ssl_server_key": empty, "ssl_server_cert": cert},
         "ssl_server_key: expected PEM text with a private key, found none"),
        ({"ssl_server_key": key, "ssl_server_cert": key},
         "ssl_server_cert: expected PEM text with a certificate, found none"),
        ({"ssl_server_key": binary, "ssl_server_cert": cert}, "is no text; expected PEM"),
        ({"ssl_server_key": broken, "ssl_server_cert": cert},
         "the key and certificate cannot be used: expected a private key and its certificate"),
        ({"ssl_server_key": pem / "client.key", "ssl_server_cert": cert},
         "the key and certificate cannot be used: expected a private key and its certificate"),
        ({"ssl_config_file": key}, "ssl_config_file: expected a text SSLConfig"),
    ]  # fmt: skip
    for options, message in cases:
        error = refused(base, **options)
        assert message in error
        assert secret not in error
        assert str(tmp_path) not in error
