"""Models and versions that come and go by configuration.

Codes and messages are those of tensorflow/serving: ReloadConfig, ValidateModelConfigList,
ValidateNoModelsChangePlatforms and UpdateModelVersionLabelMap of
tensorflow_serving/model_servers/server_core.cc, and model_service_impl.cc beside it.
"""

import shutil
import threading
import time
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

import serving
from serving.server.options import ServerOptions

QUICK = {"file_system_poll_wait_seconds": 0.1}
INVALID = "INVALID_ARGUMENT"


class Asking:
    """The calls of a test, by the published stubs."""

    def __init__(self, channel):
        self._predict = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)

    def reload(self, *models, timeout=20, **fields):
        request = model_management_pb2.ReloadConfigRequest(**fields)
        if not fields:
            request.config.model_config_list.SetInParent()
        for model in models:
            defaults = {"model_platform": "tensorflow"}
            request.config.model_config_list.config.add(**{**defaults, **model})
        return self._models.HandleReloadConfigRequest(request, timeout=timeout)

    def states(self, name):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        answer = self._models.GetModelStatus(request)
        return {entry.version: entry.state for entry in answer.model_version_status}

    def weight(self, name, version=None, label=None):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.model_spec.signature_name = "slow"
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
        request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.int32(1)))
        (weight,) = self._predict.Predict(request).outputs["weight"].float_val
        return weight


@contextmanager
def served(models, **options):
    server = serving.EmbeddedServer(models, options=ServerOptions(**{**QUICK, **options}))
    with server, grpc.insecure_channel(server.address) as channel:
        yield Asking(channel)


def failure(call, *args, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **options)
    return caught.value.code().name, caught.value.details()


