"""The summary of a task by hand."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from tfmtl.evaluation import Binary, Evaluation, Regression


def test_binary_summary() -> None:
    labels = [1, 0, 1, 0, math.nan, 1]
    predictions = [0.9, 0.2, 0.4, 0.6, 0.5, 0.7]
    users = ["a", "a", "b", "b", "b", "a"]
    scenario = ["ads", "ads", "feed", "feed", "search", "ads"]
    evaluation = Evaluation({"click": Binary()}, ["scenario"])
    evaluation.update(
        {"click": labels}, {"click": predictions}, users=users, slices={"scenario": scenario}
    )
    found = evaluation.result().tasks["click"]
    assert set(found["overall"]) == {
        "rows", "positives", "auc", "pr_auc", "log_loss", "normalized_entropy", "ece",
        "calibration", "gauc",
    }  # fmt: skip
    assert found["overall"]["rows"] == 5
    assert found["overall"]["positives"] == 3
    # Pairs over .2: 3 of 3; over .6: 2 of 3.
    assert found["overall"]["auc"] == pytest.approx(5 / 6)
    # a: 1, of 3 rows; b: 0, of 2.
    assert found["overall"]["gauc"] == pytest.approx(3 / 5)
    slices = found["slices"]["scenario"]
    assert list(slices) == ["ads", "feed"], "search has no labelled row"
    assert slices["ads"]["auc"] == 1.0
    assert slices["feed"]["auc"] == 0.0
    assert slices["feed"]["positives"] == 1
    json.dumps(found, allow_nan=False)


def test_regression_summary() -> None:
    evaluation = Evaluation({"stars": Regression()}, ["s"])
    evaluation.update(
        {"stars": [1, 2, math.nan]}, {"stars": [2, 4, 0]}, [1, 3, 1], slices={"s": ["x", "y", "z"]}
    )
    found = evaluation.result().tasks["stars"]
    assert found["overall"] == {"rows": 2, "rmse": pytest.approx(13**0.5 / 2), "mae": 1.75}
    assert found["slices"]["s"] == {
        "x": {"rows": 1, "rmse": 1.0, "mae": 1.0},
        "y": {"rows": 1, "rmse": 2.0, "mae": 2.0},
    }


def test_numpy_is_all_it_imports() -> None:
    heavy = "{'tensorflow', 'keras', 'pandas', 'scipy', 'sklearn', 'pydantic'}"
    code = f"import sys, tfmtl.evaluation; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
