"""SavedModels that are broken in every way we know of, and warm-up requests: each is refused."""

import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

import tfmtl
from serving.exporting import write_saved_model
from serving.server.model import LoadedVersion
from serving.server.status import StatusError
from serving.server.warmup import warm_up
from serving.validation.examples import example_requests
from serving.validation.infra import validate
from serving.validation.opscan import unknown_ops
from serving.validation.parity import differences
from serving.warmup_records import WARMUP_FILE, RecordError, read_warmup, write_warmup

ROW = {"x": np.ones((1, 2), np.float32)}


def save(function, directory, module=None, spec=None):
    module = module or tf.Module()
    spec = spec or tf.TensorSpec([None, 2], tf.float32, "x")
    module.serve = tf.function(function, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(directory), signatures=module.serve)
    return directory


def edit(directory, change):
    """Changes the graph of a SavedModel."""
    path = directory / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(saved_model.meta_graphs[0])
    path.write_bytes(saved_model.SerializeToString())


def test_a_custom_op(tmp_path):
    directory = save(lambda x: {"y": tf.nn.relu(x)}, tmp_path / "m")

    def rename(meta_graph):
        for function in meta_graph.graph_def.library.function:
            for node in function.node_def:
                node.op = "ShopRelu" if node.op == "Relu" else node.op

    edit(directory, rename)
    reasons = validate(directory, {"serving_default": ROW}).reasons
    assert "op ShopRelu in function" in reasons[0]
    assert "is a custom op, which stock TF Serving does not have" in reasons[0]
    assert any(reason.startswith("loading failed") for reason in reasons[1:])


def test_every_unknown_op_is_named_once():
    meta_graph = tf.compat.v1.MetaGraphDef()
    for name, op in (("a", "MatMul"), ("b", "Mine"), ("c", "Mine"), ("d", "inner")):
        meta_graph.graph_def.node.add(name=name, op=op)
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "inner"
    function.node_def.add(name="e", op="Other")
    assert [line.split(" is a custom op")[0] for line in unknown_ops(meta_graph, {"MatMul"})] == [
        "op Mine in the graph (node b)",
        "op Other in function inner (node e)",
    ]


def test_a_missing_asset(shop_one, tmp_path):
    directory = tmp_path / "m"
    shutil.copytree(shop_one, directory)
    (asset,) = (directory / "assets").iterdir()
    asset.unlink()
    report = validate(directory, {"slow": {"steps": np.int32(1)}})
    assert any(reason.startswith("loading failed") for reason in report.reasons)
    assert asset.name in " ".join(report.reasons)


def test_missing_variables(shop_one, tmp_path):
    directory = tmp_path / "m"
    shutil.copytree(shop_one, directory)
    shutil.rmtree(directory / "variables")
    reasons = validate(directory, {}, parameters=2).reasons
    assert any("variables" in reason for reason in reasons)


@pytest.mark.parametrize("content", [b"", b"\x08\x01\xff\xff", b"not a proto at all"])
def test_a_corrupt_graph(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    (reason,) = validate(tmp_path, {}).reasons
    assert "saved_model.pb cannot be read" in reason or "no graph with tag `serve`" in reason


def test_a_graph_that_was_cut_off(shop_one, tmp_path):
    directory = tmp_path / "m"
    shutil.copytree(shop_one, directory)
    graph = directory / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-200])
    assert not validate(directory, {}).ok


def test_variables_stored_twice(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, [tf.TensorSpec([None, 2], tf.float32, "x")])
    archive.write_out(str(tmp_path / "m"), verbose=False)
    report = validate(tmp_path / "m", parameters=2 * 3 + 3)
    assert report.reasons == [
        "the checkpoint holds 18 parameters where the model has 9: a variable is stored twice"
    ]
    assert validate(tmp_path / "m", parameters=18).ok


def test_a_signature_that_breaks_at_batch_4(tmp_path):
    def three_rows(x):
        return {"y": tf.reshape(tf.pad(x, [[0, 3 - tf.shape(x)[0]], [0, 0]]), [3, 2])[:1] + x}

    directory = save(three_rows, tmp_path / "m")
    one, four = ({"serving_default": {"x": np.ones((n, 2), np.float32)}} for n in (1, 4))
    assert validate(directory, one).ok
    report = validate(directory, one, four)
    (reason,) = report.reasons
    assert reason.startswith("signature `serving_default` failed: ")
    assert list(report.answers[0]) == ["serving_default"]
    assert report.answers[1] == {}
    (reason,) = validate(directory, one, timed={4: four}).reasons
    assert reason.startswith("signature `serving_default` at batch 4 failed")


