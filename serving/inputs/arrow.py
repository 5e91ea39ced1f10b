"""Arrow's tables and arrays as what the other inputs are made of, without importing Arrow.

Whoever hands in an Arrow value has imported it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.errors import ServingError

_NUMBERS = {"bool", "halffloat", "float", "double"} | {
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}


def is_arrow(value: Any) -> bool:
    """Whether a value is one of Arrow's."""
    return type(value).__module__.partition(".")[0] == "pyarrow"


def columns(inputs: Any) -> Mapping[str, Any]:
    """The inputs of a request by name; those of an Arrow table or record batch are its columns.

    Raises:
        ServingError: INVALID_ARGUMENT for what is neither a mapping nor of Arrow with columns.
    """
    if isinstance(inputs, Mapping):
        return inputs
    if is_arrow(inputs) and hasattr(inputs, "column_names"):
        return dict(zip(inputs.column_names, inputs.columns, strict=True))
    raise ServingError(
        "INVALID_ARGUMENT",
        "inputs should be a mapping of names to values or an Arrow table. "
        f"Received: {type(inputs).__name__}",
    )


def plain(value: Any) -> np.ndarray | list[Any] | Any:
    """An Arrow array or scalar as a numpy array where it holds numbers alone, else as Python's.

    Args:
        value: An array, a chunked array or a scalar.
    """
    if not hasattr(value, "null_count"):
        return value.as_py()
    if value.null_count or str(value.type) not in _NUMBERS:
        return value.to_pylist()
    return value.to_numpy() if hasattr(value, "chunks") else value.to_numpy(zero_copy_only=False)
