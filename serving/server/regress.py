"""What a Regress request means: one number for every example."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow_serving.apis import regression_pb2

from serving.server.examples import (
    INPUTS,
    fill_model_spec,
    find_signature,
    run,
    serialized_examples,
    shape_text,
    type_name,
)
from serving.server.model import LoadedVersion
from serving.server.status import invalid_argument

_OUTPUTS = "outputs"


def regress(
    model: LoadedVersion,
    request: regression_pb2.RegressionRequest,
    timeout: float | None = None,
) -> regression_pb2.RegressionResponse:
    """Answers one Regress request.

    Args:
        model: The version that was asked for.
        request: The request; its model name and version have been looked at already.
        timeout: Seconds the run may take.

    Returns:
        The value of every example.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    signature = find_signature(model, request.model_spec)
    source, output = regression_tensors(signature)
    examples = serialized_examples(request.input)
    values = run(model, examples, [source], [output], timeout)
    response = regression_pb2.RegressionResponse()
    fill_model_spec(response.model_spec, request.model_spec, model)
    fill_regressions(response.result, signature, len(examples), values)
    return response


def regression_tensors(signature: Any) -> tuple[str, str]:
    """The names of the tensor that takes the examples and of the one that holds their values.

    Raises:
        StatusError: INVALID_ARGUMENT when the signature does not regress.
    """
    inputs, outputs = signature.inputs, signature.outputs
    if len(inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if INPUTS not in inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {signature}")
    if _OUTPUTS not in outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {signature}")
    return inputs[INPUTS].name, outputs[_OUTPUTS].name


def fill_regressions(
    result: Any, signature: Any, rows: int, values: Mapping[str, np.ndarray]
) -> None:
    """Writes a `RegressionResult`.

    Args:
        result: The empty message.
        signature: The `SignatureDef` that gave the values.
        rows: The examples of the request.
        values: Arrays `[rows]` or `[rows, 1]` by tensor name.

    Raises:
        StatusError: INVALID_ARGUMENT when the values are not of that form.
    """
    array = values[signature.outputs[_OUTPUTS].name]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{shape_text(array)}"
        )
    if len(array) != rows:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {rows} vs. {len(array)}"
        )
    if type_name(array) != "DT_FLOAT":
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {type_name(array)}")
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
