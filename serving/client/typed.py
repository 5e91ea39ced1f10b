"""Python signatures and descriptions of served signatures.

>>> print(describe(client.metadata("retrieve")))
retrieve, version 2
takes
  user_id  string [?]  required
  k        int32 [?]   10
gives
  item_id  string [?, ?]
  score    float32 [?, ?]
"""

import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from serving.metadata import Signature, TensorSpec

_PYTHON = {"O": str, "i": int, "u": int, "f": float, "V": float, "b": bool, "c": complex}


def describe(signature: Signature) -> str:
    """What a signature takes and gives, a line for each input and output."""
    takes = [
        [name, str(signature.inputs[name]), _default_text(signature, name)]
        for name in _in_order(signature)
    ]
    gives = [[name, str(spec)] for name, spec in signature.outputs.items()]
    return "\n".join(
        [
            f"{signature.name}, version {signature.version}",
            "takes",
            *_lines(takes),
            "gives",
            *_lines(gives),
        ]
    )


def typed(function: Callable[..., Any], signature: Signature, summary: str) -> Callable[..., Any]:
    """Gives a function the name, the parameters and the docstring of a served signature.

    Args:
        function: Takes `inputs` and keywords; it is changed.
        signature: What the server takes; an input whose name is no word of Python's is left out
            of the parameters and goes into `inputs`.
        summary: The docstring's first paragraph.
    """
    positional = inspect.Parameter(
        "inputs",
        inspect.Parameter.POSITIONAL_ONLY,
        default=None,
        annotation=Mapping[str, Any] | None,
    )
    named = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(signature, name),
            annotation=annotation(signature.inputs[name]),
        )
        for name in _in_order(signature)
        if name.isidentifier() and not keyword.iskeyword(name)
    ]
    function.__name__ = signature.name
    function.__qualname__ = signature.name
    function.__doc__ = f"{summary}\n\n{describe(signature)}"
    function.__signature__ = inspect.Signature([positional, *named])  # type: ignore[attr-defined]
    return function


def annotation(spec: TensorSpec) -> Any:
    """The type of an input's values: of one row, or a list of rows."""
    kind = _PYTHON[spec.numpy_dtype.kind]
    if not spec.shape:
        return kind
    one: Any = kind
    for _ in spec.shape[1:]:
        one = list[one]
    return one | list[one]


def _in_order(signature: Signature) -> list[str]:
    """The inputs, those that are required first."""
    return sorted(signature.inputs, key=lambda name: (name in signature.defaults, name))


def _default(signature: Signature, name: str) -> Any:
    """A default as one row's value; an empty tuple for an empty list."""
    if name not in signature.defaults:
        return inspect.Parameter.empty
    value = signature.defaults[name]
    if value.ndim and len(value) == 1:
        value = value[0]
    plain = np.asarray(value).tolist() if not isinstance(value, bytes) else value
    if isinstance(plain, bytes):
        return plain.decode(errors="replace")
    return tuple(plain) if isinstance(plain, list) else plain


def _default_text(signature: Signature, name: str) -> str:
    default = _default(signature, name)
    return "required" if default is inspect.Parameter.empty else repr(default)


def _lines(cells: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
