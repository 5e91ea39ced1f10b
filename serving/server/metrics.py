"""What Prometheus may read of the server: TF Serving's own metrics, under its own names.

    :tensorflow:serving:request_count{model_name="shop",status="OK"} 7
    :tensorflow:serving:request_latency_bucket{model_name="shop",API="Predict",entrypoint="GRPC",...}

Times are microseconds, and the buckets are those of TF Serving, so that dashboards and alerts
written for the one serve for the other.
"""

import re
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from operator import mul
from typing import Any

_COUNT = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
# Clients choose the model names they ask for; a name past so many is counted as this one.
_MOST_SERIES = 1000
_OTHER = "other"

_Labels = tuple[tuple[str, str], ...]

# Microseconds: 10, and each 1.8 times the one before.
_LIMITS = tuple(accumulate([10.0] + [1.8] * 32, mul))


class _Histogram:
    def __init__(self) -> None:
        self.buckets = [0] * (len(_LIMITS) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.buckets[bisect_left(_LIMITS, value)] += 1
        self.total += value


class Metrics:
    """Counts requests and their times. Every method may be called from many threads at once.

    Example:
        >>> metrics = Metrics()
        >>> metrics.record("shop", "Predict", "GRPC", "OK", 0.002)
        >>> metrics.render().splitlines()[1]
        ':tensorflow:serving:request_count{model_name="shop",status="OK"} 1'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[_Labels, int] = {}
        self._latencies: dict[_Labels, _Histogram] = {}

    def record(self, model: str, api: str, entrypoint: str, code: str, seconds: float) -> None:
        """One request has ended.

        Args:
            model: The name it asked for.
            api: `Predict`, `Classify`, `Regress`; over REST in lower case, as TF Serving has it.
            entrypoint: `GRPC` or `REST`.
            code: The name of its status, as `OK`.
            seconds: What it took; only requests that end well have a latency.
        """
        with self._lock:
            counted = _bounded(self._counts, (("model_name", model), ("status", code)))
            self._counts[counted] = self._counts.get(counted, 0) + 1
            if code != "OK":
                return
            labels = (("model_name", model), ("API", api), ("entrypoint", entrypoint))
            timed = _bounded(self._latencies, labels)
            self._latencies.setdefault(timed, _Histogram()).add(seconds * 1e6)

    def render(self) -> str:
        """The page that Prometheus reads."""
        with self._lock:
            lines = [*_count_lines(self._counts), *_latency_lines(self._latencies)]
        return "".join(f"{line}\n" for line in lines)


def _count_lines(counts: Mapping[_Labels, int]) -> Iterator[str]:
    if counts:
        yield f"# TYPE {_COUNT} counter"
    for labels, count in sorted(counts.items()):
        yield f"{_COUNT}{{{_label_text(labels)}}} {count}"


def _latency_lines(latencies: Mapping[_Labels, _Histogram]) -> Iterator[str]:
    if latencies:
        yield f"# TYPE {_LATENCY} histogram"
    names = [f"{limit:g}" for limit in _LIMITS] + ["+Inf"]
    for labels, histogram in sorted(latencies.items(), key=lambda item: item[0]):
        text = _label_text(labels)
        below = 0
        for name, count in zip(names, histogram.buckets, strict=True):
            below += count
            yield f'{_LATENCY}_bucket{{{text},le="{name}"}} {below}'
        yield f"{_LATENCY}_sum{{{text}}} {histogram.total:g}"
        yield f"{_LATENCY}_count{{{text}}} {below}"


def _bounded(series: Mapping[_Labels, Any], labels: _Labels) -> _Labels:
    if labels in series or len(series) < _MOST_SERIES:
        return labels
    return ((labels[0][0], _OTHER), *labels[1:])


def _label_text(labels: _Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    return re.sub(r'[\\"]', r"\\\g<0>", value).replace("\n", r"\n")
