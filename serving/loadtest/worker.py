"""One process of a load test: python -m serving.loadtest.worker

The plan is the first line of standard input; the second, with the time to begin, comes when all
processes have said `ready`. The end of the input ends the test early. What was measured is written
as one line.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from serving.loadtest.pacing import Pace
from serving.loadtest.plan import Plan
from serving.loadtest.results import Measured, Result

_CONNECT_SECONDS = 2.0
# A connection of each client's own, as clients on machines of their own have.
_OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)


def main() -> None:
    """Measures what standard input asks for."""
    plan = Plan.from_json(sys.stdin.readline())
    channels = [plan.address.channel(options=[_OWN_CONNECTION]) for _ in range(plan.clients)]
    _connect(channels)
    print("ready", flush=True)
    began = sys.stdin.readline()
    if not began.strip():
        return
    stopped = threading.Event()
    threading.Thread(target=_follow_input, args=(stopped,), daemon=True).start()
    result = measure(plan, channels, float(began), stopped)
    print(json.dumps(result.to_json()), flush=True)


def measure(plan: Plan, channels: list[Any], start: float, stopped: threading.Event) -> Result:
    """Sends the requests of a plan.

    Args:
        plan: What is sent.
        channels: One for each client.
        start: When to begin, as `time.monotonic` tells it.
        stopped: Ends it early, and the calls that are under way with it.
    """
    pace = Pace(plan, start)
    results = [Result({load.signature: Measured() for load in plan.loads}) for _ in channels]
    clients = [
        threading.Thread(target=_send, args=(plan, channel, pace, result, stopped), daemon=True)
        for channel, result in zip(channels, results, strict=True)
    ]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients) and not stopped.wait(0.05):
        pass
    unsent = 0 if stopped.is_set() else pace.unsent(time.monotonic())
    for channel in channels:
        channel.close()
    for client in clients:
        client.join(1.0)
    total = Result({}, unsent=unsent)
    for result in results:
        total.merge(result)
    return total


def _send(plan: Plan, channel: Any, pace: Pace, result: Result, stopped: threading.Event) -> None:
    methods = [channel.unary_unary(load.path) for load in plan.loads]
    start = pace.end - plan.seconds
    while not stopped.is_set():
        handed = pace.next(time.monotonic())
        if handed is None:
            return
        number, due = handed
        if stopped.wait(max(0.0, due - time.monotonic())):
            return
        place = number % len(plan.loads)
        load = plan.loads[place]
        request = load.requests[number // len(plan.loads) % len(load.requests)]
        began = time.monotonic() if plan.rate is None else due
        code = _code(methods[place], request, plan.timeout)
        ended = time.monotonic()
        if stopped.is_set():
            return
        measured = result.signatures[load.signature]
        if code is None:
            measured.latencies.add(ended - began)
        else:
            measured.errors[code] += 1
        result.seconds = ended - start


def _code(method: Callable[..., bytes], request: bytes, timeout: float) -> str | None:
    """Sends one request; the code of its failure."""
    try:
        method(request, timeout=timeout)
    except grpc.RpcError as error:
        return error.code().name
    except ValueError:  # the channel was closed, as the test has ended
        return "CANCELLED"
    return None


def _connect(channels: list[Any]) -> None:
    """Waits for the connections, so that the first requests do not measure how they are made."""
    ready = [grpc.channel_ready_future(channel) for channel in channels]
    deadline = time.monotonic() + _CONNECT_SECONDS
    for future in ready:
        try:
            future.result(timeout=max(0.0, deadline - time.monotonic()))
        except grpc.FutureTimeoutError:
            future.cancel()


def _follow_input(stopped: threading.Event) -> None:
    sys.stdin.read()
    stopped.set()


if __name__ == "__main__":
    main()
