"""Options that contradict themselves are refused before anything is started."""

from pathlib import Path

import pytest

from serving.server.options import ServerOptions

PEM = Path("x.pem")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 65_536}, "`port` should be a port from 0 to 65535. Received: 65536"),
        ({"rest_api_port": -1}, "`rest_api_port` should be a port"),
        ({"port": 8500, "rest_api_port": 8500}, "`rest_api_port` should be another port"),
        ({"grpc_max_threads": 0}, "`grpc_max_threads` should be at least 1. Received: 0"),
        ({"rest_read_timeout_seconds": float("nan")}, "should be at least 0.01. Received: nan"),
        ({"grace": float("inf")}, "`grace` should be at least 0. Received: inf"),
        ({"max_request_bytes": 2**31}, "`max_request_bytes` should be less than 2 GiB"),
        ({"batching_parameters_file": PEM}, "should come with `enable_batching`"),
        ({"ssl_server_key": PEM}, "`ssl_server_key` and `ssl_server_cert` should be given togeth"),
        ({"ssl_custom_ca": PEM}, "should be given together. Received: `ssl_custom_ca`"),
        ({"ssl_server_key": PEM, "ssl_server_cert": PEM, "ssl_client_verify": True},
         "`ssl_client_verify` should come with `ssl_custom_ca`"),
        ({"ssl_config_file": PEM, "ssl_server_key": PEM, "ssl_server_cert": PEM},
         "`ssl_config_file` should stand without `ssl_server_key`"),
    ],
)  # fmt: skip
def test_refusals(options, message):
    with pytest.raises(ValueError, match="`") as caught:
        ServerOptions(**options)
    assert message in str(caught.value)


def test_free_ports_may_both_be_asked_for():
    options = ServerOptions(port=0, rest_api_port=0)
    assert (options.host, options.port, options.rest_api_port) == ("127.0.0.1", 0, 0)
