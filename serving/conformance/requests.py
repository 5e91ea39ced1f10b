"""Requests of the cases, built from light messages; malformed ones are bent afterwards."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from serving import protocol
from serving.conformance.case import Call, RestCall
from serving.conformance.target import Target
from serving.dtypes import numpy_dtype
from serving.tensors import encode

Make = Callable[[Target], Call]
Bend = Callable[[Any, Target], None]

# Addresses a model spec in place of the target's own name.
Spec = Mapping[str, Any]


def fill_spec(model_spec: Any, target: Target, spec: Spec) -> None:
    """Writes a model spec: the target's model, but for the fields given.

    Args:
        model_spec: The message to fill.
        target: Whose model is asked.
        spec: `name`, `signature`, `version`, `label`; a None leaves the field out.
    """
    name = spec.get("name", target.model)
    model_spec.SetInParent()
    if name is not None:
        model_spec.name = name
    if spec.get("signature") is not None:
        model_spec.signature_name = spec["signature"]
    if spec.get("version") is not None:
        model_spec.version.value = spec["version"]
    if spec.get("label") is not None:
        model_spec.version_label = spec["label"]


def predict(
    inputs: Mapping[str, Any],
    bend: Bend | None = None,
    outputs: Sequence[str] = (),
    timeout: float = 30.0,
    **spec: Any,
) -> Make:
    """A Predict request of arrays by name.

    Args:
        inputs: Array-likes; lists of `str` or `bytes` are strings.
        bend: Changes the message before it is sent.
        outputs: The output filter.
        timeout: The deadline, seconds.
        **spec: As `fill_spec` takes it.
    """

    def make(target: Target) -> Call:
        request = protocol.PredictRequest(output_filter=outputs)
        fill_spec(request.model_spec, target, spec)
        for name, value in inputs.items():
            encode(as_array(value), request.inputs[name])
        if bend is not None:
            bend(request, target)
        return Call(protocol.PREDICT, request.SerializeToString(), timeout)

    return make


def fitting(bend: Bend | None = None, batch: int = 1, **spec: Any) -> Make:
    """A Predict request that fits the signature of whatever model is there.

    Every required input gets missing values: empty strings, zeros, a list of one.

    Args:
        bend: Changes the message before it is sent.
        batch: Rows.
        **spec: As `fill_spec` takes it.
    """

    def make(target: Target) -> Call:
        request = protocol.PredictRequest()
        fill_spec(request.model_spec, target, {"signature": target.signature, **spec})
        signature = target.signatures[target.signature]
        for name, info in signature.inputs.items():
            if name not in signature.defaults:
                encode(_missing(info, batch), request.inputs[name])
        if bend is not None:
            bend(request, target)
        return Call(protocol.PREDICT, request.SerializeToString())

    return make


def examples(
    method: str,
    features: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Make:
    """A Classify or Regress request of tf.Examples.

    Args:
        method: `protocol.CLASSIFY` or `protocol.REGRESS`.
        features: `{name: list of bytes, floats or ints}` of each example.
        context: The features of an `ExampleListWithContext`.
        **spec: As `fill_spec` takes it.
    """

    def make(target: Target) -> Call:
        light = {
            protocol.CLASSIFY: protocol.ClassificationRequest,
            protocol.REGRESS: protocol.RegressionRequest,
        }
        request = light[method]()
        fill_spec(request.model_spec, target, spec)
        fill_input(request.input, features, context)
        return Call(method, request.SerializeToString())

    return make


def multi_inference(
    tasks: Sequence[tuple[str, Spec]], features: Sequence[Mapping[str, Any]] = ()
) -> Make:
    """A MultiInference request.

    Args:
        tasks: The method's name, such as `classify`, and the model spec of each.
        features: As `examples` takes them.
    """

    def make(target: Target) -> Call:
        request = protocol.MultiInferenceRequest()
        for method, spec in tasks:
            task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
            fill_spec(task.model_spec, target, spec)
        fill_input(request.input, features, None)
        return Call(protocol.MULTI_INFERENCE, request.SerializeToString())

    return make


def fill_input(
    message: Any, features: Sequence[Mapping[str, Any]], context: Mapping[str, Any] | None
) -> None:
    """Writes tf.Examples into an `Input`."""
    if context is not None:
        _fill_example(message.example_list_with_context.context, context)
    for values in features:
        holder = message.example_list if context is None else message.example_list_with_context
        _fill_example(holder.examples.add(), values)


def metadata(fields: Sequence[str] = (protocol.SIGNATURE_DEF,), **spec: Any) -> Make:
    """A GetModelMetadata request."""

    def make(target: Target) -> Call:
        request = protocol.GetModelMetadataRequest(metadata_field=fields)
        fill_spec(request.model_spec, target, spec)
        return Call(protocol.GET_MODEL_METADATA, request.SerializeToString())

    return make


def status(**spec: Any) -> Make:
    """A GetModelStatus request."""

    def make(target: Target) -> Call:
        request = protocol.GetModelStatusRequest()
        fill_spec(request.model_spec, target, spec)
        return Call(protocol.GET_MODEL_STATUS, request.SerializeToString())

    return make


def reload(bend: Bend) -> Make:
    """A HandleReloadConfigRequest of the target's configuration, changed."""

    def make(target: Target) -> Call:
        request = protocol.ReloadConfigRequest()
        request.config.CopyFrom(target.config)
        bend(request.config, target)
        return Call(protocol.RELOAD_CONFIG, request.SerializeToString(), 60.0)

    return make


def raw(method: str, payload: bytes) -> Make:
    """Bytes to a method, whatever they are."""
    return lambda target: Call(method, payload)


def get(path: str) -> Callable[[Target], RestCall]:
    """A GET; `{model}` and `{latest}` in the path are the target's."""
    return lambda target: RestCall("GET", _filled(path, target))


def post(path: str, body: Any) -> Callable[[Target], RestCall]:
    """A POST of bytes, or of what is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda target: RestCall("POST", _filled(path, target), content)


def as_array(value: Any) -> np.ndarray:
    """An array; lists of text or bytes become `object` arrays of what they hold."""
    if isinstance(value, np.ndarray):
        return value
    array = np.asarray(value)
    return np.asarray(value, object) if array.dtype.kind in "SU" else array


def _filled(path: str, target: Target) -> str:
    return path.replace("{model}", target.model).replace("{latest}", str(target.latest))


def _missing(info: Any, batch: int) -> np.ndarray:
    dtype = numpy_dtype(info.dtype)
    sizes = [1 if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
    if sizes and info.tensor_shape.dim[0].size < 0:
        sizes[0] = batch
    return np.full(sizes, b"" if dtype.kind == "O" else 0, dtype)


def _fill_example(example: Any, features: Mapping[str, Any]) -> None:
    example.SetInParent()
    for name, values in features.items():
        feature = example.features.feature[name]
        if isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
