"""The light messages against the published ones: the same bytes mean the same."""

import json
import subprocess
import sys

import numpy as np
from tensorflow.core.example import example_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from serving import protocol
from serving.tensors import encode_content

REAL = {
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
    "SignatureDef": meta_graph_pb2.SignatureDef,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "ClassificationRequest": classification_pb2.ClassificationRequest,
    "ClassificationResponse": classification_pb2.ClassificationResponse,
    "RegressionRequest": regression_pb2.RegressionRequest,
    "RegressionResponse": regression_pb2.RegressionResponse,
    "ReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
    "ReloadConfigResponse": model_management_pb2.ReloadConfigResponse,
    "Example": example_pb2.Example,
}
ENUM, INT32 = 14, 5


def check_fields(light, real, seen):
    """Every light field has the number, type and label of the real field of its name."""
    if light.full_name in seen:
        return
    seen.add(light.full_name)
    for field in light.fields:
        published = real.fields_by_name[field.name]
        kind = INT32 if published.type == ENUM else published.type
        assert (field.number, field.type) == (published.number, kind), field.full_name
        assert field.is_repeated == published.is_repeated, field.full_name
        if field.message_type is not None:
            check_fields(field.message_type, published.message_type, seen)


def test_field_numbers_are_the_published_ones():
    seen = set()
    for name, real in REAL.items():
        check_fields(getattr(protocol, name).DESCRIPTOR, real.DESCRIPTOR, seen)
    assert "serving.wire.TensorProto" in seen
    assert "serving.wire.ModelVersionStatus" in seen


def test_a_request_reads_as_the_real_message():
    light = protocol.PredictRequest(output_filter=["y"])
    light.model_spec.name = "shop"
    light.model_spec.version.value = 7
    light.model_spec.signature_name = "rank"
    encode_content(np.array([[1.5]], np.float32), light.inputs["x"])
    real = predict_pb2.PredictRequest.FromString(light.SerializeToString())
    assert (real.model_spec.name, real.model_spec.version.value) == ("shop", 7)
    assert real.model_spec.signature_name == "rank"
    assert [dim.size for dim in real.inputs["x"].tensor_shape.dim] == [1, 1]
    assert real.inputs["x"].tensor_content == b"\x00\x00\xc0\x3f"
    assert list(real.output_filter) == ["y"]


def test_health_as_it_was_recorded():
    # grpc/health/v1/health.proto: service = 1 (string); status = 1, SERVING = 1.
    assert protocol.HealthCheckRequest(service="a").SerializeToString() == b"\x0a\x01a"
    answer = protocol.HealthCheckResponse.FromString(b"\x08\x01")
    assert protocol.HEALTH_STATES[answer.status] == "SERVING"


def test_the_client_imports_no_tensorflow():
    script = (
        # The processor's time, which other processes do not lengthen.
        "import json, sys, time; start = time.process_time(); import serving; serving.Client;"
        "serving.AsyncClient; print(json.dumps([time.process_time() - start,"
        " [m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'tensorflow_serving')]]))"
    )
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True).stdout)
        for _ in range(4)
    ]
    assert all(imported == [] for _, imported in runs)
    assert min(seconds for seconds, _ in runs) < 0.3