def test_what_cannot_be_batched(shop_one, tmp_path):
    reasons = validate(shop_one, batching=True).reasons
    assert reasons == [
        "signature `scaled`: input `by` is a single value whatever the batch, so that TF Serving "
        "cannot batch requests",
        "signature `slow`: input `steps` is a single value whatever the batch, so that TF Serving "
        "cannot batch requests",
        "signature `slow`: output `weight` is a single value whatever the batch, so that TF "
        "Serving cannot batch requests",
    ]

    def distinct(x):
        return {"y": tf.unique(tf.reshape(x, [-1])).y}

    report = validate(
        save(distinct, tmp_path / "m"),
        {"serving_default": {"x": np.ones((3, 2), np.float32)}},
        batching=True,
    )
    (reason,) = report.reasons
    assert reason == (
        "signature `serving_default`: output `y` has shape [1] for a batch of 3; its dimension 0 "
        "should be the batch"
    )


def test_memory_and_latency_are_measured(tmp_path):
    module = tf.Module()
    module.table = tf.Variable(tf.random.normal([5_000_000]))  # 20 MB

    def function(x):
        return {"y": x + tf.reduce_sum(module.table[:3])}

    directory = save(function, tmp_path / "m", module)
    requests = {n: {"serving_default": {"x": np.ones((n, 2), np.float32)}} for n in (1, 100)}
    report = validate(directory, timed=requests, parameters=5_000_000)
    assert report.reasons == []
    assert report.memory["before"] > 50e6
    assert 19e6 < report.memory["loaded"] - report.memory["before"] < 200e6
    assert report.memory["peak"] >= report.memory["loaded"]
    figures = report.latency["serving_default"]
    assert set(figures) == {1, 100}
    assert all(
        0 < one["p50"] <= one["p99"] and 1 <= one["calls"] <= 200 for one in figures.values()
    )


def checked(x):
    with tf.control_dependencies([tf.debugging.assert_less(x, 10.0, message="too large")]):
        return 2 * x


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """A model that fails where a value is 10 or more."""
    return save(lambda x: {"y": checked(x)}, tmp_path_factory.mktemp("limited") / "m")


@pytest.fixture
def warmed(limited, tmp_path):
    """A copy of it, and a way to give it warm-up requests."""
    shutil.copytree(limited, tmp_path / "m")

    def write(*requests):
        write_warmup(tmp_path / "m", "shop", requests)
        return tmp_path / "m"

    return write


def x(value):
    return {"x": np.full((2, 2), value, np.float32)}


def test_good_warmup_requests_are_replayed_by_both(warmed):
    directory = warmed(("serving_default", x(1)), ("", x(2)), ("serving_default", x(3)))
    report = validate(directory)
    assert report.reasons == []
    assert report.warmup_records == 3
    assert warm_up(LoadedVersion(directory, 1), directory) == 3


@pytest.mark.parametrize(
    ("signature", "inputs", "expected"),
    [
        ("serving_default", x(11), "failed: .*too large"),
        ("rank", x(1), "there is no signature `rank`"),
        ("serving_default", {}, "inputs missing or unknown: x"),
        ("serving_default", {"z": x(1)["x"]}, "inputs missing or unknown: x, z"),
        ("serving_default", {"x": np.ones((2, 2))}, "`x` is of data type 2, expected 1"),
        ("serving_default", {"x": np.ones((2, 3), np.float32)}, None),
    ],
)
def test_one_failing_record_refuses_the_model(warmed, signature, inputs, expected):
    directory = warmed(("serving_default", x(1)), (signature, inputs))
    report = validate(directory)
    if expected is None:  # shapes are not checked against the signature, by TF Serving neither
        assert report.warmup_records == 2
        return
    (reason,) = report.reasons
    assert reason.startswith("warm-up record 2")
    assert re.search(expected, reason)
    assert report.warmup_records == 1
    with pytest.raises(StatusError):
        warm_up(LoadedVersion(directory, 1), directory)


def write_raw(directory, *records):
    path = directory / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def test_records_of_another_kind(limited, tmp_path):
    directory = tmp_path / "m"
    shutil.copytree(limited, directory)
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.model_spec.name = "shop"
    write_raw(directory, log.SerializeToString(), b"\xff", b"")
    assert validate(directory).reasons == [
        "warm-up record 1: expected a Predict request, got classify_log",
        "warm-up record 2: it is no PredictionLog",
        "warm-up record 3: expected a Predict request, got an empty record",
    ]


def test_a_damaged_or_overlong_file(limited, tmp_path):
    directory = tmp_path / "m"
    shutil.copytree(limited, directory)
    write_raw(directory, *[b""] * 1001)
    assert "there are more than 1000 warm-up records" in validate(directory).reasons
    (directory / WARMUP_FILE).write_text("no TFRecord at all, and long enough to be read as one")
    with pytest.raises(RecordError, match="not an uncompressed TFRecord"):
        read_warmup(directory)
    with pytest.raises(ValueError, match="at most 1000 warm-up requests, got 1001"):
        write_warmup(directory, "shop", [("serving_default", x(1))] * 1001)


