"""How fast SavedModels answer, side by side: by turns, so that what else the machine does slows all
of them alike."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serving.tensors import decode

_SLOWEST = 99


def side_by_side(
    models: Mapping[str, Path],
    requests: Mapping[str, Mapping[str, np.ndarray]],
    signature: str,
    rounds: int = 100,
) -> dict[str, dict[str, float]]:
    """Asks every model the same number of times, one after the other.

    Args:
        models: SavedModel directories by name.
        requests: what each is asked, by input.
        signature: of all of them.
        rounds: how often each is asked and timed.

    Returns:
        `{name: {"p50", "p99", "calls"}}`, in milliseconds.
    """
    asked = {name: _Asked(path, signature, requests[name]) for name, path in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    for number in range(-max(1, rounds // 10), rounds):
        for name, ask in asked.items():
            began = time.perf_counter()
            ask()
            if number >= 0:
                times[name].append(1e3 * (time.perf_counter() - began))
    return {
        name: {
            "p50": round(float(np.percentile(taken, 50)), 3),
            "p99": round(float(np.percentile(taken, _SLOWEST)), 3),
            "calls": len(taken),
        }
        for name, taken in times.items()
    }


class _Asked:
    """A request to a SavedModel, in a session as TF Serving has one."""

    def __init__(self, path: Path, signature: str, request: Mapping[str, np.ndarray]) -> None:
        import tensorflow as tf

        session: Any = tf.compat.v1.Session(graph=tf.Graph())
        with session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(path))
            about = loaded.signature_def[signature]
            outputs = [output.name for output in about.outputs.values()]
            inputs = [info.name for info in about.inputs.values()]
            self._call = session.make_callable(outputs, feed_list=inputs)
        given = {alias: decode(proto) for alias, proto in about.defaults.items()} | dict(request)
        self._fed = [given[alias] for alias in about.inputs]

    def __call__(self) -> Any:
        return self._call(*self._fed)
