"""Model inputs that travel as columns of record batches, beside the rows' keys."""

import numpy as np
import pyarrow as pa

INPUT = "input/"
"""Prefix of the columns that hold model inputs."""


def decoded_inputs(rows: pa.RecordBatch) -> dict[str, np.ndarray]:
    """The model inputs of rows: `{name: [n] or [n, length]}`, int32 or float32."""
    found = {}
    for name in rows.schema.names:
        if not name.startswith(INPUT):
            continue
        values = rows.column(name)
        if pa.types.is_fixed_size_list(values.type):
            flat = values.flatten().to_numpy(zero_copy_only=False)
            array = flat.reshape(rows.num_rows, values.type.list_size)
        else:
            array = values.to_numpy(zero_copy_only=False)
        kind = np.int32 if array.dtype.kind in "iu" else np.float32
        found[name.removeprefix(INPUT)] = array.astype(kind, copy=False)
    return found
