"""From the answers of TF Serving's gRPC methods to its JSON, down to the line breaks."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from google.protobuf import json_format
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.dtypes import TensorError
from serving.server.rest.json_request import Format
from serving.server.rest.json_text import Writer, decimal, quoted
from serving.server.status import invalid_argument
from serving.tensors import decode

_BYTES = "_bytes"
_Put = Callable[[Writer, Any], None]
_UNWRITTEN = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16, types_pb2.DT_UINT16)


def predictions(outputs: Mapping[str, Any], layout: Format) -> bytes:
    """The body of a predict answer.

    Args:
        outputs: `TensorProto`s by name.
        layout: How the request was laid out: rows are answered by rows.

    Raises:
        StatusError: INVALID_ARGUMENT when the outputs have no rows in common or a type without
            JSON.
    """
    arrays = {name: _array(outputs[name]) for name in sorted(outputs)}
    if not arrays:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if layout is Format.ROWS:
        return _rows(arrays)
    return _columns(arrays)


def classifications(result: Any) -> bytes:
    """The body of a classify answer: label and score of every class of every example."""
    if not result.classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    writer = _results()
    writer.start("[")
    for entry in result.classifications:
        writer.one_line = True
        writer.start("[")
        for item in entry.classes:
            writer.start("[")
            writer.raw(quoted(item.label))
            writer.raw(decimal(item.score, single=True))
            writer.end("]")
        writer.end("]")
        writer.one_line = False
    writer.end("]")
    writer.end("}")
    return writer.body()


def regressions(result: Any) -> bytes:
    """The body of a regress answer: one number an example."""
    if not result.regressions:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    writer = _results()
    writer.one_line = True
    writer.start("[")
    for entry in result.regressions:
        writer.raw(decimal(entry.value, single=True))
    writer.end("]")
    writer.end("}")
    return writer.body()


def message(proto: Any) -> bytes:
    """A message as protobuf's own JSON, every field of it."""
    return f"{_message_text(proto)}\n".encode()


def metadata(response: Any) -> bytes:
    """The body of a metadata answer; the signatures stand unpacked in it."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    spec, listed = _message_text(response.model_spec), _message_text(signatures)
    return f'{{\n"model_spec":{spec}\n,\n"metadata": {{"signature_def": {listed}\n}}\n}}\n'.encode()


def _rows(arrays: Mapping[str, np.ndarray]) -> bytes:
    batch = 0
    for name, array in arrays.items():
        if not array.ndim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if not len(array):
            raise invalid_argument(f"Tensor name: {name} has invalid batch size: 0")
        if batch not in (0, len(array)):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {batch}"
            )
        batch = len(array)
    values = {name: iter(array.ravel().tolist()) for name, array in arrays.items()}
    writer = Writer()
    writer.start("{")
    writer.raw('"predictions"')
    writer.start("[")
    for _ in range(batch):
        if len(arrays) > 1:
            writer.start("{")
        writer.one_line = True
        for name, array in arrays.items():
            if len(arrays) > 1:
                writer.raw(quoted(name))
            _write(writer, values[name], array.shape[1:], _how(name, array))
        writer.one_line = False
        if len(arrays) > 1:
            writer.end("}")
    writer.end("]")
    writer.end("}")
    return writer.body()


def _columns(arrays: Mapping[str, np.ndarray]) -> bytes:
    writer = Writer()
    writer.start("{")
    writer.raw('"outputs"')
    if len(arrays) > 1:
        writer.start("{")
    for name, array in arrays.items():
        if len(arrays) > 1:
            writer.raw(quoted(name))
        _write(writer, iter(array.ravel().tolist()), array.shape, _how(name, array))
    if len(arrays) > 1:
        writer.end("}")
    writer.end("}")
    return writer.body()


def _results() -> Writer:
    writer = Writer()
    writer.start("{")
    writer.raw('"results"')
    return writer


def _write(writer: Writer, values: Iterator[Any], shape: tuple[int, ...], put: _Put) -> None:
    """Writes as many values as a shape has, nested as it says."""
    if not shape:
        put(writer, next(values))
        return
    writer.start("[")
    for _ in range(shape[0]):
        _write(writer, values, shape[1:], put)
    writer.end("]")


def _how(name: str, array: np.ndarray) -> _Put:
    """How a value of an output is written."""
    if array.dtype.kind == "O":
        return _put_bytes if name.endswith(_BYTES) else _put_text
    if array.dtype.kind == "f":
        single = array.dtype == np.float32
        return lambda writer, value: writer.raw(decimal(value, single))
    if array.dtype.kind == "b":
        return lambda writer, value: writer.raw("true" if value else "false")
    return lambda writer, value: writer.raw(str(value))


def _put_text(writer: Writer, value: bytes) -> None:
    writer.raw(quoted(value.decode("utf-8", "surrogateescape")))


def _put_bytes(writer: Writer, value: bytes) -> None:
    writer.start("{")
    writer.raw('"b64"')
    writer.raw(quoted(base64.b64encode(value).decode()))
    writer.end("}")


def _array(proto: Any) -> np.ndarray:
    try:
        array = decode(proto)
    except TensorError:
        array = None
    if array is None or array.dtype.kind not in "Ofbiu" or proto.dtype in _UNWRITTEN:
        name = types_pb2.DataType.Name(proto.dtype).removeprefix("DT_").lower()
        raise invalid_argument(f"Failed to write JSON value for tensor type: {name}")
    return array


def _message_text(proto: Any) -> str:
    content = json_format.MessageToDict(
        proto, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(content, indent=1, ensure_ascii=False)
