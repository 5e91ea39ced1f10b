"""From the Keras model to a SavedModel: the same answers, in a process that knows no Python op."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny
from tensorflow.core.protobuf import saved_model_pb2

import serving
import tfmtl
from serving.exporting import write_saved_model
from serving.validation.examples import example_requests
from serving.validation.infra import InfraReport, validate
from serving.validation.parity import differences
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.preprocessor import Preprocessor

ROWS = 7
USERS = [*tiny.VOCABULARIES["user_id"], *(f"u{n}" for n in range(30_000))]
RANKING = {"rank_rows", "rank", "classify", "regress", "predict_examples"}
RETRIEVAL = {"retrieve", "embed_user", "embed_item"}
ALWAYS = {"recommend", "serving_default"}  # the items are few enough to be ranked all
QUERY = ["user_id", "age", "query", "click_history_item_id", "click_history_category"]


@dataclass
class Exported:
    model: MultiTaskModel
    home: Path
    saved_model: Path
    raw: dict[str, np.ndarray]
    report: InfraReport

    @property
    def inputs(self) -> dict[str, tf.Tensor]:
        """Model inputs of the raw rows, as serving should make them."""
        raw = {**self.raw, "position": np.array(["1"] * ROWS, object)}
        made = tiny.encode(Preprocessor(self.model.config, self.home), raw)
        return {name: tf.constant(values) for name, values in made.items()}


def request(raw: dict[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
    return {n: v.astype("f") if v.dtype.kind == "f" else v for n, v in raw.items() if n in names}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    directory = tmp_path_factory.mktemp("export")
    vocabularies = {**tiny.VOCABULARIES, "user_id": USERS}
    transformed = tiny.write_transformed(directory / "transformed", None, vocabularies)
    config = tiny.make_config({"serving.signatures": ["retrieve"]})
    model = MultiTaskModel(config, tiny.sizes(vocabularies))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.3)
    home = directory / "model"
    tfmtl.save_model(model, home, transformed)
    write_saved_model(model, home, directory / "saved_model")
    raw = tiny.raw_rows(ROWS, seed=5)
    raw["user_id"][0], raw["item_id"][1], raw["category"][1] = "nobody", "i99", "boats"
    rank = [n for n in raw if n not in ("position", "row")]
    examples = {
        "rank_rows": request(raw, rank),
        "serving_default": request(raw, rank),
        "retrieve": {**request(raw, QUERY), "k": np.full(ROWS, 3, np.int32)},
    }
    report = validate(directory / "saved_model", examples)
    return Exported(model, home, directory / "saved_model", raw, report)


def test_it_is_fit_to_serve(exported: Exported) -> None:
    assert exported.report.reasons == []
    assert set(exported.report.outputs) == {"rank_rows", "serving_default", "retrieve"}


def test_ranking_answers_as_the_model_in_memory(exported: Exported) -> None:
    expected = exported.model.rank(exported.inputs)
    found = exported.report.outputs["rank_rows"]
    assert set(found) == {"click", "cart", "stars"}
    for task, values in found.items():
        np.testing.assert_allclose(values, expected[task], rtol=1e-5, err_msg=task)
        np.testing.assert_array_equal(values, exported.report.outputs["serving_default"][task])
    assert np.ptp(found["click"]) > 1e-3


def vectors(exported: Exported) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the queries and of the catalogue."""
    catalogue = pq.read_table(exported.home / "catalogue.parquet")
    items = {
        "item_id": np.array(catalogue["item_id"].to_pylist(), np.int32),
        "category": np.array(catalogue["category"].to_pylist(), np.int32),
        "price": np.array(catalogue["price"].to_pylist(), np.float32),
        "title_words": np.array(catalogue["title_words"].to_pylist(), np.int32),
    }
    queries = exported.model.query_vectors(exported.inputs).numpy()
    return queries, exported.model.item_vectors(items).numpy()


def test_retrieval_is_the_top_k_of_the_vectors(exported: Exported) -> None:
    queries, items = vectors(exported)
    scores = queries @ items.T
    best = np.argsort(-scores, axis=1)[:, :3]
    found = exported.report.outputs["retrieve"]
    names = np.array([name.encode() for name in tiny.ITEMS["item_id"]], object)
    assert found["item_id"].tolist() == names[best].tolist()
    np.testing.assert_allclose(found["score"], np.take_along_axis(scores, best, 1), rtol=1e-4)


def retrieve(exported: Exported, k: list[int], **changes: object) -> dict[str, np.ndarray]:
    function = tf.saved_model.load(str(exported.saved_model)).signatures["retrieve"]
    raw = {**request(exported.raw, QUERY), **changes}
    tensors = {n: tf.constant(v.tolist(), tf.string) for n, v in raw.items()}
    found = function(**tensors, k=tf.constant(k, tf.int32))
    return {name: tensor.numpy() for name, tensor in found.items()}


@pytest.mark.parametrize(("k", "given"), [([100] * ROWS, 6), ([2, 5, 1, 1, 1, 1, 1], 5), ([0], 1)])
def test_how_many_items(exported: Exported, k: list[int], given: int) -> None:
    found = retrieve(exported, k)
    assert found["item_id"].shape == found["score"].shape == (ROWS, given)
    assert np.all(np.diff(found["score"], axis=1) <= 0)


def test_a_request_of_unknowns_is_answered(exported: Exported) -> None:
    unknown = {name: np.array(["", "?"], object) for name in ("user_id", "age", "query")}
    histories = np.array([["?", "i1", "?", "?", "?"], [""] * 5], object)
    found = retrieve(
        exported,
        [6],
        **unknown,
        click_history_item_id=histories,
        click_history_category=histories[:, :1],
    )
    assert np.isfinite(found["score"]).all()
    for row in found["item_id"]:
        assert sorted(row) == [b"i1", b"i2", b"i3", b"i4", b"i5", b"i6"]


