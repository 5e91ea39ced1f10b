"""One version of a model, loaded the way stock TF Serving loads it.

A v1 Session restores the graph of tag `serve` and runs it by tensor name. This is not
`tf.saved_model.load`: what only the TF2 function loader can restore fails here as it would there.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.framework.ops import dismantle_graph

from serving.server.batching.batcher import Batcher
from serving.server.batching.parameters import batching_parameters
from serving.server.loops import loop_free
from serving.server.options import ServerOptions
from serving.server.plan import Plan
from serving.server.status import StatusError, invalid_argument, without_paths
from serving.text_ops import load_ops

_SHORT_SECONDS = 0.002


def _run_options(**options: Any) -> Any:
    message = tf.compat.v1.RunOptions(**options)
    return pywrap_tf_session.TF_NewBufferFromString(message.SerializeToString())


_IN_THIS_THREAD = _run_options(inter_op_thread_pool=-1)


class LoadedVersion:
    """A loaded SavedModel. `run` may be called from many threads at once.

    Args:
        path: The SavedModel directory.
        number: The version number, for answers.
        options: Those of the server.

    Raises:
        tf.errors.OpError, OSError, RuntimeError: When the directory cannot be loaded.

    Attributes:
        number: The version number.
        signatures: `SignatureDef` by key.
        plans: Signatures as a Predict request needs them, by key; filled by the first of each.
    """

    def __init__(self, path: Path, number: int, options: ServerOptions | None = None):
        options = options or ServerOptions()
        load_ops(path)
        self.number = number
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session: Any = tf.compat.v1.Session(
                graph=self._graph, config=_session_config(options)
            )
            try:
                meta_graph = tf.compat.v1.saved_model.loader.load(
                    self._session, [tf.saved_model.SERVING], str(path)
                )
            except BaseException:
                self._session.close()
                raise
        # Copies, so that the whole graph definition is not kept beside the graph.
        self.signatures: dict[str, Any] = {}
        for name, signature in meta_graph.signature_def.items():
            self.signatures[name] = type(signature).FromString(signature.SerializeToString())
        self.plans: dict[str, Plan] = {}
        self._loop_free = loop_free(
            meta_graph.graph_def,
            {info.name for each in self.signatures.values() for info in each.outputs.values()},
        )
        self._handles: dict[str, Any] = {}
        parameters = batching_parameters(options)
        self._batcher = None
        if parameters is not None:
            self._batcher = Batcher(self._run_by_itself, self.signatures, parameters)
        # Fetches and size of feeds of runs that were seen to be short.
        self._short: set[tuple[tuple[str, ...], int]] = set()

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Sequence[str],
        timeout: float | None = None,
    ) -> list[np.ndarray]:
        """Runs the graph once, for this request or for others as well where batching is enabled.

        A run is handed to TensorFlow's threads, which costs more than a short run itself. One like
        those that were short is therefore run in the thread that asks, where no deadline can end
        it; loops, which might go on for ever, never are.

        Args:
            feeds: Arrays by tensor name.
            fetches: The tensor names to compute.
            timeout: Seconds after which the run is cancelled.

        Returns:
            One array per fetch.

        Raises:
            tf.errors.OpError: As C++ `Session::Run` would fail: DEADLINE_EXCEEDED past the timeout.
            StatusError: INVALID_ARGUMENT when the graph has no such tensor.
        """
        if self._batcher is not None:
            return self._batcher.run(feeds, fetches, timeout)
        return self._run_by_itself(feeds, fetches, timeout)

    def close(self) -> None:
        """Frees the session and the graph; what still runs is cancelled."""
        self._session.close()
        self._session = self._batcher = None  # the variables go with the session
        self._handles.clear()
        # The graph's parts refer to one another: without this it stays until a full collection.
        dismantle_graph(self._graph)

    def _run_by_itself(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout: float | None
    ) -> list[np.ndarray]:
        kind = (tuple(fetches), sum(array.nbytes for array in feeds.values()).bit_length())
        if kind in self._short:
            return self._run(feeds, fetches, _IN_THIS_THREAD)
        began = time.perf_counter()
        values = self._run_in_pool(feeds, fetches, timeout)
        if time.perf_counter() - began < _SHORT_SECONDS and self._loop_free.issuperset(fetches):
            self._short.add(kind)
        return values

    def _run_in_pool(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout: float | None
    ) -> list[np.ndarray]:
        if timeout is None:
            return self._run(feeds, fetches, None)
        options = _run_options(timeout_in_ms=max(1, int(timeout * 1000)))
        try:
            return self._run(feeds, fetches, options)
        finally:
            pywrap_tf_session.TF_DeleteBuffer(options)

    def _run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], options: Any
    ) -> list[np.ndarray]:
        session = self._session  # held, so that it outlives the run
        if session is None:
            raise StatusError(grpc.StatusCode.CANCELLED, "Session has been closed.")
        # `Session.run` spends ten times as long in Python, and callables take no deadline of
        # their own. This is what both of them end in.
        handle = self._handle
        try:
            values = pywrap_tf_session.TF_SessionRun_wrapper(
                session._session,
                options,
                {handle(name): array for name, array in feeds.items()},
                [handle(name) for name in fetches],
                [],
                None,
            )
        except UnicodeDecodeError as error:
            # A kernel's message repeats bytes of the request, and its code is lost on the way here.
            message = error.object.decode(errors="backslashreplace")
            raise invalid_argument(without_paths(message)) from error
        return [_as_array(value) for value in values]

    def _handle(self, name: str) -> Any:
        handle = self._handles.get(name)
        if handle is None:
            try:
                handle = self._graph.get_tensor_by_name(name)._as_tf_output()
            except (KeyError, ValueError) as error:
                raise invalid_argument(f"Tensor {name} is not in the model's graph") from error
            self._handles[name] = handle
        return handle


def _session_config(options: ServerOptions) -> Any:
    threads = options.tensorflow_session_parallelism
    return tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, bytes):
        scalar = np.empty((), object)
        scalar[()] = value
        return scalar
    return np.asarray(value)
