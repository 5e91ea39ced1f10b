"""The server's side of TLS: its key and certificate, and whose clients it lets in.

Both ways to say it are here: three PEM files, or TF Serving's `--ssl_config_file`, a text protocol
buffer `SSLConfig` with the PEM texts themselves in it. No message of a failure holds any of them.
"""

from pathlib import Path

import grpc
from google.protobuf import text_format

from serving.errors import ServingError
from serving.protocol import SslConfig
from serving.server.options import ServerOptions


def server_credentials(options: ServerOptions) -> grpc.ServerCredentials | None:
    """What the gRPC port shows and asks for; `None` when it speaks plain text.

    Args:
        options: Those of TLS are read: `ssl_config_file`, or `ssl_server_key`, `ssl_server_cert`,
            `ssl_custom_ca` and `ssl_client_verify`.

    Raises:
        ServingError: INVALID_ARGUMENT when a file cannot be read or lacks a key or certificate.
    """
    if options.ssl_config_file is not None:
        config = _read_config(options.ssl_config_file)
    elif options.ssl_server_key is not None and options.ssl_server_cert is not None:
        config = SslConfig(
            server_key=_read("ssl_server_key", options.ssl_server_key),
            server_cert=_read("ssl_server_cert", options.ssl_server_cert),
            client_verify=options.ssl_client_verify,
        )
        if options.ssl_custom_ca is not None:
            config.custom_ca = _read("ssl_custom_ca", options.ssl_custom_ca)
    else:
        return None
    _require_pem("ssl_server_key", config.server_key, "PRIVATE KEY")
    _require_pem("ssl_server_cert", config.server_cert, "CERTIFICATE")
    if config.client_verify or config.custom_ca:
        _require_pem("ssl_custom_ca", config.custom_ca, "CERTIFICATE")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _read_config(path: Path) -> SslConfig:
    try:
        return text_format.Parse(_read("ssl_config_file", path), SslConfig())
    except text_format.ParseError:
        # The parser quotes what it stumbled over, which may be a line of the key.
        raise _refused(
            "ssl_config_file",
            "expected a text SSLConfig with server_key, server_cert, custom_ca and client_verify",
        ) from None


def _read(option: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _refused(option, f"{path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _refused(option, f"{path.name} is no text; expected PEM") from None


def _require_pem(option: str, text: str, kind: str) -> None:
    lines = [line.strip() for line in text.splitlines()]
    if not any(line.startswith("-----BEGIN ") and line.endswith(f"{kind}-----") for line in lines):
        raise _refused(option, f"expected PEM text with a {kind.lower()}, found none")


def _refused(option: str, problem: str) -> ServingError:
    return ServingError("INVALID_ARGUMENT", f"{option}: {problem}")
