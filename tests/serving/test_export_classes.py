"""Predictions of classes over gRPC, with the names of the classes beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tiny

import serving
import tfmtl
from serving.exporting import write_saved_model
from serving.validation.examples import example_requests
from serving.validation.infra import validate
from serving.validation.parity import differences
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor

MOODS = ["calm", "fröhlich", "嬉しい"]
TAGS = ["new", "on sale"]
VOCABULARIES = {**tiny.VOCABULARIES, "label.mood": MOODS, "label.tags": TAGS}
TASKS = {
    "click": {"kind": "binary", "label": "click"},
    "mood": {"kind": "multi_class", "label": "mood"},
    "tags": {"kind": "multi_label", "label": "tags", "separator": ","},
}
ROWS = 4


@dataclass
class Served:
    model: MultiTaskModel
    home: Path
    client: serving.Client


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("classes")
    config = tiny.make_config({"tasks": TASKS, "serving.signatures": []})
    transformed = tiny.write_transformed(directory / "transformed", config, VOCABULARIES)
    model = MultiTaskModel(config, tiny.sizes(VOCABULARIES))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    tfmtl.save_model(model, directory / "model", transformed)
    serving.export(model, directory / "tiny", home=directory / "model")
    with (
        serving.EmbeddedServer({"tiny": directory / "tiny"}) as server,
        serving.Client(server.address, model="tiny") as client,
    ):
        yield Served(model, directory / "model", client)


def test_an_answer_names_its_classes(served: Served) -> None:
    raw = tiny.raw_rows(ROWS, seed=5)
    asked = {name: values for name, values in raw.items() if name not in ("position", "row")}
    answer = served.client.predict("rank_rows", asked)
    assert set(answer) == {"click", "mood", "mood_classes", "tags", "tags_classes"}
    for task, names in {"mood": MOODS, "tags": TAGS}.items():
        rows = [[name.decode() for name in row] for row in answer[f"{task}_classes"].tolist()]
        assert rows == [names] * ROWS
    raw["position"] = np.array(["1"] * ROWS, object)
    inputs = tiny.encode(Preprocessor(served.model.config, served.home), raw)
    expected = served.model.rank({name: tf.constant(values) for name, values in inputs.items()})
    for task, values in expected.items():
        np.testing.assert_allclose(answer[task], values, rtol=1e-5, err_msg=task)
    assert answer["mood"].shape == (ROWS, 3)
    assert answer["tags"].shape == (ROWS, 2)


@pytest.mark.parametrize(
    "policy", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_tf_serving_would_take_it(served: Served, tmp_path: Path, policy: str) -> None:
    model = MultiTaskModel(served.model.config, tiny.sizes(VOCABULARIES), policy)
    for own, other in zip(model.variables, served.model.variables, strict=True):
        own.assign(other.numpy())
    write_saved_model(model, served.home, tmp_path / "saved_model")
    requests = example_requests(model, served.home, 3)
    report = validate(tmp_path / "saved_model", requests)
    assert report.reasons == []
    assert differences(model, served.home, requests, report.outputs) == []
    assert report.outputs["rank_rows"]["mood_classes"].shape == (3, 3)


def test_a_directory_of_other_classes_is_refused(served: Served, tmp_path: Path) -> None:
    fewer = {**VOCABULARIES, "label.mood": MOODS[:2]}
    tiny.write_transformed(tmp_path / "transformed", served.model.config, fewer)
    tfmtl.save_model(served.model, tmp_path / "model", tmp_path / "transformed")
    with pytest.raises(ValueError, match=r"'label\.mood' should have the 3 values"):
        write_saved_model(served.model, tmp_path / "model", tmp_path / "saved_model")