def test_a_record_is_what_tf_serving_reads(warmed):
    directory = warmed(("serving_default", x(1.5)))
    (record,) = read_warmup(directory)
    log = prediction_log_pb2.PredictionLog.FromString(record)
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == (
        "shop",
        "serving_default",
    )
    assert tf.make_ndarray(request.inputs["x"]).tolist() == [[1.5, 1.5], [1.5, 1.5]]


SIGNATURES = [
    "rank_rows",
    "rank",
    "classify",
    "regress",
    "predict_examples",
    "retrieve",
    "recommend",
    "embed_user",
    "embed_item",
    "serving_default",
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A tiny shop's model, its home, and its SavedModel."""
    directory = tmp_path_factory.mktemp("tiny")
    transformed = tiny.write_transformed(directory / "transformed", None)
    model = tiny.make_model()
    tfmtl.save_model(model, directory / "model", transformed)
    rows = {
        "user_id": np.array([b"ann", b"bob"], object),
        "discount": np.array([5.0, 20.0]),
        "category": np.array([1.0, 2.0]),  # of another type than the model's, hence not taken
        "click_history_item_id": np.array([[b"i1", b"", b""], [b"i2", b"i1", b""]], object),
    }
    write_saved_model(model, directory / "model", directory / "saved_model", rows)
    return model, directory / "model", directory / "saved_model"


@pytest.mark.slow
def test_an_export_warms_itself_up_with_real_rows(exported):
    _, _, saved_model = exported
    logs = [prediction_log_pb2.PredictionLog.FromString(r) for r in read_warmup(saved_model)]
    requests = [log.predict_log.request for log in logs]
    assert [one.model_spec.signature_name for one in requests] == SIGNATURES * 2
    small, large = requests[: len(SIGNATURES)], requests[len(SIGNATURES) :]
    for one, other in zip(small, large, strict=True):
        key = "inputs" if "inputs" in one.inputs else "item_id"
        key = key if key in one.inputs else "user_id"
        sizes = [np.size(tf.make_ndarray(request.inputs[key])) for request in (one, other)]
        assert sizes == [1, 32], one.model_spec.signature_name
    rank = large[0]
    assert tf.make_ndarray(rank.inputs["user_id"]).tolist() == [b"ann", b"bob"] * 16
    assert tf.make_ndarray(rank.inputs["discount"]).tolist() == [5.0, 20.0] * 16
    assert tf.make_ndarray(rank.inputs["category"]).dtype == object
    history = tf.make_ndarray(rank.inputs["click_history_item_id"])
    assert history[1].tolist() == [b"i2", b"i1", b""]
    assert warm_up(LoadedVersion(saved_model, 1), saved_model) == 2 * len(SIGNATURES)


@pytest.mark.slow
def test_an_export_is_fit_and_stores_no_parameter_twice(exported):
    model, home, saved_model = exported
    requests = [example_requests(model, home, batch) for batch in (1, 4)]
    # Beside the model: 6 vectors of 4; of 6 items and a missing one 6 numbers each.
    parameters = sum(int(np.prod(v.shape)) for v in model.variables) + 6 * 4 + 7 * 6
    report = validate(saved_model, *requests, batching=True, parameters=parameters)
    assert report.reasons == []
    assert report.warmup_records == 2 * len(SIGNATURES)
    assert validate(saved_model, parameters=parameters - 1).reasons != []
    for one, answers in zip(requests, report.answers, strict=True):
        assert set(answers) == set(SIGNATURES)
        assert differences(model, home, one, answers) == []


def test_warmup_requests_of_ones_own_stay(exported, tmp_path):
    model, home, _ = exported
    write_raw(tmp_path / "m", b"mine")
    write_saved_model(model, home, tmp_path / "m")
    assert read_warmup(tmp_path / "m") == [b"mine"]


@pytest.mark.slow
def test_a_variable_that_was_changed_after_the_export(exported):
    model, home, saved_model = exported
    bias = model.ranking.heads["click"].output_layer.bias
    before = bias.numpy()
    requests = example_requests(model, home, 1)
    bias.assign(before + 0.1)
    try:
        report = validate(saved_model, requests)
        assert report.ok
        reasons = differences(model, home, requests, report.outputs)
    finally:
        bias.assign(before)
    assert [reason.split(" is ")[0] for reason in reasons] == [
        "rank_rows: click",
        "rank: click",
        "classify: scores",
        "predict_examples: click",
        "recommend: click",
        "serving_default: click",
    ]
