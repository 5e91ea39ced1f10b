"""What a MultiInference request means: several signatures over the same examples, in one run."""

from typing import Any

import grpc
from tensorflow_serving.apis import inference_pb2, model_pb2

from serving.server.classify import classification_tensors, fill_classifications
from serving.server.examples import fill_model_spec, run, serialized_examples, signature_name
from serving.server.model import LoadedVersion
from serving.server.regress import fill_regressions, regression_tensors
from serving.server.status import StatusError, invalid_argument

_CLASSIFY = "tensorflow/serving/classify"
_REGRESS = "tensorflow/serving/regress"


def spec_of(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
    """The `ModelSpec` that finds the model: the first task's, an empty one without tasks."""
    return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


def multi_inference(
    model: LoadedVersion,
    request: inference_pb2.MultiInferenceRequest,
    timeout: float | None = None,
) -> inference_pb2.MultiInferenceResponse:
    """Answers one MultiInference request.

    Args:
        model: The version that the first task asks for.
        request: The request.
        timeout: Seconds the run may take.

    Returns:
        A result for each task, in their order.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    inputs, outputs = _tensors(model, request)
    examples = serialized_examples(request.input)
    values = run(model, examples, inputs, outputs, timeout)
    response = inference_pb2.MultiInferenceResponse()
    for task in request.tasks:
        signature = model.signatures[signature_name(task.model_spec)]
        result = response.results.add()
        fill_model_spec(result.model_spec, task.model_spec, model)
        if task.method_name == _CLASSIFY:
            fill_classifications(result.classification_result, signature, len(examples), values)
        else:
            fill_regressions(result.regression_result, signature, len(examples), values)
    return response


def _tensors(model: LoadedVersion, request: Any) -> tuple[set[str], set[str]]:
    """The names of the tensors to feed and to fetch for all tasks, checked in TF Serving's order.

    Every signature that TF2 exports has a placeholder of its own; all take the same examples.
    """
    inputs: set[str] = set()
    outputs: set[str] = set()
    seen: set[str] = set()
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != request.tasks[0].model_spec.name:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = signature_name(task.model_spec)
        if name in seen:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        if name not in model.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        signature = model.signatures[name]
        if task.method_name == _CLASSIFY:
            source, wanted = classification_tensors(signature)
            outputs.update(wanted)
        elif task.method_name == _REGRESS:
            source, value = regression_tensors(signature)
            outputs.add(value)
        else:
            raise StatusError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"Unsupported signature method_name: {task.method_name}",
            )
        inputs.add(source)
    return inputs, outputs
