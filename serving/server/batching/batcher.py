"""The queues of one model version: which of its runs are joined."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.dtypes import TensorError, numpy_dtype
from serving.server.batching.joining import Feeds
from serving.server.batching.parameters import BatchingParameters
from serving.server.batching.queue import BatchQueue, Run


class Batcher:
    """Joins runs that feed and fetch just what a signature declares; others run by themselves.

    Args:
        run: What runs a batch, or a request by itself.
        signatures: The model's `SignatureDef`s by key.
        parameters: Of batching.
    """

    def __init__(self, run: Run, signatures: Mapping[str, Any], parameters: BatchingParameters):
        self._run = run
        # By what is fed and what is fetched.
        self._queues: dict[
            tuple[frozenset[str], frozenset[str]], tuple[dict[str, np.dtype], BatchQueue]
        ] = {}
        threads = threading.Semaphore(parameters.num_batch_threads)
        for signature in signatures.values():
            try:
                dtypes = {info.name: numpy_dtype(info.dtype) for info in signature.inputs.values()}
            except TensorError:
                continue
            fetches = sorted({info.name for info in signature.outputs.values()})
            queue = BatchQueue(run, fetches, parameters, threads)
            self._queues[frozenset(dtypes), frozenset(fetches)] = dtypes, queue

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout: float | None) -> list[np.ndarray]:
        """As `LoadedVersion.run`, together with other requests where there are any."""
        dtypes, queue = self._queues.get((frozenset(feeds), frozenset(fetches)), ({}, None))
        if queue is None or not _fits(feeds, dtypes):
            return self._run(feeds, fetches, timeout)
        answers = dict(zip(queue.fetches, queue.run(feeds, timeout), strict=True))
        return [answers[name] for name in fetches]


def _fits(feeds: Feeds, dtypes: Mapping[str, np.dtype]) -> bool:
    """Whether a request has rows of the signature's types.

    One that has not is answered by itself, so that it cannot spoil the others' run.
    """
    return all(
        array.dtype == dtypes[name] and (not array.ndim or len(array))
        for name, array in feeds.items()
    )
