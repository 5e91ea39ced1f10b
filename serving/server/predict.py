"""What a Predict request means: its checks, in TF Serving's order, its run and its answer."""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving.dtypes import TensorError
from serving.server.model import LoadedVersion
from serving.server.plan import Plan
from serving.server.status import StatusError, from_tensorflow, invalid_argument
from serving.tensors import decode, encode

_DEFAULT_SIGNATURE = "serving_default"


def predict(
    model: LoadedVersion, request: predict_pb2.PredictRequest, timeout: float | None = None
) -> predict_pb2.PredictResponse:
    """Answers one Predict request.

    Args:
        model: The version that was asked for.
        request: The request; its model name and version have been looked at already.
        timeout: Seconds the run may take.

    Returns:
        The outputs in typed fields, and the name, signature and version that gave them.

    Raises:
        StatusError: With TF Serving's codes and messages.
    """
    spec = request.model_spec
    name = spec.signature_name or _DEFAULT_SIGNATURE
    plan = _plan(model, name)
    feeds = _feeds(request.inputs, plan)
    fetches = _fetches(request.output_filter, plan) if request.output_filter else plan.outputs
    try:
        values = model.run(feeds, tuple(fetches.values()), timeout)
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error
    response = predict_pb2.PredictResponse()
    answered = response.model_spec
    answered.name = spec.name
    answered.signature_name = name
    answered.version.value = model.number
    outputs = response.outputs
    for alias, value in zip(fetches, values, strict=True):
        try:
            encode(value, outputs[alias])
        except TensorError as error:
            raise StatusError(
                grpc.StatusCode.UNIMPLEMENTED, f"output {alias} cannot be sent: {error}"
            ) from error
    return response


def _plan(model: LoadedVersion, name: str) -> Plan:
    plan = model.plans.get(name)
    if plan is None:
        if name not in model.signatures:
            raise StatusError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        plan = model.plans[name] = Plan.of(model.signatures[name])
    return plan


def _feeds(sent: Mapping[str, Any], plan: Plan) -> dict[str, np.ndarray]:
    """Arrays by tensor name; an input that was not sent takes its default."""
    _check_count(sent, plan)
    feeds, used = {}, 0
    for alias, tensor, default in plan.inputs:
        proto = sent.get(alias)
        if proto is not None:
            used += 1
            try:
                feeds[tensor] = decode(proto)
            except TensorError as error:
                raise invalid_argument(f"tensor parsing error: {alias}") from error
        elif default is not None:
            feeds[tensor] = default
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {tensor}) not found in request and "
                f"no default value provided. Inputs expected to be in the request {_names(sent)}, "
                f"or default input alias set: {','.join(plan.defaults)}"
            )
    if used != len(sent):
        known = [alias for alias, _, _ in plan.inputs if alias in sent]
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(known)}, "
            f"request input: {','.join(sorted(sent))}"
        )
    return feeds


def _check_count(sent: Mapping[str, Any], plan: Plan) -> None:
    """Refuses more inputs than the signature has, and fewer unless some have defaults."""
    count = len(plan.inputs)
    if len(sent) == count or (len(sent) < count and plan.defaults):
        return
    expected = {alias for alias, _, _ in plan.inputs}
    raise invalid_argument(
        f"input size does not match signature: {len(sent)}!={count} "
        f"len({_names(sent)}) != len({_names(expected)}). "
        f"Sent extra: {_names(set(sent) - expected)}. "
        f"Missing but required: {_names(expected - set(sent))}."
    )


def _fetches(wanted: Iterable[str], plan: Plan) -> dict[str, str]:
    """The tensor names of the outputs asked for, in the order of their aliases.

    TensorFlow keeps an executor for every order of fetches; the order in the answer means nothing.
    """
    chosen: set[str] = set()
    for alias in wanted:
        if alias not in plan.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_names(plan.outputs)}."
            )
        if alias in chosen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        chosen.add(alias)
    return {alias: plan.outputs[alias] for alias in sorted(chosen)}


def _names(aliases: Iterable[str]) -> str:
    return "{" + ",".join(sorted(aliases)) + "}"
