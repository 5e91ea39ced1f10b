"""The options of the embedded server, named after the flags of `tensorflow_model_server`.

One dataclass instead of a dozen arguments: the command line fills it, the server and its doors
read it, nobody changes it.
"""

import math
from dataclasses import dataclass, fields
from pathlib import Path

MONITORING_PATH = "/monitoring/prometheus/metrics"


@dataclass(frozen=True)
class ServerOptions:
    """How the embedded server listens, loads and answers.

    Where a flag of TF Serving has the same name it has the same meaning; what this server adds
    stands at the end. Defaults are TF Serving's, but for `host`, which is loopback here.

    Attributes:
        host: The interface to listen on, for gRPC and for REST.
        port: The gRPC port; 0 takes a free one.
        rest_api_port: The REST port; 0 takes a free one, `None` serves no REST.
        model_config_file: A text `ModelServerConfig`, in place of models given by base path.
        model_config_file_poll_wait_seconds: How often that file is read again; 0 reads it once.
        allow_version_labels_for_unavailable_models: Whether a label in the configuration may
            name a version that is not yet available, when its model is configured for the first
            time.
        file_system_poll_wait_seconds: How often the base paths are looked at; 0 looks once.
        max_num_load_retries: How often a version that fails to load is tried again.
        load_retry_interval_micros: The time between two tries, microseconds.
        num_load_threads: The versions that are loaded at once.
        enable_model_warmup: Whether a version's warm-up records are replayed before it serves.
        enable_batching: Whether requests to one signature are run together.
        batching_parameters_file: A text `BatchingParameters`; needs `enable_batching`.
        tensorflow_session_parallelism: The threads of one operation and of one run; 0 lets
            TensorFlow choose.
        grpc_max_threads: The gRPC requests that run at once; more wait.
        rest_api_num_threads: The REST requests that run at once; more wait.
        rest_api_timeout_in_ms: The time a REST request may take, milliseconds.
        ssl_config_file: A text `SSLConfig` with keys and certificates in it, for gRPC.
        monitoring: Whether metrics are answered on the REST port, at `MONITORING_PATH`.
        keep: How many of the latest versions are served of a model given by base path.
        ssl_server_key: A PEM file with the private key, in place of `ssl_config_file`.
        ssl_server_cert: A PEM file with the certificate chain of that key.
        ssl_custom_ca: A PEM file with the authorities whose client certificates are accepted.
        ssl_client_verify: Whether a client has to show such a certificate.
        max_request_bytes: The size of the largest message or body that is read.
        rest_max_connections: The REST connections that are open at once; a further one takes the
            place of the one that has been without a request for the longest time.
        rest_read_timeout_seconds: The time a REST client has to send a request, from its first
            byte to its last, and a kept connection may lie idle.
        grace: The seconds that running requests get to end when the server stops.
    """

    host: str = "127.0.0.1"
    port: int = 0
    rest_api_port: int | None = None
    model_config_file: Path | None = None
    model_config_file_poll_wait_seconds: float = 0.0
    allow_version_labels_for_unavailable_models: bool = False
    file_system_poll_wait_seconds: float = 1.0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    num_load_threads: int = 1
    enable_model_warmup: bool = True
    enable_batching: bool = False
    batching_parameters_file: Path | None = None
    tensorflow_session_parallelism: int = 0
    grpc_max_threads: int = 16
    rest_api_num_threads: int = 16
    rest_api_timeout_in_ms: int = 30_000
    ssl_config_file: Path | None = None
    monitoring: bool = True
    keep: int = 1
    ssl_server_key: Path | None = None
    ssl_server_cert: Path | None = None
    ssl_custom_ca: Path | None = None
    ssl_client_verify: bool = False
    max_request_bytes: int = 2**25
    rest_max_connections: int = 256
    rest_read_timeout_seconds: float = 30.0
    grace: float = 5.0

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_companions(self)


_PORTS = ("port", "rest_api_port")
# The least value an option may have.
_LEAST = {
    "model_config_file_poll_wait_seconds": 0,
    "file_system_poll_wait_seconds": 0,
    "max_num_load_retries": 0,
    "load_retry_interval_micros": 0,
    "num_load_threads": 1,
    "tensorflow_session_parallelism": 0,
    "grpc_max_threads": 1,
    "rest_api_num_threads": 1,
    "rest_api_timeout_in_ms": 1,
    "keep": 1,
    "max_request_bytes": 1,
    "rest_max_connections": 1,
    "rest_read_timeout_seconds": 0.01,
    "grace": 0,
}


def _check_ranges(options: ServerOptions) -> None:
    for name in _PORTS:
        port = getattr(options, name)
        if port is not None and not 0 <= port < 65_536:
            raise ValueError(f"`{name}` should be a port from 0 to 65535. Received: {port}")
    if options.port and options.port == options.rest_api_port:
        raise ValueError(
            f"`rest_api_port` should be another port than that of gRPC. Received: {options.port}"
        )
    for name, least in _LEAST.items():
        value = getattr(options, name)
        if not (value >= least and math.isfinite(value)):
            raise ValueError(f"`{name}` should be at least {least}. Received: {value}")
    if options.max_request_bytes > 2**31 - 1:
        raise ValueError(
            f"`max_request_bytes` should be less than 2 GiB. Received: {options.max_request_bytes}"
        )


def _check_companions(options: ServerOptions) -> None:
    own = [
        field.name
        for field in fields(options)
        if field.name in ("ssl_server_key", "ssl_server_cert", "ssl_custom_ca", "ssl_client_verify")
        and getattr(options, field.name)
    ]
    if options.ssl_config_file is not None and own:
        raise ValueError(
            f"`ssl_config_file` should stand without `{own[0]}`, or it without the file"
        )
    if own and not (options.ssl_server_key and options.ssl_server_cert):
        raise ValueError(
            f"`ssl_server_key` and `ssl_server_cert` should be given together. Received: `{own[0]}`"
        )
    if options.ssl_client_verify and options.ssl_custom_ca is None:
        raise ValueError("`ssl_client_verify` should come with `ssl_custom_ca`. Received: none")
    if options.batching_parameters_file is not None and not options.enable_batching:
        raise ValueError("`batching_parameters_file` should come with `enable_batching`")
