"""What the client costs: its import, and a request's way into bytes and an answer's out of them.

Each import is of a process of its own. The request is that of 20 features, eleven of text and nine
of numbers, of 100 rows; checked, cast, encoded and serialized. What is decoded are 20 outputs of
100 rows, more than a ranking model answers.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Bar, Row
from serving import protocol
from serving.client import reading, requests
from serving.client.requests import Target
from serving.inputs import make_batch
from serving.metadata import Signature, TensorSpec
from serving.tensors import encode

_ROWS, _TEXTS, _NUMBERS = 100, 11, 9
_IMPORT = (
    "import time; start = time.perf_counter(); import serving; serving.Client;"
    "print(time.perf_counter() - start)"
)


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Figures of the client; the bars are those of its import and of numpy's arrays."""
    imported = min(_import_seconds() for _ in range(3 if quick else 7))
    texts = {f"text_{n}": TensorSpec("string", (None,)) for n in range(_TEXTS)}
    numbers = {f"number_{n}": TensorSpec("float32", (None,)) for n in range(_NUMBERS)}
    signature = Signature("rank_rows", 1, {**texts, **numbers}, {})
    random = np.random.default_rng(0)
    lists: dict[str, list[Any]] = {
        **{name: [f"value_{n % 37}" for n in range(_ROWS)] for name in texts},
        **{name: random.random(_ROWS).tolist() for name in numbers},
    }
    arrays = make_batch(lists, signature).arrays
    answer = _answer(arrays)
    score = _answer({f"task_{n}": arrays["number_0"] for n in range(2)})
    rounds = 300 if quick else 2000
    of_arrays = _milliseconds(lambda: _encoded(arrays, signature), rounds)
    of_lists = _milliseconds(lambda: _encoded(lists, signature), rounds)
    of_answer = _milliseconds(lambda: _decoded(answer), rounds)
    of_scores = _milliseconds(lambda: _decoded(score), rounds)
    rows = [
        Row("import of the client", imported, "s"),
        Row("encode 20 features x 100 rows, arrays", of_arrays, "ms"),
        Row("encode 20 features x 100 rows, lists", of_lists, "ms"),
        Row("decode 20 features x 100 rows", of_answer, "ms"),
        Row("decode 2 tasks x 100 rows", of_scores, "ms"),
        Row("a ranking call of lists, without the server", of_lists + of_scores, "ms"),
    ]
    bars = [
        Bar("client import, s", 0.3, imported, at_most=True),
        Bar(
            "encode + decode of 20 features x 100 rows, ms",
            0.3,
            of_arrays + of_answer,
            at_most=True,
        ),
    ]
    return rows, bars


def _import_seconds() -> float:
    ended = subprocess.run(
        [sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True
    )
    return float(ended.stdout)


def _encoded(values: dict[str, Any], signature: Signature) -> bytes:
    arrays = make_batch(values, signature).arrays
    return requests.predict(Target("shop"), "rank_rows", arrays).SerializeToString()


def _answer(arrays: dict[str, np.ndarray]) -> bytes:
    """An answer as a server sends it, in typed fields."""
    response = protocol.PredictResponse()
    for name, array in arrays.items():
        encode(array, response.outputs[name])
    return response.SerializeToString()


def _decoded(wire: bytes) -> dict[str, np.ndarray]:
    return reading.outputs(protocol.PredictResponse.FromString(wire))


def _milliseconds(call: Callable[[], Any], rounds: int) -> float:
    """The median time of a call."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))
