"""A signature as a Predict request needs it: looked up in the message once, not with every call."""

from typing import Any, NamedTuple, Self

import numpy as np

from serving.dtypes import TensorError
from serving.server.status import invalid_argument
from serving.tensors import decode


class Plan(NamedTuple):
    """A prepared signature.

    Attributes:
        inputs: Alias, tensor name and default of every input, in the order of aliases; `None`
            stands for an input without a default.
        outputs: Tensor names by alias, in the order of aliases.
        defaults: The aliases that have a default, in order.
    """

    inputs: tuple[tuple[str, str, np.ndarray | None], ...]
    outputs: dict[str, str]
    defaults: tuple[str, ...]

    @classmethod
    def of(cls, signature: Any) -> Self:
        """Prepares a `SignatureDef`.

        Raises:
            StatusError: INVALID_ARGUMENT when a default cannot be decoded.
        """
        return cls(
            tuple(
                (alias, signature.inputs[alias].name, _default(alias, signature))
                for alias in sorted(signature.inputs)
            ),
            {alias: signature.outputs[alias].name for alias in sorted(signature.outputs)},
            tuple(sorted(signature.defaults)),
        )


def _default(alias: str, signature: Any) -> np.ndarray | None:
    if alias not in signature.defaults:
        return None
    try:
        return decode(signature.defaults[alias])
    except TensorError as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error
