"""Requests that hold `tf.Example`s: one string tensor in, and what Classify and Regress share."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from serving.dtypes import tensorflow_dtype
from serving.server.model import LoadedVersion
from serving.server.status import from_tensorflow, invalid_argument

INPUTS = "inputs"
"""The one input that a signature of examples has."""

_DEFAULT_SIGNATURE = "serving_default"


def signature_name(spec: Any) -> str:
    """The signature a `ModelSpec` asks for."""
    return spec.signature_name or _DEFAULT_SIGNATURE


def find_signature(model: LoadedVersion, spec: Any) -> Any:
    """The signature of a Classify or Regress request.

    Raises:
        StatusError: INVALID_ARGUMENT when the model has none of the name.
    """
    name = signature_name(spec)
    signature = model.signatures.get(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    return signature


def serialized_examples(given: Any) -> np.ndarray:
    """The examples of an `Input` as one tensor.

    A context is an example that is put before each of the others; serialized, that is their
    bytes one after the other.

    Returns:
        Serialized examples, `[rows]`.

    Raises:
        StatusError: INVALID_ARGUMENT when there is none.
    """
    context, examples = b"", []
    if given.WhichOneof("kind") == "example_list":
        examples = given.example_list.examples
    elif given.WhichOneof("kind") == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    if not examples:
        raise invalid_argument("Input is empty.")
    tensor = np.empty(len(examples), object)
    for row, example in enumerate(examples):
        tensor[row] = context + example.SerializeToString()
    return tensor


def run(
    model: LoadedVersion,
    examples: np.ndarray,
    inputs: Iterable[str],
    outputs: Collection[str],
    timeout: float | None,
) -> dict[str, np.ndarray]:
    """Runs the model once.

    Args:
        model: The version that was asked for.
        examples: Serialized examples, `[rows]`.
        inputs: The names of the tensors that take them.
        outputs: The names of the tensors to compute.
        timeout: Seconds the run may take.

    Returns:
        Arrays by tensor name.

    Raises:
        StatusError: As the run failed.
    """
    fetches = sorted(outputs)
    try:
        values = model.run(dict.fromkeys(inputs, examples), fetches, timeout)
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error
    return dict(zip(fetches, values, strict=True))


def fill_model_spec(answered: Any, spec: Any, model: LoadedVersion) -> None:
    """Writes which model, signature and version have answered."""
    answered.name = spec.name
    answered.signature_name = signature_name(spec)
    answered.version.value = model.number


def type_name(array: np.ndarray) -> str:
    """TensorFlow's name of an array's type: `DT_FLOAT`."""
    return str(types_pb2.DataType.Name(tensorflow_dtype(array.dtype)))


def shape_text(array: np.ndarray) -> str:
    """A shape as TensorFlow prints it: `[2,3]`."""
    return "[" + ",".join(map(str, array.shape)) + "]"
