"""What a served signature takes and gives: names, types, shapes and defaults.

signature = client.metadata("rank")
signature.inputs["user_id"]     # TensorSpec(dtype='string', shape=(None,))
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from serving.dtypes import numpy_dtype
from serving.signatures import CANDIDATES
from serving.tensors import decode


class TensorSpec(NamedTuple):
    """One input or output.

    Attributes:
        dtype: `"string"` or numpy's name of the type.
        shape: Sizes, `None` where any size goes; `None` altogether for an unknown rank.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def numpy_dtype(self) -> np.dtype:
        """The type of an array that carries this tensor; strings are `object`."""
        if self.dtype == "bfloat16":
            return numpy_dtype(14)
        return np.dtype(object if self.dtype == "string" else self.dtype)

    def __str__(self) -> str:
        return self.dtype if self.shape is None else f"{self.dtype} {shown(self.shape)}"


@dataclass(frozen=True)
class Signature:
    """One signature of a served model version.

    Attributes:
        name: The signature's key.
        version: The model version that was asked.
        inputs: By name.
        outputs: By name.
        defaults: What the server takes for inputs that a request leaves out.
        method: `predict`, `classify` or `regress`.
    """

    name: str
    version: int
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    defaults: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    method: str = "predict"

    @property
    def optional(self) -> frozenset[str]:
        """The inputs that a request may leave out."""
        return frozenset(self.defaults)

    @property
    def candidate_key(self) -> str | None:
        """The input `[batch, candidates]` that says which candidates there are, None without."""
        if CANDIDATES not in self.inputs:
            return None
        lists = (name for name, spec in self.inputs.items() if len(spec.shape or ()) > 1)
        return next((name for name in lists if name not in self.defaults), None)


def parse_signature(name: str, version: int, signature_def: Any) -> Signature:
    """Reads a `SignatureDef`, light or real.

    Args:
        name: The signature's key.
        version: The version it belongs to.
        signature_def: The message.

    Raises:
        TensorError: When a tensor's type has no numpy equivalent.
    """
    return Signature(
        name=name,
        version=version,
        inputs={alias: _spec(info) for alias, info in sorted(signature_def.inputs.items())},
        outputs={alias: _spec(info) for alias, info in sorted(signature_def.outputs.items())},
        defaults={alias: decode(proto) for alias, proto in sorted(signature_def.defaults.items())},
        method=signature_def.method_name.rpartition("/")[2] or "predict",
    )


def shown(shape: tuple[int | None, ...]) -> str:
    """A shape as messages write it: `[?, 2]`."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _spec(info: Any) -> TensorSpec:
    dtype = numpy_dtype(info.dtype)
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    return TensorSpec("string" if dtype.kind == "O" else dtype.name, shape)
