"""Encrypted connections: whom the client trusts, and who it says it is."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import grpc

from serving.errors import ServingError


@dataclass(frozen=True)
class TLS:
    """How a connection is encrypted.

    Args:
        ca: File of the certificates (PEM) that may sign the server's; those of gRPC when left out.
        certificate: File of the client's own certificate (PEM), for mutual TLS.
        key: File of its key (PEM).
        server_name: The name the server's certificate should bear, where it is not the address's.

    Example:
        >>> Client("ranking:8500", model="shop", tls=TLS(ca="ca.pem"))
    """

    ca: str | PathLike[str] | None = None
    certificate: str | PathLike[str] | None = None
    key: str | PathLike[str] | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """The files' contents, as a channel wants them.

        Raises:
            ServingError: INVALID_ARGUMENT when a certificate comes without a key, or a file cannot
                be read.
        """
        if (self.certificate is None) != (self.key is None):
            raise ServingError(
                "INVALID_ARGUMENT",
                "tls: mutual TLS needs the certificate and its key. Received: "
                + ("the key alone" if self.certificate is None else "the certificate alone"),
            )
        return grpc.ssl_channel_credentials(
            _content("ca", self.ca), _content("key", self.key), _content("cert", self.certificate)
        )

    @property
    def options(self) -> list[tuple[str, str]]:
        """What else a channel needs."""
        if self.server_name is None:
            return []
        return [("grpc.ssl_target_name_override", self.server_name)]


def _content(role: str, path: str | PathLike[str] | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ServingError("INVALID_ARGUMENT", f"tls: {role} {path}: {error.strerror}") from error