def wait_until(holds, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


LOADING, AVAILABLE, END = 20, 30, 50


@pytest.fixture
def base(tmp_path, shop_one, shop_two):
    """Versions 1, 2 and 3 with weights 1, 2 and 1."""
    for number, source in ((1, shop_one), (2, shop_two), (3, shop_one)):
        shutil.copytree(source, tmp_path / "shop" / str(number))
    return tmp_path / "shop"


def model(base, name="shop", **fields):
    return {"name": name, "base_path": str(base), **fields}


def specific(*versions):
    return {"specific": {"versions": versions}}


def test_models_are_added_and_removed(base, shop_two, tmp_path):
    shutil.copytree(shop_two, tmp_path / "books" / "7")
    with served({"shop": base}) as ask:
        answer = ask.reload(model(base), model(tmp_path / "books", "books"))
        assert (answer.status.error_code, answer.status.error_message) == (0, "")
        # Without waiting: the new model is available when the call returns.
        assert ask.weight("books") == 2.0
        assert ask.weight("shop") == 1.0
        ask.reload(model(tmp_path / "books", "books"))
        wait_until(lambda: ask.states("shop") == {3: END})
        assert failure(ask.weight, "shop") == (
            "NOT_FOUND",
            "Servable not found for request: Latest(shop)",
        )
        ask.reload(model(base), model(tmp_path / "books", "books"))
        assert ask.weight("shop") == 1.0
        ask.reload()
        wait_until(lambda: ask.states("shop") == {3: END} and ask.states("books") == {7: END})


def test_policies(base):
    with served({"shop": base}) as ask:
        assert ask.states("shop") == {3: AVAILABLE}
        ask.reload(model(base, model_version_policy={"all": {}}))
        wait_until(lambda: ask.states("shop") == {3: AVAILABLE, 2: AVAILABLE, 1: AVAILABLE})
        assert [ask.weight("shop", version=number) for number in (1, 2, 3)] == [1.0, 2.0, 1.0]
        ask.reload(model(base, model_version_policy=specific(2, 9)))
        wait_until(lambda: ask.states("shop") == {3: END, 2: AVAILABLE, 1: END})
        assert ask.weight("shop") == 2.0
        ask.reload(model(base, model_version_policy={"latest": {"num_versions": 2}}))
        wait_until(lambda: ask.states("shop") == {3: AVAILABLE, 2: AVAILABLE, 1: END})
        assert ask.weight("shop") == 1.0


def test_a_label_moves_in_two_steps(base):
    with served({"shop": base}) as ask:
        ask.reload(model(base, version_labels={"stable": 3}))
        assert ask.weight("shop", label="stable") == 1.0
        assert failure(ask.weight, "shop", label="canary") == (
            INVALID,
            "Unrecognized servable version label: canary",
        )
        both = {"model_version_policy": specific(2, 3)}
        assert failure(ask.reload, model(base, version_labels={"stable": 2}, **both)) == (
            "FAILED_PRECONDITION",
            "Request to assign label to version 2 of model shop, which is not currently "
            "available for inference",
        )
        # What was refused has changed nothing.
        assert ask.weight("shop", label="stable") == 1.0
        assert 2 not in ask.states("shop")
        ask.reload(model(base, version_labels={"stable": 3}, **both))
        wait_until(lambda: ask.states("shop") == {3: AVAILABLE, 2: AVAILABLE})
        ask.reload(model(base, version_labels={"stable": 2, "canary": 3}, **both))
        assert ask.weight("shop", label="stable") == 2.0
        assert ask.weight("shop", label="canary") == 1.0
        ask.reload(model(base, **both))
        assert failure(ask.weight, "shop", label="stable")[1].endswith("label: stable")


def test_new_labels_for_versions_to_come(base):
    """`--allow_version_labels_for_unavailable_models`: new labels only."""
    allowed = {"allow_version_labels_for_unavailable_models": True}
    with served({"shop": base}, **allowed) as ask:
        ask.reload(model(base, version_labels={"next": 4}))
        assert failure(ask.weight, "shop", label="next") == (
            "NOT_FOUND",
            "Servable not found for request: Specific(shop, 4)",
        )
        ask.reload(model(base, version_labels={"next": 4, "stable": 3}))
        assert failure(ask.reload, model(base, version_labels={"stable": 5}))[0] == (
            "FAILED_PRECONDITION"
        )
        shutil.copytree(base / "2", base / "4")
        wait_until(lambda: ask.states("shop").get(4) == AVAILABLE)
        assert ask.weight("shop", label="next") == 2.0


def test_another_base_path(base, shop_two, tmp_path):
    """Versions are known by their numbers: 3 stays loaded, 5 comes from the new place."""
    shutil.copytree(shop_two, tmp_path / "moved" / "3")
    with served({"shop": base}) as ask:
        ask.reload(model(tmp_path / "moved"))
        time.sleep(0.3)
        assert ask.weight("shop") == 1.0
        shutil.copytree(shop_two, tmp_path / "moved" / "5")
        wait_until(lambda: ask.states("shop") == {5: AVAILABLE, 3: END})
        assert ask.weight("shop") == 2.0
        ask.reload(model("file://" + str(base)))
        wait_until(lambda: ask.states("shop") == {5: END, 3: AVAILABLE})


ABSOLUTE = "Expected model {} to have an absolute path or URI; got base_path()={}"


@pytest.mark.parametrize(
    ("models", "code", "message"),
    [
        (
            [{"name": "a", "base_path": "/a"}, {"name": "a", "base_path": "/b"}],
            INVALID,
            "Illegal to list model a multiple times in config list",
        ),
        ([{"name": "a", "base_path": "shop"}], INVALID, ABSOLUTE.format("a", "shop")),
        (
            [{"name": "../a", "base_path": "../../etc"}],
            INVALID,
            ABSOLUTE.format("../a", "../../etc"),
        ),
        ([{"name": "a"}], INVALID, ABSOLUTE.format("a", "")),
        (
            [{"name": "shop", "base_path": "/a", "model_platform": "pytorch"}],
            INVALID,
            "Illegal to change a model's platform. For model shop platform was tensorflow and "
            "new platform requested is pytorch",
        ),
        (
            [{"name": "a", "base_path": "/a", "model_platform": "pytorch"}],
            INVALID,
            "Model a requests unsupported platform pytorch",
        ),
        (
            [{"name": "a", "base_path": "/a", "model_platform": ""}],
            INVALID,
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform.",
        ),
        (
            [{"name": "a", "base_path": "/a", "model_type": 1}],
            INVALID,
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform.",
        ),
        (
            [{"name": "a", "base_path": "/a", "model_type": 2, "model_platform": ""}],
            INVALID,
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
        (
            [{"name": "a", "base_path": "gs://bucket/a"}],
            "UNIMPLEMENTED",
            "File system scheme 'gs' not implemented (file: 'gs://bucket/a')",
        ),
    ],
)
def test_refused_lists_change_nothing(shop_server, models, code, message):
    with grpc.insecure_channel(shop_server.address) as channel:
        ask = Asking(channel)
        assert failure(ask.reload, *models) == (code, message)
        assert ask.states("shop") == {3: AVAILABLE}


def test_other_kinds_of_configuration(shop_server):
    unsupported = (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported"
    )
    with grpc.insecure_channel(shop_server.address) as channel:
        ask = Asking(channel)
        assert failure(ask.reload, config={}) == (INVALID, unsupported)
        assert failure(ask.reload, config={"custom_model_config": {}}) == (INVALID, unsupported)


def test_a_new_model_that_cannot_be_loaded(base, tmp_path):
    broken = tmp_path / "broken"
    (broken / "4").mkdir(parents=True)
    with served({"shop": base}) as ask:
        code, message = failure(ask.reload, model(base), model(broken, "broken"))
        assert code == "UNKNOWN"
        assert message.startswith(
            "1 model(s) did not become available: {{{name: broken version: 4} due to error: "
        )
        assert message.endswith("}, }")
        assert str(tmp_path) not in message
        assert ask.states("broken") == {4: END}
        assert ask.weight("shop") == 1.0


def test_a_reload_waits_for_its_client_only(base, tmp_path):
    """TF Serving waits for ever for a model without a version; the client's deadline ends it."""
    with served({"shop": base}) as ask:
        missing = tmp_path / "missing"
        code, _ = failure(ask.reload, model(base), model(missing, "later"), timeout=0.3)
        assert code == "DEADLINE_EXCEEDED"
        ask.reload(model(base), model(missing, "later"))
        shutil.copytree(base / "2", tmp_path / "there" / "1")
        (tmp_path / "there").rename(missing)
        wait_until(lambda: weight_or_none(ask, "later") == 2.0)


def weight_or_none(ask, name):
    try:
        return ask.weight(name)
    except grpc.RpcError as error:
        if error.code().name != "NOT_FOUND":
            raise
        return None


def test_waiting_reloads_are_bounded(base, tmp_path):
    with served({"shop": base}) as ask:

        def wait_in_vain(name):
            # The look below takes a place for a moment, in which this one may be refused.
            lists = model(base), model(tmp_path / "no", name)
            while failure(ask.reload, *lists, timeout=5.0)[0] == "RESOURCE_EXHAUSTED":
                time.sleep(0.02)

        waiting = [threading.Thread(target=wait_in_vain, args=(f"no{n}",)) for n in range(4)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: failure_code(ask, base) == "RESOURCE_EXHAUSTED")
        assert ask.weight("shop") == 1.0
        for thread in waiting:
            thread.join()
        wait_until(lambda: failure_code(ask, base) is None)


def failure_code(ask, base):
    try:
        ask.reload(model(base))
    except grpc.RpcError as error:
        return error.code().name
    return None
