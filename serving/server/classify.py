"""What a Classify request means: classes and scores of every example."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow_serving.apis import classification_pb2

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

_CLASSES, _SCORES = "classes", "scores"


def classify(
    model: LoadedVersion,
    request: classification_pb2.ClassificationRequest,
    timeout: float | None = None,
) -> classification_pb2.ClassificationResponse:
    """Answers one Classify request.

    Args:
        model: The version that was asked for.
        request: The request; its model name and version have been looked at already.
        timeout: Seconds the run may take.

    Returns:
        The classes of every example, with a label, a score or both.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    signature = find_signature(model, request.model_spec)
    source, outputs = classification_tensors(signature)
    examples = serialized_examples(request.input)
    values = run(model, examples, [source], outputs, timeout)
    response = classification_pb2.ClassificationResponse()
    fill_model_spec(response.model_spec, request.model_spec, model)
    fill_classifications(response.result, signature, len(examples), values)
    return response


def classification_tensors(signature: Any) -> tuple[str, list[str]]:
    """The names of the tensor that takes the examples and of those that classify them.

    Raises:
        StatusError: INVALID_ARGUMENT when the signature does not classify.
    """
    inputs, outputs = signature.inputs, signature.outputs
    if len(inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(outputs)}")
    if INPUTS not in inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {signature}")
    names = [outputs[alias].name for alias in (_CLASSES, _SCORES) if alias in outputs]
    if not names:
        raise invalid_argument(
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {signature}'
        )
    return inputs[INPUTS].name, names


def fill_classifications(
    result: Any, signature: Any, rows: int, values: Mapping[str, np.ndarray]
) -> None:
    """Writes a `ClassificationResult`.

    Args:
        result: The empty message.
        signature: The `SignatureDef` that gave the values.
        rows: The examples of the request.
        values: Arrays `[rows, classes]` by tensor name.

    Raises:
        StatusError: INVALID_ARGUMENT when the values are not of that form.
    """
    classes = _matrix(_CLASSES, signature, rows, values, "DT_STRING")
    scores = _matrix(_SCORES, signature, rows, values, "DT_FLOAT")
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    labels = None if classes is None else _texts(classes)
    numbers = None if scores is None else scores.tolist()
    for row in range(rows):
        answer = result.classifications.add()
        for place in range(len((labels or numbers or [])[row])):
            one = answer.classes.add()
            if labels is not None:
                one.label = labels[row][place]
            if numbers is not None:
                one.score = numbers[row][place]


def _matrix(
    alias: str, signature: Any, rows: int, values: Mapping[str, np.ndarray], expected: str
) -> np.ndarray | None:
    if alias not in signature.outputs:
        return None
    array = values[signature.outputs[alias].name]
    if array.ndim != 2:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {shape_text(array)}"
        )
    if type_name(array) != expected:
        raise invalid_argument(f"Expected {alias} Tensor of {expected}. Got: {type_name(array)}")
    if len(array) != rows:
        raise invalid_argument(f"Expected {alias} output batch size of {rows}. Got: {len(array)}")
    return array


def _texts(classes: np.ndarray) -> list[list[str]]:
    # A label is a proto3 string: bytes that are no UTF-8 could not be read by the client.
    return [[label.decode("utf-8", "replace") for label in row] for row in classes.tolist()]
