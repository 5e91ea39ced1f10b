"""Texts read in order and tuned thresholds, as they are served."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

import serving
import tfmtl
from serving.validation.examples import example_requests
from serving.validation.parity import differences
from tfmtl.models.multi_task import MultiTaskModel

TAGS = ["new", "sale", "gift"]
VOCABULARIES = {**tiny.VOCABULARIES, "label.tags": TAGS}
ENCODERS = {
    "title_words": {"kind": "cnn", "filters": 5, "width": 2},
    "query": {"kind": "transformer", "heads": 3},
}
SIGNATURES = ["predict_examples", "embed_item"]
TASKS = {
    "retrieve": {"kind": "retrieval", "positive": "click"},
    "click": {"kind": "binary", "label": "click", "threshold": "tuned"},
    "tags": {"kind": "multi_label", "label": "tags", "separator": ",", "threshold": "tuned"},
}


def changes() -> dict[str, Any]:
    features = {side: [dict(one) for one in made] for side, made in tiny.RAW["features"].items()}
    for one in (*features["item"], *features["query"]):
        one |= {"encoder": ENCODERS[one["name"]]} if one["name"] in ENCODERS else {}
    return {"features": features, "tasks": TASKS, "serving.signatures": SIGNATURES}


@pytest.mark.slow
def test_texts_and_thresholds_are_served(tmp_path: Path) -> None:
    config = tiny.make_config(changes())
    transformed = tiny.write_transformed(tmp_path / "transformed", config, VOCABULARIES)
    model = MultiTaskModel(config, tiny.sizes(VOCABULARIES))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    assert model.ranking is not None
    model.ranking.thresholds["tags"].assign([0.2, 0.4, 0.9])
    model.ranking.thresholds["click"].assign([0.3])
    tfmtl.save_model(model, tmp_path / "model", transformed)
    serving.export(model, tmp_path / "tiny", home=tmp_path / "model")
    requests = example_requests(model, tmp_path / "model", 4)
    with (
        serving.EmbeddedServer({"tiny": tmp_path / "tiny"}) as server,
        serving.Client(server.address, model="tiny") as client,
    ):
        answers = {name: client.predict(name, asked) for name, asked in requests.items()}
    assert {"rank_rows", "predict_examples", "embed_item"} <= set(answers)
    assert differences(model, tmp_path / "model", requests, answers) == []
    for name in ("rank_rows", "predict_examples"):
        answer = answers[name]
        shape = answer["click"].shape
        assert answer["tags_thresholds"].shape == (*shape, 3)
        np.testing.assert_allclose(answer["tags_thresholds"].reshape(-1, 3)[0], [0.2, 0.4, 0.9])
        np.testing.assert_allclose(answer["click_thresholds"], np.full(shape, 0.3), rtol=1e-6)
