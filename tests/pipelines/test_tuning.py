"""Tuning: what is kept of the model that is tuned, and when its steps are skipped."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from data_components import COMPONENTS, ROWS, run_components, shop_config, write_shop

from pipelines.components import statistics_gen, trainer
from pipelines.components.base import Context, PipelineError
from pipelines.finetuning.finetune import _with, transform
from pipelines.finetuning.forgetting import Base
from pipelines.finetuning.growing import grow_vocabularies
from pipelines.finetuning.tuning import keep_analysis, keep_items, tuning
from pipelines.pipeline import components
from pipelines.preprocess.encoding import Encoder
from pipelines.preprocess.examples import Examples
from tests.tiny_encoder import tiny_checkpoint
from tfmtl.config import dump, parse
from tfmtl.preprocessing.tables import (
    Moments,
    read_moments,
    read_vocabulary,
    write_vocabulary,
)

# i2 and i3 are gone from the log, i3 and i5 from the items; i6 and i9 are new.
NEWER = (
    *(row for row in ROWS if ",i2," not in row and ",i3," not in row),
    "u1,i6,feed,,phone,41,1,1",
    "u2,i1,feed,,phone,42,0,0",
)
NEWER_ITEMS = {
    "item": ["i9", "i1"],
    "brand": ["zed", "acme"],
    "price": [7.0, 1.0],
    "name": ["Nine", "One"],
}


def make_base(directory: Path, ran) -> Path:
    """What of a model's directory the data components read."""
    shutil.copytree(ran.directory / "artifacts" / "transformed", directory)
    (directory / "config.yaml").write_text(dump(ran.config))
    return directory


def keep_items_of(ran, summary, base):
    artifacts = ran.directory / "artifacts"
    examples = Examples(ran.config, artifacts / "examples")
    return keep_items(summary, examples, artifacts / "statistics", artifacts / "transformed", base)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The first model's data: its base directory, and what ran."""
    home = tmp_path_factory.mktemp("first")
    write_shop(home / "data")
    ran = run_components(shop_config(), home / "data", home)
    return make_base(home / "base", ran), ran


@pytest.fixture(scope="module")
def newer(tmp_path_factory, first):
    """The newer data, transformed for the first model."""
    base, _ = first
    home = tmp_path_factory.mktemp("newer")
    write_shop(home / "data", NEWER, NEWER_ITEMS)
    ran = run_components(shop_config(), home / "data", home, count=2)
    artifacts = ran.directory / "artifacts"
    summary = keep_analysis(
        ran.summaries["StatisticsGen"], ran.config, artifacts / "statistics", base
    )
    ran.summaries["StatisticsGen"] = summary
    (artifacts / "transformed").mkdir()
    directory = ran.directory
    context = Context(ran.config, directory, directory, directory, lambda *args: None)
    made = COMPONENTS[4].execute(context, artifacts, artifacts / "transformed")
    own = ran.rows("transformed/catalogue.parquet")
    ran.summaries["Transform"] = keep_items_of(ran, made, base)
    return ran, own


def test_every_item_of_the_base_survives_with_its_inputs(first, newer):
    ran, own = newer
    before = first[1].rows("transformed/catalogue.parquet")
    after = ran.rows("transformed/catalogue.parquet")
    assert after[: len(own)] == own, "meta/item is a row's number, so the new items come first"
    assert [row["key"] for row in own] == ["i9", "i1", "i4", "i6"]
    assert [row["key"] for row in after[len(own) :]] == ["i2", "i3", "i5"]
    by_key = {row["key"]: row for row in before}
    for row in after[len(own) :]:
        np.testing.assert_equal(row, by_key[row["key"]])


def test_the_summary_counts_the_kept_items(newer):
    ran, _ = newer
    summary = ran.summaries["Transform"]
    assert (summary["items"], summary["kept_items"]) == (7, 3)
    assert summary["headline"].endswith("7 items, 3 of them not in the data")
    path = ran.directory / "artifacts" / "transformed" / "summary.json"
    assert json.loads(path.read_text()) == summary


def test_the_summary_states_the_kept_vocabularies(first, newer):
    base, before = first
    kept = newer[0].summaries["StatisticsGen"]
    assert kept["vocabularies"] == before.summaries["StatisticsGen"]["vocabularies"]
    assert kept["headline"].endswith("values, those of the model that is tuned")
    for path in (base / "vocabularies").iterdir():
        statistics = newer[0].directory / "artifacts" / "statistics"
        assert (statistics / "vocabularies" / path.name).read_text() == path.read_text()


def test_grown_vocabularies_go_on_from_the_base(first, newer, tmp_path):
    """The newer log has item i9 besides; what it lacks keeps its place."""
    base, ran = first[0], newer[0]
    home = tmp_path / "run"
    write_shop(home / "data", NEWER, NEWER_ITEMS)
    again = run_components(shop_config(), home / "data", home, count=2)
    statistics = again.directory / "artifacts" / "statistics"
    summary = keep_analysis(
        again.summaries["StatisticsGen"], ran.config, statistics, base, grow=True
    )
    before, after = (read_vocabulary(path, "item_id") for path in (base, statistics))
    assert after[: len(before)] == before
    added = set(after[len(before) :])
    assert summary["added_values"].get("item_id", 0) == len(added)
    assert added.isdisjoint(before)
    assert summary["vocabularies"]["item_id"] == len(after)


def test_a_vocabulary_grows_to_its_largest_size_by_the_most_frequent_new_values(tmp_path):
    raw = shop_config().model_dump(mode="json", exclude_unset=True)
    raw["features"]["user"][0]["max_size"] = 4
    config = parse(raw)
    base, statistics = tmp_path / "base", tmp_path / "statistics"
    write_vocabulary(base, "user_id", ["ann", "bob"])
    write_vocabulary(statistics, "user_id", ["eve", "bob", "dan", "cem"])
    assert grow_vocabularies(config, statistics, base) == {"user_id": 2}
    assert read_vocabulary(statistics, "user_id") == ["ann", "bob", "eve", "dan"]


