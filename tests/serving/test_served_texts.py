"""Texts that an encoder of the model reads, served: encoded in the graph, items' beforehand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
import tuned

pytest.importorskip("tensorflow_text", reason='needs the extra: pip install "tfmtl[text]"')

import serving
import tfmtl
from serving.validation.examples import example_requests
from serving.validation.infra import validate
from tfmtl.models.adapters import adapt
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor
from tfmtl.training.start_at_checkpoints import start_at_checkpoints

pytestmark = pytest.mark.slow

SIGNATURES = ["rank_rows", "rank", "retrieve", "embed_item"]


@dataclass
class Served:
    model: MultiTaskModel
    preprocessor: Preprocessor
    home: Path
    version: Path
    client: serving.Client


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("tuned")
    config = tuned.make_config(
        {"tuning": "lora", "lora": {"rank": 2}}, **{"serving.signatures": SIGNATURES}
    )
    transformed = tuned.write_transformed(directory, config)
    keras.utils.set_random_seed(1)
    preprocessor = Preprocessor(config, transformed)
    model = MultiTaskModel(config, preprocessor.vocabulary_sizes, "float32", preprocessor.encoders)
    start_at_checkpoints(model, transformed)
    adapt(model)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    expected = _of_items(model, preprocessor)
    # Saving and exporting take the adapters in.
    tfmtl.save_model(model, directory / "model", transformed)
    serving.export(model, directory / "tiny", home=directory / "model")
    np.testing.assert_allclose(_of_items(model, preprocessor), expected, atol=1e-5)
    with (
        serving.EmbeddedServer({"tiny": directory / "tiny"}) as server,
        serving.Client(server.address, model="tiny") as client,
    ):
        home = directory / "model"
        yield Served(model, preprocessor, home, directory / "tiny" / "1", client)


def _of_items(model: MultiTaskModel, preprocessor: Preprocessor) -> np.ndarray:
    raw = {name: np.array(values) for name, values in tiny.ITEMS.items()}
    made = {
        feature.name: preprocessor.feature(feature.name)(tiny._tensor(raw[feature.raw]))
        for feature in model.config.features.item
    }
    return model.item_vectors(made).numpy()


def test_rows_of_texts_are_encoded_in_the_graph(served: Served) -> None:
    raw = tiny.raw_rows(6, seed=5)
    raw["query"] = np.array(
        ["red shoe", "", "👟 ½ Größe", "跑鞋 red", "x" * 1_000_000, "hat"], object
    )
    raw["position"] = np.full(6, "1", object)
    asked = {name: values for name, values in raw.items() if name not in ("position", "row")}
    answer = served.client.predict("rank_rows", asked)
    expected = served.model.rank(tiny.encode(served.preprocessor, raw))
    for task in ("click", "cart", "stars"):
        np.testing.assert_allclose(answer[task], expected[task], atol=1e-5)


def test_candidates_are_joined_as_vectors(served: Served) -> None:
    """A candidate of the catalogue is ranked as it is with its title given."""
    items = np.array([["i1", "i3", "i6", "i5"]], object)
    user = {"user_id": ["ann"], "query": ["red shoe"], "scenario": ["search"]}
    held = served.client.predict("rank", {**user, "item_id": items})
    places = [tiny.ITEMS["item_id"].index(key) for key in items[0]]
    titles = np.array([[tiny.ITEMS["title"][place] for place in places]], object)
    given = served.client.predict("rank", {**user, "item_id": items, "title": titles})
    other = served.client.predict("rank", {**user, "item_id": items, "title": titles[:, ::-1]})
    np.testing.assert_allclose(held["click"], given["click"], atol=1e-5)
    assert np.abs(np.array(held["click"]) - np.array(other["click"])).max() > 1e-3


def test_items_of_the_catalogue_and_new_ones(served: Served) -> None:
    expected = _of_items(served.model, served.preprocessor)
    keys = np.array(tiny.ITEMS["item_id"], object)
    found = served.client.predict("embed_item", {"item_id": keys})
    np.testing.assert_allclose(found["embedding"], expected, atol=1e-5)
    new = {"item_id": np.array(["new"], object), "category": np.array(["shoes"], object)}
    new |= {"price": np.array([9.0]), "title": np.array(["Red shoe"], object)}
    again = {**new, "title": np.array(["blue hat"], object)}
    vectors = [served.client.predict("embed_item", one)["embedding"] for one in (new, again)]
    assert np.abs(np.array(vectors[0]) - np.array(vectors[1])).max() > 1e-3


def test_the_saved_model_passes_validation(served: Served) -> None:
    report = validate(served.version, example_requests(served.model, served.home, 2))
    assert report.reasons == []


def test_an_encoder_lies_in_it_once(served: Served) -> None:
    listed = tf.train.list_variables(str(served.version / "variables" / "variables"))
    words = served.preprocessor.encoders["encoder"]["shape"]["words"]
    assert sum(shape == [words, 16] for _, shape in listed) == 1
    content = (served.version / "saved_model.pb").read_bytes()
    assert not re.search(rb"lora_kernel|PyFunc", content)
