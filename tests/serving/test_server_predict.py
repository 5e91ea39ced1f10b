"""The server seen through the published stubs: answers, codes and messages of TF Serving."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(shop_server):
    with grpc.insecure_channel(shop_server.address) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def model_stub(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def make_request(name="shop", signature="", version=None, label=None, outputs=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return request


ITEM, X = ["bread", "wine"], np.array([[1, 2], [3, 4]], np.float32)


def failure(call, request, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, **options)
    return caught.value.code().name, caught.value.details()


def test_answers_in_typed_fields(stub):
    response = stub.Predict(make_request(item=ITEM, x=X))
    assert list(response.outputs["score"].float_val) == [3.0, 7.0]
    assert [dim.size for dim in response.outputs["score"].tensor_shape.dim] == [2, 1]
    assert list(response.outputs["id"].int64_val) == [1, -1]
    assert list(response.outputs["item"].string_val) == [b"bread", b"wine"]
    assert not any(proto.tensor_content for proto in response.outputs.values())
    assert response.model_spec.name == "shop"
    assert response.model_spec.signature_name == "serving_default"
    assert response.model_spec.version.value == 3


def test_output_filter(stub):
    response = stub.Predict(make_request(item=ITEM, x=X, version=3, outputs=["id"]))
    assert set(response.outputs) == {"id"}


def test_a_default_stands_in_for_an_input(stub):
    x = np.array([1, 2], np.int32)
    given = make_request(signature="scaled", x=x, by=np.int64(3))
    assert list(stub.Predict(given).outputs["y"].int64_val) == [3, 6]
    left_out = make_request(signature="scaled", x=x)
    assert list(stub.Predict(left_out).outputs["y"].int64_val) == [10, 20]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (make_request(name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            make_request(name="shoe"),
            "NOT_FOUND",
            "Servable not found for request: Latest(shoe)",
        ),
        (
            make_request(version=7),
            "NOT_FOUND",
            "Servable not found for request: Specific(shop, 7)",
        ),
        (
            make_request(label="canary"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        ),
        (
            make_request(signature="nope"),
            "FAILED_PRECONDITION",
            'Serving signature key "nope" not found.',
        ),
        (
            make_request(item=ITEM),
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({item}) != len({item,x}). "
            "Sent extra: {}. Missing but required: {x}.",
        ),
        (
            make_request(item=ITEM, x=X, y=X),
            "INVALID_ARGUMENT",
            "input size does not match signature: 3!=2 len({item,x,y}) != len({item,x}). "
            "Sent extra: {y}. Missing but required: {}.",
        ),
        (
            make_request(item=ITEM, y=X),
            "INVALID_ARGUMENT",
            "Signature input alias: x(feed name: serving_default_x:0) not found in request and no "
            "default value provided. Inputs expected to be in the request {item,y}, or default "
            "input alias set: ",
        ),
        (
            make_request(signature="scaled", x=np.array([1], np.int32), z=X),
            "INVALID_ARGUMENT",
            "Inputs contains invalid name. Used request inputs: x, request input: x,z",
        ),
        (
            make_request(item=ITEM, x=X, outputs=["y2"]),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: y2 "
            "Outputs expected to be in the set {id,item,score}.",
        ),
        (
            make_request(item=ITEM, x=X, outputs=["id", "id"]),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: id",
        ),
    ],
)
def test_refusals(stub, request_, code, message):
    assert failure(stub.Predict, request_) == (code, message)
    assert stub.Predict(make_request(item=ITEM, x=X)).outputs["score"].float_val[0] == 3.0


def test_undecodable_tensor(stub):
    request = make_request(item=ITEM, x=X)
    request.inputs["x"].tensor_content = b"abc"
    assert failure(stub.Predict, request) == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_dtype_mismatch(stub):
    code, message = failure(stub.Predict, make_request(item=ITEM, x=[["a", "b"]] * 2))
    assert code == "INVALID_ARGUMENT"
    assert "to be float but string is provided" in message


def test_shapes_are_the_graphs_business_and_leak_no_path(stub):
    code, message = failure(stub.Predict, make_request(item=ITEM, x=np.ones((1, 5), np.float32)))
    assert code == "INVALID_ARGUMENT"
    assert "Matrix size-incompatible" in message
    assert "/tmp" not in message
    assert ".py" not in message


def test_long_messages_are_cut(stub):
    code, message = failure(stub.Predict, make_request(signature="s" * 3000))
    assert code == "FAILED_PRECONDITION"
    assert len(message) == 1024 + len("...TRUNCATED")
    assert message.endswith("...TRUNCATED")


def test_the_deadline_bounds_the_run(stub, shop_server):
    request = make_request(signature="slow", steps=np.int32(2**31 - 1))
    assert failure(stub.Predict, request, timeout=0.3)[0] == "DEADLINE_EXCEEDED"
    # Every thread of the server would be busy now, had the runs gone on.
    running = [stub.Predict.future(request, timeout=0.2) for _ in range(20)]
    assert all(call.exception().code().name == "DEADLINE_EXCEEDED" for call in running)
    assert stub.Predict(make_request(item=ITEM, x=X), timeout=5).outputs["id"].int64_val[0] == 1


def metadata_request(name="shop", fields=("signature_def",), version=None):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request


def test_metadata(stub):
    response = stub.GetModelMetadata(metadata_request())
    assert (response.model_spec.name, response.model_spec.version.value) == ("shop", 3)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    rank = signatures.signature_def["serving_default"]
    assert rank.inputs["item"].dtype == tf.string.as_datatype_enum
    assert rank.method_name == "tensorflow/serving/predict"
    assert set(signatures.signature_def["scaled"].defaults) == {"by"}


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (
            get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
            "INVALID_ARGUMENT",
            "Missing ModelSpec",
        ),
        (
            metadata_request(fields=()),
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            metadata_request(fields=("size",)),
            "INVALID_ARGUMENT",
            "Metadata field %s is not supportedsize",
        ),
        (metadata_request("m"), "NOT_FOUND", "Servable not found for request: Latest(m)"),
        (
            metadata_request(version=9),
            "NOT_FOUND",
            "Servable not found for request: Specific(shop, 9)",
        ),
    ],
)
def test_metadata_refusals(stub, request_, code, message):
    assert failure(stub.GetModelMetadata, request_) == (code, message)


def status_request(name="shop", version=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request


def test_status(model_stub):
    for request in (status_request(), status_request(version=3)):
        (entry,) = model_stub.GetModelStatus(request).model_version_status
        assert (entry.version, entry.state, entry.status.error_code) == (3, 30, 0)
    labelled = status_request()
    labelled.model_spec.version_label = "ignored"
    assert len(model_stub.GetModelStatus(labelled).model_version_status) == 1


def test_status_refusals(model_stub):
    call = model_stub.GetModelStatus
    missing = get_model_status_pb2.GetModelStatusRequest()
    assert failure(call, missing) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert failure(call, status_request(version=9)) == (
        "NOT_FOUND",
        "Could not find version 9 of model shop",
    )
    assert failure(call, status_request("shoe")) == (
        "NOT_FOUND",
        "Could not find any versions of model shoe",
    )


def test_messages_over_four_megabytes(stub, shop_client):
    rows = 300_000
    answer = shop_client.predict("serving_default", {"item": "bread", "x": np.ones((rows, 2))})
    assert answer["score"].shape == (rows, 1)
