"""Encoders of histories, encodings of numbers and interactions in the served graph."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfmtl
from serving.exporting import write_saved_model
from serving.validation.infra import validate
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor

ENCODERS = ["mean", "din", "gru", "lstm", "sasrec"]


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    raw = tiny.make_raw()
    price, discount = raw["features"]["item"][2], raw["features"]["context"][1]
    price["encoding"] = {"kind": "periodic"}
    discount["encoding"] = {"kind": "piecewise"}
    of = {"of": ["item_id", "category"], "where": "click", "last": 3}
    changes = {
        "features.item": raw["features"]["item"],
        "features.context": raw["features"]["context"],
        "features.history": [{**of, "name": f"by_{e}", "encoder": e} for e in ENCODERS],
        "model.interaction": {"kind": "dcn_v2", "projection_dim": 8},
    }
    made = tiny.make_model(changes)
    random = np.random.default_rng(0)
    for variable in made.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.2)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 6])
def test_a_process_without_python_answers_as_the_model(
    model: MultiTaskModel, tmp_path: Path, rows: int
) -> None:
    transformed = tiny.write_analysis(tmp_path / "transformed")
    tiny.write_catalogue(transformed, Preprocessor(model.config, transformed))
    tfmtl.save_model(model, tmp_path / "model", transformed)
    write_saved_model(model, tmp_path / "model", tmp_path / "saved")
    raw = tiny.raw_rows(rows, seed=5)
    for encoder in ENCODERS:
        for of in ("item_id", "category"):
            raw[f"by_{encoder}_{of}"] = raw[f"click_history_{of}"]
    asked = {
        name: values.astype("f") if values.dtype.kind == "f" else values
        for name, values in raw.items()
        if name not in ("position", "row") and not name.startswith("click_history")
    }
    query = {n: v for n, v in asked.items() if n in ("user_id", "age", "query") or "by_" in n}
    examples = {
        "rank_rows": asked,
        "serving_default": asked,
        "retrieve": {**query, "k": np.full(rows, 3, np.int32)},
    }
    report = validate(tmp_path / "saved", examples)
    assert report.reasons == []
    preprocessor = Preprocessor(model.config, tmp_path / "model")
    inputs = tiny.encode(preprocessor, {**raw, "position": np.array(["1"] * rows, object)})
    expected = model.rank({name: tf.constant(values) for name, values in inputs.items()})
    for task, values in expected.items():
        found = report.outputs["rank_rows"][task]
        np.testing.assert_allclose(found, values, rtol=1e-4, err_msg=task)