def test_every_variable_is_stored_once(exported: Exported) -> None:
    (data,) = (exported.saved_model / "variables").glob("variables.data-*")
    weights = sum(variable.numpy().nbytes for variable in exported.model.variables)
    items = 6 * 4 * 4 + 7 * (1 + 1 + 1 + 3) * 4  # vectors; inputs, those of a missing item too
    assert weights > 400_000
    assert weights + items <= data.stat().st_size < 1.05 * (weights + items) + 20_000
    saved_model = (exported.saved_model / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(saved_model).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    constants = [n.attr["value"].tensor.ByteSize() for n in nodes if n.op == "Const"]
    large = [size for size in constants if size > 2_000]
    assert 50_000 < sum(large) < 200_000  # what Unicode's normal form needs, stored once


def test_the_vocabularies_are_assets(exported: Exported) -> None:
    names = {file.name for file in (exported.saved_model / "assets").iterdir()}
    assert names == {*(f"{name}.txt" for name in tiny.VOCABULARIES), "catalogue.keys.txt"}


def test_a_version_holds_its_keras_model(exported: Exported) -> None:
    kept = exported.saved_model / "assets.extra" / "keras_model"
    loaded = tfmtl.load_model(kept)
    for expected, found in zip(exported.model.variables, loaded.variables, strict=True):
        assert np.array_equal(expected.numpy(), found.numpy()), expected.path


@pytest.mark.slow
def test_export_pushes_the_next_version(exported: Exported, tmp_path: Path) -> None:
    base = tmp_path / "serving" / "tiny"
    assert serving.export(exported.model, base, home=exported.home) == 1
    loaded = tfmtl.load_model(exported.home)
    loaded.ranking.heads["stars"].output_layer.bias.assign([100.0])
    assert serving.export(loaded, base) == 2
    assert sorted(path.name for path in base.iterdir()) == ["1", "2"]
    assert [path.name for path in base.parent.iterdir()] == ["tiny"]
    names = [n for n in exported.raw if n not in ("position", "row")]
    raw = request(exported.raw, names)
    stars = []
    for version in ("1", "2"):
        rank = tf.saved_model.load(str(base / version)).signatures["rank_rows"]
        stars.append(rank(**{n: tf.constant(v.tolist()) for n, v in raw.items()})["stars"].numpy())
    np.testing.assert_allclose(stars[0], exported.report.outputs["rank_rows"]["stars"], rtol=1e-5)
    assert stars[1].tolist() == [5.0] * ROWS


def test_export_needs_to_know_the_home(exported: Exported, tmp_path: Path) -> None:
    homeless = tiny.make_model()
    with pytest.raises(ValueError, match="expected home=DIRECTORY"):
        serving.export(homeless, tmp_path / "tiny")


@pytest.mark.parametrize(
    ("tasks", "signatures"),
    [
        (["retrieve"], RETRIEVAL),
        (["click"], RANKING),
    ],
)
def test_signatures_follow_the_tasks(
    exported: Exported, tmp_path: Path, tasks: list[str], signatures: set[str]
) -> None:
    config = tiny.make_config({"tasks": {name: tiny.RAW["tasks"][name] for name in tasks}})
    model = MultiTaskModel(config, exported.model.vocabulary_sizes)
    tfmtl.save_model(model, tmp_path / "model", exported.home)
    write_saved_model(model, tmp_path / "model", tmp_path / "saved_model")
    assert set(tf.saved_model.load(str(tmp_path / "saved_model")).signatures) == signatures | ALWAYS


def test_a_home_without_a_network(exported: Exported, tmp_path: Path) -> None:
    tfmtl.save_model(exported.model, tmp_path / "model", exported.home)
    (tmp_path / "model" / "model.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected a saved model with model\.keras"):
        write_saved_model(exported.model, tmp_path / "model", tmp_path / "saved_model")


@pytest.mark.slow
def test_a_served_model_that_answers_otherwise_is_found(exported: Exported) -> None:
    requests = example_requests(exported.model, exported.home, 4)
    report = validate(exported.saved_model, requests)
    found = differences(exported.model, exported.home, requests, report.outputs)
    assert found == []
    assert "u0" not in requests["rank_rows"]["user_id"].tolist()
    assert requests["rank_rows"]["user_id"].tolist()[3] == b""
    for signature, output in (("rank_rows", "click"), ("retrieve", "score")):
        wrong = {name: dict(outputs) for name, outputs in report.outputs.items()}
        wrong[signature][output] = wrong[signature][output] + 0.001
        (reason,) = differences(exported.model, exported.home, requests, wrong)
        assert reason.startswith(f"{signature}: {output} is ")


def test_vocabularies_of_another_model_are_refused(exported: Exported, tmp_path: Path) -> None:
    other = tiny.write_transformed(tmp_path / "other", None, tiny.VOCABULARIES)
    with pytest.raises(ValueError, match="vocabulary 'user_id' should have the 300"):
        serving.export(exported.model, tmp_path / "served", home=other_home(other, tmp_path))


def other_home(transformed: Path, tmp_path: Path) -> Path:
    """A model's directory of smaller vocabularies."""
    model = MultiTaskModel(tiny.make_config(), tiny.sizes(tiny.VOCABULARIES))
    tfmtl.save_model(model, tmp_path / "home", transformed)
    return tmp_path / "home"
