"""No request fails while versions come and go, and none of them leaves memory behind."""

import os
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

import serving
from serving.server.options import ServerOptions

QUICK = ServerOptions(file_system_poll_wait_seconds=0.05)


def predict(stub, **spec):
    request = predict_pb2.PredictRequest(model_spec={"name": "shop", **spec})
    request.model_spec.signature_name = "scaled"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([1, 2], np.int32)))
    assert list(stub.Predict(request).outputs["y"].int64_val) == [10, 20]


def labelled(stub):
    predict(stub, version_label="pinned")


def fill(request, signature):
    request.model_spec.name = "shop"
    request.model_spec.signature_name = signature
    numbers = tf.train.FloatList(value=[2.0])
    feature = {"x": tf.train.Feature(float_list=numbers)}
    row = tf.train.Example(features=tf.train.Features(feature=feature))
    request.input.example_list.examples.extend([row])
    return request


def classify(stub):
    response = stub.Classify(fill(classification_pb2.ClassificationRequest(), "classify"))
    up, down = response.result.classifications[0].classes
    # Both scores are of one version.
    assert up.score == -down.score
    assert up.score in (2.0, 4.0)


def regress(stub):
    response = stub.Regress(fill(regression_pb2.RegressionRequest(), "regress"))
    assert response.result.regressions[0].value in (2.0, 4.0)


def multi_inference(stub):
    request = inference_pb2.MultiInferenceRequest()
    task = request.tasks.add(method_name="tensorflow/serving/regress")
    fill(regression_pb2.RegressionRequest(), "regress")
    task.model_spec.name, task.model_spec.signature_name = "shop", "regress"
    request.input.CopyFrom(fill(regression_pb2.RegressionRequest(), "regress").input)
    (result,) = stub.MultiInference(request).results
    assert result.regression_result.regressions[0].value in (2.0, 4.0)


class Hammer:
    """Clients that ask again and again, each call in a thread of its own, until the end."""

    def __init__(self, address, calls):
        self._address = address
        self._stop = threading.Event()
        self.answered = [0] * len(calls)
        self.errors = []
        self._threads = [
            threading.Thread(target=self._ask, args=(place, call))
            for place, call in enumerate(calls)
        ]

    def _ask(self, place, call):
        with grpc.insecure_channel(self._address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not self._stop.is_set():
                try:
                    call(stub)
                    self.answered[place] += 1
                except (grpc.RpcError, AssertionError) as error:
                    self.errors.append(error)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def wait_until(holds, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def appear(source, version):
    """A version comes by a rename, as every pusher does it."""
    temporary = version.with_name(f".tmp-{version.name}")
    shutil.copytree(source, temporary)
    temporary.rename(version)


def test_no_request_fails_during_swaps(tmp_path, shop_one, shop_two):
    base = tmp_path / "shop"
    base.mkdir()
    appear(shop_one, base / "1")
    calls = [predict, labelled, classify, regress, multi_inference, predict]
    with (
        serving.EmbeddedServer({"shop": base}, QUICK) as server,
        serving.Client(server.address, model="shop") as client,
        grpc.insecure_channel(server.address) as channel,
    ):
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        pin(models, base, 1, 1)
        with Hammer(server.address, calls) as hammer:
            for number in range(2, 14):
                appear(shop_two if number % 2 == 0 else shop_one, base / str(number))
                pin(models, base, 1, number)
                wait_until(lambda number=number: available(client) == {1, number})
                if number > 2:
                    shutil.rmtree(base / str(number - 1))
        assert hammer.errors == []
        assert min(hammer.answered) > 12


def pin(models, base, *versions):
    """Serves some versions, of which the first bears the label `pinned`."""
    request = model_management_pb2.ReloadConfigRequest()
    entry = request.config.model_config_list.config.add(
        name="shop", base_path=str(base), model_platform="tensorflow"
    )
    entry.model_version_policy.specific.versions.extend(set(versions))
    entry.version_labels["pinned"] = versions[0]
    models.HandleReloadConfigRequest(request)


def available(client):
    return {entry.version for entry in client.status() if entry.state == "AVAILABLE"}


def resident_megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Large(tf.Module):
    """A table of 16 MB."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.ones([2**16, 64]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "x")])
    def scaled(self, x):
        """`y = 10 x`, by way of the table."""
        rows = tf.gather(self.table, tf.zeros_like(x))
        return {"y": tf.cast(x, tf.int64) * tf.cast(rows[:, 0] * 10, tf.int64)}


@pytest.mark.slow
def test_thirty_versions_leave_no_memory_behind(tmp_path):
    large = Large()
    tf.saved_model.save(large, str(tmp_path / "large"), signatures={"scaled": large.scaled})
    base = tmp_path / "shop"
    base.mkdir()
    appear(tmp_path / "large", base / "1")
    sizes = []
    with (
        serving.EmbeddedServer({"shop": base}, QUICK) as server,
        serving.Client(server.address, model="shop") as client,
        Hammer(server.address, [predict, predict]) as hammer,
    ):
        for number in range(2, 32):
            appear(tmp_path / "large", base / str(number))
            wait_until(lambda number=number: available(client) == {number})
            wait_until(lambda: all(e.state in ("AVAILABLE", "END") for e in client.status()))
            shutil.rmtree(base / str(number - 1))
            sizes.append(resident_megabytes())
    assert hammer.errors == []
    # One version of 16 MB left behind at each swap would make 400 MB.
    assert max(sizes[20:]) < min(sizes[4:10]) + 24
