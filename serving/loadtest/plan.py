"""What a load test sends, and how it is shared out among processes."""

import base64
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from serving.client.connection import Address
from serving.client.tls import TLS
from serving.errors import ServingError


class Load(NamedTuple):
    """Requests of one signature.

    Attributes:
        signature: The signature's key.
        path: The gRPC method.
        requests: Serialized requests, sent in turns.
    """

    signature: str
    path: str
    requests: list[bytes]


@dataclass(frozen=True)
class Plan:
    """A load test, or one process's share of it.

    Args:
        address: The server's.
        loads: What is sent, the signatures in turns.
        clients: Requests that are under way at once at most.
        seconds: How long requests are sent.
        requests: How many are sent at most; any number when None.
        rate: Requests a second, whether or not the server keeps up (open loop); None to send the
            next when the last was answered (closed loop).
        timeout: Seconds a request may take.
        phase: When the first request of an open loop is due, in seconds after the start.
    """

    address: Address
    loads: list[Load]
    clients: int = 8
    seconds: float = 10.0
    requests: int | None = None
    rate: float | None = None
    timeout: float = 5.0
    phase: float = 0.0

    def shares(self, processes: int) -> list["Plan"]:
        """The plans of processes that together do this one; no more than there are clients."""
        count = max(1, min(processes, self.clients, self.requests or self.clients))
        return [
            replace(
                self,
                clients=_share(self.clients, count, place),
                requests=None if self.requests is None else _share(self.requests, count, place),
                rate=None if self.rate is None else self.rate / count,
                phase=0.0 if self.rate is None else place / self.rate,
            )
            for place in range(count)
        ]

    def checked(self) -> "Plan":
        """Itself.

        Raises:
            ServingError: INVALID_ARGUMENT for what cannot be run.
        """
        for name in ("clients", "seconds", "requests", "rate", "timeout"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ServingError(
                    "INVALID_ARGUMENT", f"{name} should be more than 0. Received: {value}"
                )
        if not self.loads or not all(load.requests for load in self.loads):
            raise ServingError("INVALID_ARGUMENT", "a load test needs a request of each signature")
        return self

    def to_json(self) -> str:
        """One line that `from_json` reads."""
        plain = asdict(self)
        plain["loads"] = [
            [load.signature, load.path, [base64.b64encode(r).decode() for r in load.requests]]
            for load in self.loads
        ]
        return json.dumps(plain, default=str)

    @classmethod
    def from_json(cls, line: str) -> "Plan":
        """Reads what `to_json` wrote."""
        plain: dict[str, Any] = json.loads(line)
        address = plain.pop("address")
        tls = address.pop("tls")
        loads = [
            Load(signature, path, [base64.b64decode(request) for request in requests])
            for signature, path, requests in plain.pop("loads")
        ]
        return cls(Address(tls=TLS(**tls) if tls else None, **address), loads, **plain)


def _share(total: int, count: int, place: int) -> int:
    return total // count + (place < total % count)
