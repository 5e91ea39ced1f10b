"""Funnels as they are served: the same answers, and the conditional probabilities."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfmtl
from serving.exporting import write_saved_model
from serving.validation.examples import example_requests
from serving.validation.parity import differences

TASKS = {
    "click": {"kind": "binary", "label": "click", "positive_weight": 4.0},
    "cart": {"kind": "binary", "label": "cart", "after": "click"},
    "purchase": {"kind": "binary", "label": "purchase", "after": "cart"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_transformed(tmp_path_factory.mktemp("funnel") / "transformed")


@pytest.mark.parametrize(
    "funnel", ["esmm", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("aitm", "escm2"))]
)
def test_a_funnel_is_served(home: Path, tmp_path: Path, funnel: str) -> None:
    model = tiny.make_model(
        {"tasks": TASKS, "model.funnel": {"kind": funnel}, "serving.signatures": []}
    )
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    tfmtl.save_model(model, tmp_path / "model", home)
    write_saved_model(model, tmp_path / "model", tmp_path / "saved_model")
    rank = tf.saved_model.load(str(tmp_path / "saved_model")).signatures["rank_rows"]
    requests = example_requests(model, tmp_path / "model", 16)
    tensors = {
        name: tf.constant(values.tolist(), tf.float32 if values.dtype.kind == "f" else tf.string)
        for name, values in requests["rank_rows"].items()
    }
    found = {name: values.numpy() for name, values in rank(**tensors).items()}
    assert set(found) == {*TASKS, "cart_after_click", "purchase_after_cart"}
    assert np.ptp(found["cart_after_click"]) > 1e-3
    assert np.all(found["purchase"] <= found["cart"])
    assert np.all(found["cart"] <= found["click"])
    np.testing.assert_allclose(found["cart_after_click"] * found["click"], found["cart"], rtol=1e-5)
    asked = {"rank_rows": requests["rank_rows"]}
    assert differences(model, tmp_path / "model", asked, {"rank_rows": found}) == []
