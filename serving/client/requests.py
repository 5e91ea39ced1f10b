"""The messages a client sends."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from serving import protocol
from serving.errors import ServingError
from serving.tensors import encode_content


class Target(NamedTuple):
    """Which version of a model is asked: the latest, a number's, or the one under a label.

    Attributes:
        model: The model's name.
        version: A version.
        label: A label, such as `"canary"`.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def checked(self) -> "Target":
        """Itself.

        Raises:
            ServingError: INVALID_ARGUMENT when it has a version and a label.
        """
        if self.version is not None and self.label is not None:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"give a version or a label. Received: version {self.version}, "
                f"label `{self.label}`",
            )
        return self

    def write(self, model_spec: Any) -> None:
        """Fills in a request's `model_spec`."""
        model_spec.name = self.model
        if self.version is not None:
            model_spec.version.value = self.version
        elif self.label is not None:
            model_spec.version_label = self.label

    def __str__(self) -> str:
        if self.label is not None:
            return f"model `{self.model}`, label `{self.label}`"
        return f"model `{self.model}`" + (f" version {self.version}" if self.version else "")


def predict(target: Target, signature: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """A request to run a signature."""
    request = protocol.PredictRequest()
    target.write(request.model_spec)
    request.model_spec.signature_name = signature
    for name, array in arrays.items():
        encode_content(array, request.inputs[name])
    return request


def of_examples(
    message: Any, target: Target, signature: str, examples: list[Any], context: Any
) -> Any:
    """A request to classify or regress.

    Args:
        message: The request's class.
        target: The version that is asked.
        signature: The signature's key.
        examples: Messages.
        context: A message whose features all examples share; None without.
    """
    request = message()
    target.write(request.model_spec)
    request.model_spec.signature_name = signature
    if context is None:
        request.input.example_list.examples.extend(examples)
    else:
        request.input.example_list_with_context.examples.extend(examples)
        request.input.example_list_with_context.context.CopyFrom(context)
    return request


def metadata(target: Target) -> Any:
    """A request for the signatures of a version."""
    request = protocol.GetModelMetadataRequest(metadata_field=[protocol.SIGNATURE_DEF])
    target.write(request.model_spec)
    return request


def status(model: str) -> Any:
    """A request for the states of a model's versions."""
    request = protocol.GetModelStatusRequest()
    request.model_spec.name = model
    return request


def reload(config: str) -> Any:
    """A request to serve other models.

    Args:
        config: A `ModelServerConfig` in text form, what `models.config` holds.

    Raises:
        ServingError: INVALID_ARGUMENT when it is none.
    """
    from google.protobuf import text_format

    request = protocol.ReloadConfigRequest()
    try:
        text_format.Parse(config, request.config)
    except text_format.ParseError as error:
        raise ServingError("INVALID_ARGUMENT", f"no models.config: {error}") from error
    return request
