"""The process in which infra validation loads and runs a model: TensorFlow's C API, no Python op.

    python infra_worker.py PLAN.json INPUTS.npz RESULT.json OUTPUTS.npz

It is run as a file and imports neither TensorFlow nor `serving`: importing TensorFlow registers
the kernels of Python ops, and a model that needs them would pass here and fail in production.

The plan is `{"library", "op_libraries", "model_dir", "runs": [{"feeds": [{"tensor", "dtype",
"shape", "key"}], "fetches": {output: tensor}, "calls", "seconds"}]}`; a run with calls is repeated
so often, or as long as its seconds last, and timed. Arrays travel as raw bytes, `KEY` the bytes
and, for strings, `KEY_ends` where each ends. The result is `{"load_error", "load_seconds",
"memory": {"before", "loaded", "peak"}, "runs": [{"error", "outputs": {output: {"dtype", "shape",
"key"}}, "milliseconds"}]}`, memory in bytes of the process. Among the arrays, `op_list` is the
`OpList` of all registered ops.
"""

import ctypes
import json
import math
import re
import resource
import sys
import time
from typing import Any

import numpy as np

_DT_STRING = 7
_TSTRING_SIZE = 24


class _Output(ctypes.Structure):
    """`TF_Output`: an operation and the index of one of its outputs."""

    _fields_ = [("oper", ctypes.c_void_p), ("index", ctypes.c_int)]


