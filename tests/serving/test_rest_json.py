"""JSON in and out on any input: what is written can be read, and nothing but a status is raised."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import input_pb2, predict_pb2

from serving.server.rest.json_examples import fill_examples
from serving.server.rest.json_request import Format, fill_inputs
from serving.server.rest.json_response import predictions
from serving.server.rest.json_text import decimal, error_body, parse, quoted
from serving.server.status import StatusError
from serving.tensors import decode


@given(st.floats(width=32))
def test_a_float32_is_read_back(value):
    text = decimal(value, single=True)
    read = np.float32(json.loads(text))
    assert read == np.float32(value) or (math.isnan(value) and math.isnan(read))
    assert len(text) <= 16


@given(st.floats())
def test_a_double_is_read_back(value):
    read = json.loads(decimal(value, single=False))
    assert isinstance(read, float)
    assert read == value or (math.isnan(value) and math.isnan(read))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (123456.0, "123456.0"),
        (1234567.0, "1234567.0"),
        (9e6, "9e+06"),
        (3e-5, "3e-05"),
        (0.2, "0.2"),
        (1 / 3, "0.333333343"),
    ],
)
def test_decimals_by_hand(value, text):
    assert decimal(float(np.float32(value)), single=True) == text


@given(st.text())
def test_strings_are_read_back(text):
    assert json.loads(quoted(text)) == text


def test_control_characters_as_rapidjson_writes_them():
    assert quoted('\x00\x1f\n\t"\\/é\x7f') == '"\\u0000\\u001F\\n\\t\\"\\\\/é\x7f"'


@given(st.text())
def test_errors_are_json(message):
    assert json.loads(error_body(message)) == {"error": message}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({"b64": "YQ=="}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=8,
)
DTYPES = [value for value in types_pb2.DataType.values() if 0 < value < 24]


def code(function, *arguments):
    try:
        function(*arguments)
    except StatusError as error:
        return error.code.name
    return "OK"


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(body):
    assert code(parse, body) in ("OK", "INVALID_ARGUMENT")


@given(values, st.sampled_from(["instances", "inputs"]), st.sampled_from(DTYPES))
def test_any_values_are_tensors_or_refused(value, key, dtype):
    infos = {name: meta_graph_pb2.TensorInfo(dtype=dtype) for name in "xy"[: 1 + (dtype % 2)]}
    request = predict_pb2.PredictRequest()
    ended = code(fill_inputs, {key: value}, infos, request.inputs)
    assert ended in ("OK", "INVALID_ARGUMENT", "UNIMPLEMENTED")
    if ended == "OK":
        for proto in request.inputs.values():
            shape = tuple(dim.size for dim in proto.tensor_shape.dim)
            if 0 in shape:
                continue  # without a value there is none of a wrong type either
            assert decode(proto).shape == shape


@given(values)
def test_any_values_are_examples_or_refused(value):
    filled = input_pb2.Input()
    ended = code(fill_examples, {"examples": value}, filled)
    assert ended in ("OK", "INVALID_ARGUMENT")
    if ended == "OK":
        assert len(filled.example_list.examples) == len(value)


@given(
    st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.bool_]),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.sampled_from(Format),
)
def test_what_is_answered_can_be_asked(dtype, shape, layout):
    array = (np.arange(math.prod(shape)) % 2).astype(dtype).reshape(shape)
    proto = tf.make_tensor_proto(array)
    key = {Format.ROWS: "predictions", Format.COLUMNS: "outputs"}[layout]
    values = json.loads(predictions({"y": proto}, layout))[key]
    assert values == array.tolist()
    request = predict_pb2.PredictRequest()
    infos = {"y": meta_graph_pb2.TensorInfo(dtype=proto.dtype)}
    fill_inputs({layout.value: values}, infos, request.inputs)
    assert (tf.make_ndarray(request.inputs["y"]) == array).all()
