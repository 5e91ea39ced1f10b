"""From TF Serving's JSON to a predict request: checks, messages and all.

    {"signature_name": S, "instances": [{"x": [1, 2]}, ...]}       by rows
    {"signature_name": S, "inputs": {"x": [[1, 2], ...]}}          by columns

Every input of a signature has to be there, whether or not it has a default: so has TF Serving it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from serving.server.rest.json_text import malformed, shown
from serving.server.rest.json_values import Column, is_base64
from serving.server.status import StatusError, invalid_argument

_INPUTS, _INSTANCES = "inputs", "instances"


class Format(Enum):
    """How a predict request lays its values out, and therefore the answer."""

    ROWS = "instances"
    COLUMNS = "inputs"


def fill_signature(document: Mapping[str, Any], spec: Any) -> None:
    """Takes the signature's name over, if the document has one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    spec.signature_name = name


def fill_inputs(document: Mapping[str, Any], infos: Mapping[str, Any], inputs: Any) -> Format:
    """Fills the inputs of a predict request.

    Args:
        document: The parsed body.
        infos: `TensorInfo` of the signature's inputs, by name.
        inputs: The request's map of `TensorProto`s, empty.

    Returns:
        The format the answer is to have.

    Raises:
        StatusError: INVALID_ARGUMENT when the document is no such request.
    """
    if _INSTANCES in document and _INPUTS in document:
        raise malformed(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    if _INSTANCES in document:
        instances = document[_INSTANCES]
        if not isinstance(instances, list):
            raise malformed(document, "Excepting 'instances' to be an list/array")
        if not instances:
            raise malformed(document, "No values in 'instances' array")
        _fill_rows(instances, infos, inputs)
        return Format.ROWS
    if _INPUTS in document:
        _fill_columns(document[_INPUTS], infos, inputs)
        return Format.COLUMNS
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _fill_rows(instances: list[Any], infos: Mapping[str, Any], inputs: Any) -> None:
    if not isinstance(instances[0], dict) and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    named = _is_object(instances[0])
    columns: dict[str, Column] = {}
    for index, row in enumerate(instances):
        if _is_object(row) != named:
            expected, found = ("object", "list") if named else ("value/list", "object")
            raise invalid_argument(
                f"Expecting {expected} but got {found} at item {index} of input list"
            )
        values = row if named else {next(iter(infos)): row}
        for name, value in values.items():
            try:
                if name not in infos:
                    raise invalid_argument(f"JSON object: does not have named input: {name}")
                if name not in columns:
                    columns[name] = Column(infos[name].dtype)
                columns[name].add(value)
            except StatusError as error:
                key = f" key: {name}" if named else ""
                raise invalid_argument(
                    f"Failed to process element: {index}{key} of 'instances' list. Error: "
                    f"{error.code.name}: {error.message}"
                ) from None
        if named and values.keys() != infos.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{shown(row)} must only have keys: {','.join(sorted(infos))}"
            )
    for name, column in columns.items():
        column.write(inputs[name], (len(instances), *(column.shape or ())))


def _fill_columns(given: Any, infos: Mapping[str, Any], inputs: Any) -> None:
    if not _is_object(given):
        if len(infos) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        given = {next(iter(infos)): given}
    for name in sorted(infos):
        if name not in given:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        column = Column(infos[name].dtype)
        column.add(given[name])
        column.write(inputs[name], column.shape or ())


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)
