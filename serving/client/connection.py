"""Channels to one server, for the blocking and the asynchronous client.

gRPC itself sends a call again that ended in UNAVAILABLE: after 50 ms, then three times as long
each time, at random a little more or less, while the call's deadline allows. No other code is
retried: the server may have done the work.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from serving import protocol
from serving.client.tls import TLS
from serving.errors import ServingError

MOST_RETRIES = 4
"""gRPC makes no more than five attempts."""

_RETRIED_BYTES = 64 << 20
_RECONNECT_MS = 100


@dataclass(frozen=True)
class Address:
    """Where a server is and how it is spoken to.

    Args:
        host_port: `host:port`.
        tls: Encryption; None for a plain connection.
        retries: How often a call that ended in UNAVAILABLE is sent again, up to 4.
        max_message_bytes: Longest request and longest answer; None for any length.
    """

    host_port: str
    tls: TLS | None = None
    retries: int = MOST_RETRIES
    max_message_bytes: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.retries <= MOST_RETRIES:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"retries should be between 0 and {MOST_RETRIES}. Received: {self.retries}",
            )
        if self.max_message_bytes is not None and self.max_message_bytes < 1:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"max_message_bytes should be at least 1. Received: {self.max_message_bytes}",
            )

    def channel(self, library: Any = grpc, options: Sequence[tuple[str, Any]] = ()) -> Any:
        """Opens a channel.

        Args:
            library: `grpc`, or `grpc.aio` for a channel of asyncio's.
            options: Further options of gRPC's.
        """
        options = [*self._options(), *(self.tls.options if self.tls else []), *options]
        if self.tls is None:
            return library.insecure_channel(self.host_port, options=options)
        return library.secure_channel(self.host_port, self.tls.credentials(), options=options)

    def _options(self) -> list[tuple[str, Any]]:
        longest = -1 if self.max_message_bytes is None else self.max_message_bytes
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", longest),
            ("grpc.max_send_message_length", longest),
            ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
            ("grpc.min_reconnect_backoff_ms", _RECONNECT_MS),
            ("grpc.max_reconnect_backoff_ms", 10 * _RECONNECT_MS),
        ]
        if not self.retries:
            return [*options, ("grpc.enable_retries", 0)]
        policy = {
            "maxAttempts": self.retries + 1,
            "initialBackoff": "0.05s",
            "maxBackoff": "2s",
            "backoffMultiplier": 3,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        return [
            *options,
            # Longer requests are not kept, hence not sent again.
            ("grpc.per_rpc_retry_buffer_size", _RETRIED_BYTES),
            (
                "grpc.service_config",
                json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]}),
            ),
        ]


class Connection:
    """The methods of one server, over a channel that is opened at the first call.

    Args:
        address: The server's.
        library: `grpc` or `grpc.aio`.
    """

    def __init__(self, address: Address, library: Any = grpc):
        self.address = address
        self._library = library
        self._channel: Any = None
        self._methods: dict[str, Any] = {}
        self._closed = False

    def method(self, path: str) -> Any:
        """The callable of a gRPC method.

        Raises:
            ServingError: FAILED_PRECONDITION after `close`.
        """
        if self._closed:
            raise closed()
        if path not in self._methods:
            if self._channel is None:
                self._channel = self.address.channel(self._library)
            self._methods[path] = self._channel.unary_unary(
                path,
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=protocol.RESPONSES[path].FromString,
            )
        return self._methods[path]

    def close(self) -> Any:
        """Ends the running calls; the connection cannot be used afterwards.

        Returns:
            What the channel's own `close` does: an awaitable of `grpc.aio`, None before any call.
        """
        self._closed = True
        return None if self._channel is None else self._channel.close()


def closed() -> ServingError:
    """What a call after `close` ends in."""
    return ServingError("FAILED_PRECONDITION", "the client is closed")


def failure(error: grpc.RpcError) -> ServingError:
    """A failed call's code and message."""
    return ServingError(error.code().name, error.details() or "")
