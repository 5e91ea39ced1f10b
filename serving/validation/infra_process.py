"""The fresh process that loads and runs a model: what goes into it and what comes out."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from serving.dtypes import DT_STRING, numpy_dtype
from serving.text_ops import libraries

_WORKER = Path(__file__).with_name("infra_worker.py")
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")


class ProcessError(RuntimeError):
    """The process did not come to its end."""


@dataclass
class Plan:
    """What the process shall run, in this order.

    Attributes:
        runs: the runs, as the worker reads them.
        arrays: their inputs as raw bytes, by key.
    """

    runs: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(
        self,
        signature_def: Any,
        inputs: Mapping[str, np.ndarray],
        calls: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Adds a run of one signature.

        Args:
            signature_def: the `SignatureDef`.
            inputs: an array for each of its inputs.
            calls: how often it is repeated and timed.
            seconds: how long at most.
        """
        feeds = []
        for alias, array in inputs.items():
            key = f"a{len(self.arrays)}"
            info = signature_def.inputs[alias]
            self._store(array, key)
            shape = list(array.shape)
            feeds.append({"tensor": info.name, "dtype": info.dtype, "shape": shape, "key": key})
        outputs = signature_def.outputs
        fetches = {alias: outputs[alias].name for alias in sorted(outputs)}
        run = {"feeds": feeds, "fetches": fetches, "calls": calls, "seconds": seconds}
        self.runs.append(run)

    def _store(self, array: np.ndarray, key: str) -> None:
        if array.dtype.kind != "O":
            self.arrays[key] = np.frombuffer(array.tobytes(), np.uint8)
            return
        strings = array.ravel().tolist()
        self.arrays[key] = np.frombuffer(b"".join(strings), np.uint8)
        self.arrays[f"{key}_ends"] = np.cumsum([len(value) for value in strings], dtype=np.int64)


@dataclass(frozen=True)
class Ended:
    """What the process found.

    Attributes:
        load_error: why the model could not be loaded, if so.
        load_seconds: how long loading took.
        memory: bytes of the process, `before` loading, when `loaded`, and at its `peak`.
        ops: names of all ops that TensorFlow has.
        runs: of each run of the plan `error`, `outputs` and `milliseconds`.
        arrays: the outputs as raw bytes.
    """

    load_error: str | None
    load_seconds: float
    memory: dict[str, int]
    ops: frozenset[str]
    runs: list[dict[str, Any]]
    arrays: Mapping[str, np.ndarray]

    def outputs(self, run: int) -> dict[str, np.ndarray]:
        """The arrays that a run gave, by output.

        Raises:
            TensorError: one is of a type that no client can receive.
        """
        described = self.runs[run]["outputs"]
        return {alias: self._restore(output) for alias, output in described.items()}

    def _restore(self, described: Mapping[str, Any]) -> np.ndarray:
        content = self.arrays[described["key"]].tobytes()
        if described["dtype"] != DT_STRING:
            dtype = numpy_dtype(described["dtype"])
            return np.frombuffer(content, dtype).reshape(described["shape"]).copy()
        ends = self.arrays[f"{described['key']}_ends"].tolist()
        strings = np.empty(len(ends), object)
        strings[:] = [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return strings.reshape(described["shape"])


def work(model_dir: Path, plan: Plan, timeout: float) -> Ended:
    """Loads a model and runs a plan in a process of its own.

    Args:
        model_dir: the SavedModel directory.
        plan: what to run.
        timeout: seconds that loading and running may take together.

    Raises:
        ProcessError: there is no TensorFlow library, or the process took too long or crashed.
    """
    from tensorflow.core.framework import op_def_pb2

    library = _library()
    if library is None:
        raise ProcessError(f"TensorFlow's C library ({_LIBRARIES[0]}) was not found")
    with tempfile.TemporaryDirectory() as scratch:
        names = ("plan.json", "in.npz", "result.json", "out.npz")
        paths = [Path(scratch) / name for name in names]
        described = {
            "library": str(library),
            "op_libraries": [str(path) for path in libraries(model_dir)],
            "model_dir": str(model_dir),
            "runs": plan.runs,
        }
        paths[0].write_text(json.dumps(described))
        np.savez(paths[1], allow_pickle=False, **plan.arrays)
        # -P keeps this package's directory, which the script lies in, out of its import path.
        command = [sys.executable, "-P", str(_WORKER), *map(str, paths)]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"loading and running took longer than {timeout:g} s") from None
        if ended.returncode or not paths[2].exists():
            last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ProcessError(f"the process ended with code {ended.returncode}: {last}")
        result = json.loads(paths[2].read_text())
        with np.load(paths[3]) as file:
            arrays = dict(file)
    registered = op_def_pb2.OpList.FromString(arrays.pop("op_list").tobytes())
    return Ended(**result, ops=frozenset(op.name for op in registered.op), arrays=arrays)


def _library() -> Path | None:
    spec = find_spec("tensorflow")
    folders = (spec.submodule_search_locations if spec is not None else None) or []
    candidates = (Path(folder, name) for folder in folders for name in _LIBRARIES)
    return next((path for path in candidates if path.exists()), None)
