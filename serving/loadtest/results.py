"""What a load test has measured."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving.loadtest.latencies import Latencies


@dataclass
class Measured:
    """One signature's answers.

    Attributes:
        latencies: Of the requests that were answered; in an open loop from when they were due.
        errors: How many failed, by code.
    """

    latencies: Latencies = field(default_factory=Latencies)
    errors: Counter[str] = field(default_factory=Counter)

    def merge(self, other: "Measured") -> None:
        """Counts another's too."""
        self.latencies.merge(other.latencies)
        self.errors.update(other.errors)


@dataclass
class Result:
    """All signatures' answers.

    Attributes:
        signatures: By name.
        seconds: From the first request to the last answer.
        unsent: Requests of an open loop that were due but not sent, as all clients were waiting.
        interrupted: Whether it ended before its time.
    """

    signatures: dict[str, Measured]
    seconds: float = 0.0
    unsent: int = 0
    interrupted: bool = False

    def merge(self, other: "Result") -> None:
        """Counts another process's too."""
        for name, measured in other.signatures.items():
            self.signatures.setdefault(name, Measured()).merge(measured)
        self.seconds = max(self.seconds, other.seconds)
        self.unsent += other.unsent

    def figures(self) -> dict[str, Any]:
        """Plain figures, latencies in milliseconds."""
        return {
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "unsent": self.unsent,
            "signatures": {
                name: self._of_signature(measured) for name, measured in self.signatures.items()
            },
        }

    def _of_signature(self, measured: Measured) -> dict[str, Any]:
        latencies = measured.latencies
        shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
        times = {name: latencies.quantile(share) for name, share in shares.items()}
        times["max_ms"] = latencies.longest
        answered = latencies.count
        return {
            "requests": answered + measured.errors.total(),
            "answered": answered,
            "per_second": round(answered / self.seconds, 1) if self.seconds else 0.0,
            **{
                name: round(1000 * seconds, 3) if answered else None
                for name, seconds in times.items()
            },
            "errors": dict(sorted(measured.errors.items())),
        }

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "signatures": {
                name: [measured.latencies.to_json(), dict(measured.errors)]
                for name, measured in self.signatures.items()
            },
            "seconds": self.seconds,
            "unsent": self.unsent,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> "Result":
        """Reads what `to_json` wrote."""
        signatures = {
            name: Measured(Latencies.from_json(latencies), Counter(errors))
            for name, (latencies, errors) in written["signatures"].items()
        }
        return cls(signatures, written["seconds"], written["unsent"])