@pytest.mark.parametrize(
    ("change", "kept"),
    [({}, True), ({"scale": "log"}, False), ({"column": "cost"}, False)],
)
def test_moments_are_kept_where_they_mean_the_same(first, tmp_path, change, kept):
    base, _ = first
    features = shop_config().model_dump(mode="json", exclude_unset=True)
    features["features"]["item"][2] |= change
    config = parse(features)
    output = tmp_path / "statistics"
    shutil.copytree(base / "vocabularies", output / "vocabularies")
    (output / "moments.json").write_text('{"price": {"mean": 123.0, "deviation": 4.0}}')
    keep_analysis({"vocabularies": {}, "classes": {}}, config, output, base)
    own = Moments(123.0, 4.0)
    assert read_moments(output) == {"price": read_moments(base)["price"] if kept else own}


def test_a_raw_column_that_the_base_lacks_is_named(first, newer, tmp_path):
    base, ran = tmp_path / "base", newer[0]
    shutil.copytree(first[0], base)
    items = pq.read_table(base / "catalogue.parquet").drop_columns("raw/brand")
    pq.write_table(items, base / "catalogue.parquet")
    with pytest.raises(PipelineError, match=r"features\.item: .* lack 'brand'; train a model anew"):
        keep_items_of(ran, ran.summaries["Transform"], base)


def test_steps_depend_on_what_the_base_holds_and_not_on_its_place(first, tmp_path):
    base, ran = first
    components = (statistics_gen.StatisticsGen, trainer.Trainer)
    copy = tmp_path / "copy"
    shutil.copytree(base, copy)

    def read(directory, grow=False):
        tuned = tuning(components, Base(directory, tmp_path / "run", 1), grow)
        return [part.reads(ran.config) for part in tuned]

    first_reads = read(base)
    assert read(copy) == first_reads
    grown = read(base, grow=True)
    assert grown[0] != first_reads[0]
    assert grown[1] == first_reads[1], "the trainer goes by the vocabularies that it is given"
    (copy / "moments.json").write_text("{}")
    changed = read(copy)
    assert changed[0] != first_reads[0]
    assert changed[1] != first_reads[1]


def test_transform_takes_config_and_vocabularies_of_the_newest_version(first, tmp_path):
    base, _ = first
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "config.yaml").write_text(dump(shop_config(seed=1)))
    home = out / "serving" / "tiny" / "3" / "assets.extra" / "keras_model"
    shutil.copytree(base, home)
    data = tmp_path / "data"
    write_shop(data, NEWER, NEWER_ITEMS)
    changes = ["split={by: time, validation: 15s, test: 5s}"]
    result, model = transform(out, data, tmp_path / "examples", changes)
    assert model == home
    made = result.steps["Transform"]
    assert made.summary["kept_items"] == 3
    vocabulary = made.artifact / "vocabularies" / "item_id.txt"
    assert vocabulary.read_text() == (base / "vocabularies" / "item_id.txt").read_text()
    assert list(result.steps)[-1] == "Transform"
    boundaries = result.steps["ExampleGen"].summary["split"]
    assert (boundaries["validation_from"], boundaries["test_from"]) == (71, 86)


def test_further_training_learns_from_labels_alone():
    config = shop_config(distillation={"teachers": [{"run": "larger"}]})
    names = [[step.name for step in components(own)] for own in (config, _with(config, 2, [], 0.5))]
    assert "Distiller" in names[0]
    assert "Trainer" not in names[0]
    assert names[1] == [step.name for step in components(shop_config())]
    tuned = _with(config, 2, ["trunk"], 0.5).training
    assert (tuned.epochs, tuned.freeze) == (2, ["trunk"])
    assert tuned.optimizer.dense.learning_rate == 0.5


def test_vectors_of_kept_items_are_those_of_the_base(tmp_path, monkeypatch):
    """A catalogue of a million texts is not encoded again because a newer log lacks its items."""
    pytest.importorskip("tensorflow_text", reason='needs the extra: pip install "tfmtl[text]"')
    data = tmp_path / "data"
    write_shop(data)
    tiny_checkpoint(data / "tiny", width=8, layers=1)
    features = shop_config().model_dump(mode="json")["features"]
    encoder = {"kind": "pretrained", "checkpoint": "tiny"}
    title = {"name": "title", "column": "name", "kind": "text", "length": 8, "dim": 4}
    features["item"].append({**title, "encoder": encoder})
    first = run_components(shop_config(features=features), data, tmp_path / "first")
    base = make_base(tmp_path / "base", first)
    write_shop(data, NEWER, NEWER_ITEMS)
    newer = run_components(first.config, data, tmp_path / "newer")
    known = {row["key"]: row["title"] for row in first.rows("transformed/catalogue.parquet")}
    encoded = []
    of_columns = Encoder.of_columns
    monkeypatch.setattr(
        Encoder, "of_columns", lambda self, *a: encoded.append(a[0]) or of_columns(self, *a)
    )
    keep_items_of(newer, newer.summaries["Transform"], base)
    after = {row["key"]: row["title"] for row in newer.rows("transformed/catalogue.parquet")}
    assert all(after[key] == known[key] for key in ("i2", "i3", "i5"))
    assert "title" not in encoded
    assert "brand" in encoded


def test_transform_without_a_pushed_model_says_so(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.yaml").write_text(dump(shop_config()))
    with pytest.raises(PipelineError, match="expected a pushed model to start from"):
        transform(tmp_path, tmp_path, tmp_path / "examples")
