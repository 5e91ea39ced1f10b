"""Warm-up records of every kind, replayed as tensorflow/serving does it in
tensorflow_serving/servables/tensorflow/saved_model_warmup.cc and saved_model_warmup_util.cc."""

import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import serving
from serving.server.loading import load
from serving.server.model import LoadedVersion
from serving.server.options import ServerOptions
from serving.server.status import StatusError

FILE = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture
def version(tmp_path, shop_one):
    shutil.copytree(shop_one, tmp_path / "1")
    (tmp_path / "1" / "assets.extra").mkdir()
    return tmp_path / "1"


def write(version, *records):
    with tf.io.TFRecordWriter(str(version / FILE)) as file:
        for record in records:
            file.write(record if isinstance(record, bytes) else record.SerializeToString())


def example(name="x"):
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
    return tf.train.Example(features=tf.train.Features(feature={name: feature}))


def predict_record(signature="scaled"):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([1], np.int32)))
    return log


def classify_record(feature="x"):
    log = prediction_log_pb2.PredictionLog()
    request = log.classify_log.request
    request.model_spec.signature_name = "classify"
    request.input.example_list.examples.append(example(feature))
    return log


def regress_record(feature="x"):
    log = prediction_log_pb2.PredictionLog()
    request = log.regress_log.request
    request.model_spec.signature_name = "regress"
    request.input.example_list.examples.append(example(feature))
    return log


def multi_record(name="shop"):
    log = prediction_log_pb2.PredictionLog()
    request = log.multi_inference_log.request
    for kind in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{kind}")
        task.model_spec.name, task.model_spec.signature_name = name, kind
    request.input.example_list.examples.append(example())
    return log


def session_record():
    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.request.model_spec.name = "shop"
    return log


def loaded(version, **options):
    load(version, 1, ServerOptions(**options)).close()


def failure(version):
    with pytest.raises(StatusError) as caught:
        loaded(version)
    return caught.value.code.name, caught.value.message


def test_every_kind_is_run(version, monkeypatch):
    runs = []
    run = LoadedVersion.run

    def counted(self, feeds, fetches, *rest):
        runs.append(len(fetches))
        return run(self, feeds, fetches, *rest)

    monkeypatch.setattr(LoadedVersion, "run", counted)
    empty = prediction_log_pb2.PredictionLog()
    write(version, predict_record(), classify_record(), regress_record(), multi_record(), empty)
    loaded(version)
    assert runs == [1, 2, 1, 3]
    runs.clear()
    loaded(version, enable_model_warmup=False)
    assert runs == []


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (predict_record("no"), "FAILED_PRECONDITION", 'Serving signature key "no" not found.'),
        (
            multi_record(""),
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
        ),
        # The field's number in PredictionLog.
        (session_record(), "UNIMPLEMENTED", "Unsupported log_type for warmup: 5"),
        (
            b"\xff\xff",
            "INVALID_ARGUMENT",
            f"Failed to parse warmup record from {FILE}",
        ),
    ],
)
def test_one_failing_record_fails_the_load(version, record, code, message):
    write(version, predict_record(), record)
    assert failure(version) == (code, message)


@pytest.mark.parametrize("record", [classify_record("y"), regress_record("y")])
def test_examples_that_lack_a_feature(version, record):
    write(version, record)
    code, message = failure(version)
    assert code == "INVALID_ARGUMENT"
    assert "Feature: x (data type: float) is required but could not be found." in message


def test_at_most_a_thousand(version):
    write(version, *[predict_record()] * 1000)
    loaded(version)
    write(version, *[predict_record()] * 1001)
    assert failure(version) == (
        "INVALID_ARGUMENT",
        f"Number of warmup records exceeds the maximum (1000) at {FILE}",
    )


def test_a_long_warm_up_does_not_hold_up_the_end(tmp_path, shop_one):
    base = tmp_path / "shop"
    shutil.copytree(shop_one, base / "1")
    options = ServerOptions(file_system_poll_wait_seconds=0.05)
    with (
        serving.EmbeddedServer({"shop": base}, options) as server,
        serving.Client(server.address, model="shop") as client,
    ):
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.model_spec.signature_name = "slow"
        steps = log.predict_log.request.inputs["steps"]
        steps.CopyFrom(tf.make_tensor_proto(np.int32(500_000)))
        copy = shutil.copytree(shop_one, tmp_path / "copy")
        (copy / "assets.extra").mkdir()
        write(copy, log)
        copy.rename(base / "2")
        deadline = time.monotonic() + 10
        while client.status()[0].state != "LOADING":
            assert time.monotonic() < deadline
        assert client.predict("slow", {"steps": 1})["weight"] == 1.0
        started = time.monotonic()
        server.stop(grace=0.2)
        assert time.monotonic() - started < 3


def test_no_record_file(version):
    (version / FILE).write_text("not a record")
    code, message = failure(version)
    assert code == "DATA_LOSS"
    assert message.endswith("Please verify your warmup data is in TFRecord format.")
    assert str(version) not in message
