"""A model that learnt from downsampled negatives is calibrated on test rows that were not sampled.

The shop is simulated and split at random, so that training and test rows differ by chance alone,
and the model is small: what is measured is the correction, not how far the model generalises.
"""

from pathlib import Path

import numpy as np
import pytest
from data_components import run_components

from pipelines.simulator import simulate
from tfmtl.config import Config, parse

FEATURES = {
    "user": [{"name": "age_band", "kind": "categorical"}],
    "item": [{"name": "category", "kind": "categorical"}],
    "context": [
        {"name": "position", "kind": "categorical", "serve_as": "1"},
        {"name": "device", "kind": "categorical"},
    ],
}
SCENARIOS = ["search", "feed", "ads"]
SAMPLING = {
    "negatives": [
        {"task": "click", "scenarios": ["search"], "keep": 0.3},
        {"task": "click", "scenarios": ["feed"], "keep": 0.1},
        {"task": "click", "scenarios": ["ads"], "per_positive": 4},
    ]
}
# A funnel is corrected by the logarithm of the rate; unrelated tasks by what their rows stand for.
FUNNEL = {
    "click": {"kind": "binary", "label": "click"},
    "cart": {"kind": "binary", "label": "cart", "after": "click"},
}
UNRELATED = {**FUNNEL, "cart": {"kind": "binary", "label": "cart"}}
RESAMPLED = {"resampling": {"by": "scenario", "temperature": 5}}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    simulate(folder, impressions=200_000, seed=3)
    return folder


def shop(**changes: object) -> Config:
    source = {
        "impressions": {"path": "impressions/*.csv"},
        "items": {"path": "items.parquet", "key": "item_id"},
        "users": {"path": "users.parquet", "key": "user_id"},
    }
    raw = {
        "name": "calibrated",
        "source": source,
        "features": FEATURES,
        "scenario": {"column": "scenario", "values": SCENARIOS},
        "model": {"trunk": {"kind": "shared_bottom", "units": [16]}, "tower": [8]},
        "training": {
            # To the end: a mean prediction is that of the labels where the loss is lowest.
            "epochs": 20,
            "batch_size": 1024,
            "precision": "float32",
            "optimizer": {
                "tables": {"schedule": {"kind": "cosine"}},
                "dense": {"learning_rate": 0.01, "schedule": {"kind": "cosine"}},
            },
        },
        "split": {"by": "random", "validation": 0.0, "test": 0.5},
        "sampling": SAMPLING,
    }
    return parse({**raw, **changes})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "changes"),
    [(FUNNEL, {}), (UNRELATED, {}), (FUNNEL, RESAMPLED)],
    ids=["funnel", "unrelated", "resampled"],
)
def test_predictions_are_calibrated_on_rows_that_were_not_sampled(
    tasks: dict, changes: dict, logs: Path, tmp_path: Path
) -> None:
    from tfmtl.training.examples import read_examples
    from tfmtl.training.trainer import train

    config = shop(tasks=tasks, **changes)
    ran = run_components(config, logs, tmp_path)
    transformed = tmp_path / "artifacts" / "transformed"
    rate = ran.summaries["Transform"]["label_means"]
    assert rate["train"]["click"] > 2 * rate["test"]["click"], "the training rows are sampled"

    model = train(config, transformed).model
    predicted: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    scenarios: list[np.ndarray] = []
    for x, y, _ in read_examples(transformed / "test", config, batch_size=8192, shuffle=False):
        made = model.rank({name: x[name] for name in model.inputs_spec})
        predicted.append(np.stack([made[task] for task in tasks], axis=1))
        labels.append(np.stack([y[task] for task in tasks], axis=1))
        scenarios.append(x["scenario"].numpy() - 2)
    p, y, s = map(np.concatenate, (predicted, labels, scenarios))

    ratios = {"all": p.mean(axis=0) / y.mean(axis=0)}
    for number, name in enumerate(SCENARIOS):
        own = s == number
        ratios[name] = p[own].mean(axis=0) / y[own].mean(axis=0)
    # The test rows have 5,200 clicks, 500 of them in ads, and 900 carts: noise of 1.4 to 4.5 %, and
    # as much again of the training rows.
    assert ratios["all"] == pytest.approx([1, 1], abs=0.08)
    assert ratios["all"][0] == pytest.approx(1, abs=0.04)
    assert [ratios[name][0] for name in ("search", "feed")] == pytest.approx([1, 1], abs=0.06)
    assert ratios["ads"][0] == pytest.approx(1, abs=0.12)
