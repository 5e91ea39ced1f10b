"""Whether TF Serving may batch a model's requests (`--enable_batching`).

Batching wraps the whole session: it joins requests along dimension 0 and cuts the answers apart
again. Every input of every signature must share that dimension, and every output must have it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np


def unbatched(signature_defs: Mapping[str, Any]) -> list[str]:
    """Inputs and outputs whose dimension 0 cannot be the batch.

    Args:
        signature_defs: the model's signatures.

    Returns:
        A line for each.
    """
    lines = []
    for name, signature in sorted(signature_defs.items()):
        for kind, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for alias, info in sorted(infos.items()):
                shape = info.tensor_shape
                if shape.unknown_rank or (shape.dim and shape.dim[0].size < 0):
                    continue
                first = f"has {shape.dim[0].size} rows" if shape.dim else "is a single value"
                lines.append(
                    f"signature `{name}`: {kind} `{alias}` {first} whatever the batch, so that TF "
                    "Serving cannot batch requests"
                )
    return lines


def misaligned(
    name: str, inputs: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]
) -> list[str]:
    """Outputs whose dimension 0 is another than that of the request.

    Args:
        name: the signature's.
        inputs: what was asked; of one batch.
        outputs: what was answered.

    Returns:
        A line for each.
    """
    batch = {array.shape[:1] for array in inputs.values()}
    if len(batch) != 1:
        return []
    ((*rows,),) = batch
    return [
        f"signature `{name}`: output `{alias}` has shape {list(array.shape)} for a batch of "
        f"{rows[0] if rows else 'no dimension'}; its dimension 0 should be the batch"
        for alias, array in outputs.items()
        if [*array.shape[:1]] != rows
    ]
