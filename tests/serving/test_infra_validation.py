"""Verdicts on models that stock TF Serving can and cannot serve."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from serving.validation import infra_process, opscan
from serving.validation.infra import validate

ROW = tf.TensorSpec([None, 2], tf.float32, "x")
EXAMPLE = {"serving_default": {"x": np.ones((3, 2), np.float32)}}


def save(function, directory, module=None):
    module = module or tf.Module()
    module.serve = tf.function(function, input_signature=[ROW], autograph=False)
    tf.saved_model.save(module, str(directory), signatures=module.serve)
    return directory


def test_a_good_model_runs_and_gives_its_values(shop_two):
    items = ["apple", "wine", "cheese" * 20]
    x = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    examples = {
        "serving_default": {"item": items, "x": x},
        "scaled": {"x": np.array([1, 2], np.int32), "by": np.int64(3)},
        "slow": {"steps": np.int32(1)},
    }
    report = validate(shop_two, examples)
    assert report.reasons == []
    assert report.ok
    assert 0 < report.load_seconds < 30
    rank = report.outputs["serving_default"]
    np.testing.assert_allclose(rank["score"], [[6], [14], [22]])
    assert rank["id"].tolist() == [0, -1, -1]
    assert rank["id"].dtype == np.int64
    assert rank["item"].tolist() == [item.encode() for item in items]
    assert report.outputs["scaled"]["y"].tolist() == [3, 6]
    assert report.outputs["slow"]["weight"].shape == ()


def test_a_default_is_used_and_what_does_not_fit_is_said(shop_one):
    examples = {
        "scaled": {"x": np.array([1], np.int32)},
        "serving_default": {"item": ["apple"]},
        "nope": {},
    }
    report = validate(shop_one, examples)
    assert report.outputs["scaled"]["y"].tolist() == [10]
    assert len(report.reasons) == 2
    assert "missing input `x`" in report.reasons[0]
    assert report.reasons[1] == "signature `nope` is not in the SavedModel"


def test_a_failing_run_is_a_reason(tmp_path):
    checked = save(lambda x: {"y": tf.debugging.check_numerics(x / 0.0, "bad")}, tmp_path / "m")
    report = validate(checked, EXAMPLE)
    assert any("bad : Tensor had Inf" in reason for reason in report.reasons)


def test_python_functions_are_refused(tmp_path):
    def function(x):
        return {"y": tf.reshape(tf.numpy_function(lambda v: v * 2, [x], tf.float32), [-1, 2])}

    report = validate(save(function, tmp_path / "m"), EXAMPLE)
    assert any("PyFunc" in reason and "calls Python" in reason for reason in report.reasons)
    assert any(reason.startswith("signature `serving_default` failed") for reason in report.reasons)
    assert report.outputs == {}


def test_xla_is_refused(tmp_path):
    # The wheel's C library compiles with XLA where the stock server refuses to, so that only the
    # static scan can tell.
    compiled = tf.function(lambda x: x * 2, jit_compile=True)
    report = validate(save(lambda x: {"y": compiled(x)}, tmp_path / "m"), EXAMPLE)
    assert not report.ok
    assert all("needs XLA compilation (jit_compile=True)" in reason for reason in report.reasons)


def test_a_module_that_tracks_a_keras_model_is_refused(tmp_path):
    module = tf.Module()
    module.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    directory = save(lambda x: {"y": module.model(x)}, tmp_path / "m", module)
    report = validate(directory, EXAMPLE)
    assert any("Could not find variable" in reason for reason in report.reasons)


def test_a_module_that_tracks_the_keras_variables_is_accepted(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    module = tf.Module()
    module.variables_ = [variable.value for variable in model.variables]
    report = validate(save(lambda x: {"y": model(x)}, tmp_path / "m", module), EXAMPLE)
    assert report.ok
    np.testing.assert_allclose(
        report.outputs["serving_default"]["y"], model.predict(np.ones((3, 2)), verbose=0), rtol=1e-5
    )


def test_no_saved_model_and_no_library(tmp_path, shop_one, monkeypatch):
    assert validate(tmp_path, {}).reasons == ["saved_model.pb cannot be read: FileNotFoundError"]
    monkeypatch.setattr(infra_process, "_LIBRARIES", ("libnothing.so",))
    assert validate(shop_one, {}).reasons == [
        "TensorFlow's C library (libnothing.so) was not found"
    ]


def test_a_timeout_is_a_reason(shop_one):
    report = validate(shop_one, {}, timeout=0.01)
    assert report.reasons == ["loading and running took longer than 0.01 s"]
    assert not report.finished


@pytest.mark.parametrize("op", ["PyFunc", "EagerPyFunc", "PyFuncStateless", "XlaLaunch"])
def test_the_scan_reaches_the_function_library(op):
    meta_graph = tf.compat.v1.MetaGraphDef()
    meta_graph.graph_def.node.add(name="fine", op="MatMul")
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "inner"
    function.node_def.add(name="hidden", op=op)
    (finding,) = opscan.forbidden_ops(meta_graph)
    assert finding.startswith(f"op {op} in function inner (node hidden)")
