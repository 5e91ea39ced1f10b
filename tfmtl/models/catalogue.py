"""The items a model knows, as vectors."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfmtl.models.encoded_texts import encoded_texts
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.traced import traced

_BATCH = 8192

Inputs = dict[str, np.ndarray]


def catalogue_inputs(model: MultiTaskModel, catalogue: pa.Table) -> Inputs:
    """Model inputs of the item tower for every item: `{input: [items] or [items, length]}`."""
    return {
        name: column_array(catalogue[name], model.inputs_spec[name])
        for name in model.config.item_features
    }


def embed_items(model: MultiTaskModel, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Vectors of items from the inputs of the item tower, float32 `[items, dim]`."""
    return in_batches(model.item_vectors, encoded_texts(model, inputs))


def in_batches(
    function: Callable[[Mapping[str, tf.Tensor]], tf.Tensor], inputs: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Applies a function of a batch to many rows."""
    of_batch = traced(function, {n: tf.TensorSpec(v.shape, v.dtype) for n, v in inputs.items()})
    rows = len(next(iter(inputs.values())))
    parts = [
        of_batch({n: v[i : i + _BATCH] for n, v in inputs.items()}).numpy()
        for i in range(0, max(rows, 1), _BATCH)  # none gives an empty result of the right shape
    ]
    return np.concatenate(parts)


def column_array(column: pa.ChunkedArray, spec: tf.TensorSpec) -> np.ndarray:
    """A column of the catalogue as a model input: `[items]` or `[items, length]`."""
    array = column.combine_chunks()
    dtype = spec.dtype.as_numpy_dtype
    if pa.types.is_fixed_size_list(array.type):
        values = array.flatten().to_numpy(zero_copy_only=False).astype(dtype)
        return values.reshape(len(array), array.type.list_size)
    return array.to_numpy(zero_copy_only=False).astype(dtype)