class _Buffer(ctypes.Structure):
    """`TF_Buffer`: bytes and their number."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    ]


class TensorFlowError(Exception):
    """A call of the C API ended with a status other than OK."""


class Runtime:
    """The few functions of TensorFlow's C API that load and run a SavedModel.

    Args:
        library: The path of `libtensorflow_cc`.
    """

    def __init__(self, library: str):
        # Libraries of ops share its symbols: what hashes attributes must be the same code.
        self._lib = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        pointer, size, integer = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        dims = ctypes.POINTER(ctypes.c_int64)
        outputs, tensors = ctypes.POINTER(_Output), ctypes.POINTER(pointer)
        strings = ctypes.POINTER(ctypes.c_char_p)
        self._declare("TF_NewStatus", pointer)
        self._declare("TF_GetCode", integer, pointer)
        self._declare("TF_Message", ctypes.c_char_p, pointer)
        self._declare("TF_NewGraph", pointer)
        self._declare("TF_NewSessionOptions", pointer)
        self._declare(
            "TF_LoadSessionFromSavedModel",
            pointer,
            *(pointer, pointer, ctypes.c_char_p, strings, integer, pointer, pointer, pointer),
        )
        self._declare("TF_GraphOperationByName", pointer, pointer, ctypes.c_char_p)
        self._declare("TF_OperationNumOutputs", integer, pointer)
        self._declare("TF_AllocateTensor", pointer, integer, dims, integer, size)
        self._declare("TF_DeleteTensor", None, pointer)
        self._declare("TF_TensorType", integer, pointer)
        self._declare("TF_NumDims", integer, pointer)
        self._declare("TF_Dim", ctypes.c_int64, pointer, integer)
        self._declare("TF_TensorByteSize", size, pointer)
        self._declare("TF_TensorData", pointer, pointer)
        self._declare("TF_StringInit", None, pointer)
        self._declare("TF_StringCopy", None, pointer, ctypes.c_char_p, size)
        self._declare("TF_StringGetDataPointer", pointer, pointer)
        self._declare("TF_StringGetSize", size, pointer)
        self._declare(
            "TF_SessionRun",
            None,
            *(pointer, pointer, outputs, tensors, integer, outputs, tensors, integer),
            *(pointer, integer, pointer, pointer),
        )
        self._declare("TF_GetAllOpList", ctypes.POINTER(_Buffer))
        self._declare("TF_LoadLibrary", pointer, ctypes.c_char_p, pointer)
        self._status = self._lib.TF_NewStatus()
        self._graph = self._lib.TF_NewGraph()
        self._session: int | None = None

    def load_ops(self, path: str) -> None:
        """Registers the ops of a library that stock TF Serving has, too."""
        self._lib.TF_LoadLibrary(path.encode(), self._status)
        self._check()

    def op_list(self) -> bytes:
        """The serialised `OpList` of every op that is registered."""
        buffer = self._lib.TF_GetAllOpList().contents
        return ctypes.string_at(buffer.data, buffer.length)

    def load(self, model_dir: str) -> None:
        """Loads a SavedModel's `serve` graph: restores variables, runs initialisers."""
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = self._lib.TF_LoadSessionFromSavedModel(
            self._lib.TF_NewSessionOptions(),
            *(None, model_dir.encode(), tags, 1, self._graph, None, self._status),
        )
        self._check()

    def run(self, feeds: dict[str, int], fetches: list[str]) -> list[int]:
        """Runs the graph on tensors by name; the answer's tensors are the caller's to free."""
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        values = (ctypes.c_void_p * len(feeds))(*feeds.values())
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        results = (ctypes.c_void_p * len(fetches))()
        self._lib.TF_SessionRun(
            self._session,
            *(None, inputs, values, len(feeds), outputs, results, len(fetches)),
            *(None, 0, None, self._status),
        )
        self._check()
        return list(results)

    def tensor(self, dtype: int, shape: list[int], content: bytes, ends: list[int] | None) -> int:
        """Makes a tensor of raw bytes; `ends` takes strings apart."""
        size = _TSTRING_SIZE * math.prod(shape) if dtype == _DT_STRING else len(content)
        dims = (ctypes.c_int64 * len(shape))(*shape)
        tensor = self._lib.TF_AllocateTensor(dtype, dims, len(shape), size)
        data = self._lib.TF_TensorData(tensor)
        if ends is None:
            ctypes.memmove(data, content, len(content))
            return tensor
        start = 0
        for index, end in enumerate(ends):
            slot = data + _TSTRING_SIZE * index
            self._lib.TF_StringInit(slot)
            self._lib.TF_StringCopy(slot, content[start:end], end - start)
            start = end
        return tensor

    def content(self, tensor: int) -> tuple[int, list[int], bytes, list[int] | None]:
        """A tensor's type, shape, raw bytes and, for strings, where each ends."""
        lib = self._lib
        dtype = lib.TF_TensorType(tensor)
        shape = [lib.TF_Dim(tensor, axis) for axis in range(lib.TF_NumDims(tensor))]
        data = lib.TF_TensorData(tensor)
        if dtype != _DT_STRING:
            return dtype, shape, ctypes.string_at(data, lib.TF_TensorByteSize(tensor)), None
        parts, ends, end = [], [], 0
        for index in range(math.prod(shape)):
            slot = data + _TSTRING_SIZE * index
            size = lib.TF_StringGetSize(slot)
            parts.append(ctypes.string_at(lib.TF_StringGetDataPointer(slot), size))
            end += size
            ends.append(end)
        return dtype, shape, b"".join(parts), ends

    def free(self, tensor: int) -> None:
        """Frees a tensor; the bytes of its strings stay until the process ends."""
        self._lib.TF_DeleteTensor(tensor)

    def _declare(self, name: str, result: Any, *arguments: Any) -> None:
        function = getattr(self._lib, name)
        function.restype, function.argtypes = result, arguments

    def _check(self) -> None:
        if self._lib.TF_GetCode(self._status):
            raise TensorFlowError(self._lib.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        found = self._lib.TF_GraphOperationByName(self._graph, operation.encode())
        if not found or int(index or 0) >= self._lib.TF_OperationNumOutputs(found):
            raise TensorFlowError(f"tensor {name} is not in the graph")
        return _Output(found, int(index or 0))


def run_signature(
    runtime: Runtime, run: dict[str, Any], inputs: Any, outputs: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Runs one entry of the plan and adds its arrays to `outputs`."""
    feeds = {}
    for feed in run["feeds"]:
        key = feed["key"]
        ends = inputs[f"{key}_ends"].tolist() if feed["dtype"] == _DT_STRING else None
        feeds[feed["tensor"]] = runtime.tensor(
            feed["dtype"], feed["shape"], inputs[key].tobytes(), ends
        )
    fetches = list(run["fetches"].values())
    try:
        tensors = runtime.run(feeds, fetches)
        milliseconds = timed(runtime, feeds, fetches, run["calls"], run["seconds"])
    except TensorFlowError as error:
        return {"error": str(error), "outputs": {}, "milliseconds": []}
    described = {}
    for alias, tensor in zip(run["fetches"], tensors, strict=True):
        dtype, shape, content, ends = runtime.content(tensor)
        runtime.free(tensor)
        key = f"a{len(outputs)}"
        outputs[key] = np.frombuffer(content, np.uint8)
        if ends is not None:
            outputs[f"{key}_ends"] = np.array(ends, np.int64)
        described[alias] = {"dtype": dtype, "shape": shape, "key": key}
    return {"error": None, "outputs": described, "milliseconds": milliseconds}


def timed(
    runtime: Runtime, feeds: dict[str, int], fetches: list[str], calls: int, seconds: float
) -> list[float]:
    """How long each of so many runs takes, in milliseconds; fewer when the seconds are over."""
    milliseconds: list[float] = []
    end = time.perf_counter() + seconds
    while len(milliseconds) < calls and time.perf_counter() < end:
        started = time.perf_counter()
        tensors = runtime.run(feeds, fetches)
        milliseconds.append(1000 * (time.perf_counter() - started))
        for tensor in tensors:
            runtime.free(tensor)
    return milliseconds


def memory(field: str) -> int:
    """Bytes of this process in memory, by the field of Linux' `/proc/self/status`.

    Args:
        field: `VmRSS` now, `VmHWM` at most.
    """
    try:
        with open("/proc/self/status") as file:
            found = re.search(rf"{field}:\s+(\d+) kB", file.read())
    except OSError:
        # Elsewhere only the peak is told: in bytes on a Mac.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(found[1]) * 1024 if found else 0


def main(plan_path: str, inputs_path: str, result_path: str, outputs_path: str) -> None:
    """Loads the model, runs every signature of the plan and writes what came of it."""
    with open(plan_path) as file:
        plan = json.load(file)
    inputs = np.load(inputs_path)
    runtime = Runtime(plan["library"])
    for path in plan["op_libraries"]:
        runtime.load_ops(path)
    outputs = {"op_list": np.frombuffer(runtime.op_list(), np.uint8)}
    used = {"before": memory("VmRSS")}
    result: dict[str, Any] = {"load_error": None, "runs": [], "memory": used}
    started = time.perf_counter()
    try:
        runtime.load(plan["model_dir"])
    except TensorFlowError as error:
        result["load_error"] = str(error)
    result["load_seconds"] = time.perf_counter() - started
    used["loaded"] = memory("VmRSS")
    if result["load_error"] is None:
        result["runs"] = [run_signature(runtime, run, inputs, outputs) for run in plan["runs"]]
    used["peak"] = memory("VmHWM")
    np.savez(outputs_path, allow_pickle=False, **outputs)
    with open(result_path, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
