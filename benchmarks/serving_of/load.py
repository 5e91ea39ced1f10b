"""Clients in a process of their own, so that they hold no lock of a server's.

    python -m benchmarks.serving_of.load

Every line on standard input is a JSON object of `Load`'s fields; the answer is a line of
`Answered`'s.
"""

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc
import numpy as np

METHOD = "/tensorflow.serving.PredictionService/Predict"


@dataclass(frozen=True)
class Load:
    """What to send.

    Attributes:
        address: The server's.
        requests: A file of requests, as `write_requests` writes it; sent in turns.
        clients: Connections; on each, one request follows the other.
        seconds: How long.
        rate: Requests a second of all clients together; 0 is as many as are answered.
    """

    address: str
    requests: str
    clients: int
    seconds: float
    rate: float = 0.0


@dataclass
class Answered:
    """What came back.

    Attributes:
        count: Requests that were answered.
        rate: Answers a second.
        p50: Milliseconds that half of the answers took at most.
        p99: Milliseconds that 99 of 100 took at most.
        worst: Milliseconds that the slowest took.
        failures: Requests that failed, by code and message.
    """

    count: int
    rate: float
    p50: float
    p99: float
    worst: float
    failures: dict[str, int] = field(default_factory=dict)


def write_requests(path: Path, requests: list[bytes]) -> None:
    """Writes serialized requests so that `Load.requests` can name them."""
    path.write_text(json.dumps([request.hex() for request in requests]))


def run(load: Load) -> Answered:
    """Sends a load and waits for its last answer."""
    requests = [bytes.fromhex(text) for text in json.loads(Path(load.requests).read_text())]
    failures: Counter[str] = Counter()
    took: list[list[float]] = [[] for _ in range(load.clients)]
    start = threading.Barrier(load.clients)

    def client(number: int) -> None:
        # Channels to one address share a connection unless they are told not to.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(load.address, options=options) as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
            call = channel.unary_unary(METHOD)
            mine, interval = took[number], load.clients / load.rate if load.rate else 0.0
            start.wait()
            due = time.perf_counter() + interval * number / load.clients
            end = time.perf_counter() + load.seconds
            place = number
            while (began := time.perf_counter()) < end:
                if interval:
                    time.sleep(max(0.0, due - began))
                    due += interval
                    began = time.perf_counter()
                try:
                    call(requests[place % len(requests)], timeout=30)
                    mine.append(time.perf_counter() - began)
                except grpc.RpcError as error:
                    failures[f"{error.code().name} {error.details()}"] += 1
                place += 1

    threads = [threading.Thread(target=client, args=(n,)) for n in range(load.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_took = 1000 * np.concatenate([np.asarray(mine) for mine in took])
    if not len(all_took):
        raise RuntimeError(f"no request was answered: {dict(failures)}")
    p50, p99 = np.percentile(all_took, [50, 99])
    return Answered(
        len(all_took),
        len(all_took) / load.seconds,
        float(p50),
        float(p99),
        float(all_took.max()),
        dict(failures),
    )


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(asdict(run(Load(**json.loads(line))))), flush=True)
