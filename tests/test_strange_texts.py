"""Empty texts, a megabyte, emoji and mixed scripts, read by every encoder of texts: in the log and
the items of a run, in requests, in bulk inference, and in newer data that the model is tuned on."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("tensorflow_text", reason='needs the extra: pip install "tfmtl[text]"')

import serving
import tfmtl
from pipelines.cli import app
from tests.tiny_encoder import tiny_checkpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STRANGE = [
    "",
    "🦄👩‍👩‍👧",
    "red 鞋 кот كتاب 🦄 hat",
    "red " * 262_144,
    "‮hat﻿ ½ Größe\u0301",
]
PLAIN = ["red shoes", "blue hat", "green shoe", "one hat"]
PRETRAINED = {"kind": "pretrained", "checkpoint": "encoder"}
ENCODERS: dict[str, dict[str, Any]] = {
    "mean": {"min_count": 1},
    "letters": {"tokens": "characters", "hash_buckets": 50},
    "cnn": {"min_count": 1, "encoder": {"kind": "cnn", "filters": 4, "width": 2}},
    "transformer": {"min_count": 1, "encoder": {"kind": "transformer", "blocks": 1}},
    "frozen": {"encoder": PRETRAINED},
    "lora": {"encoder": {**PRETRAINED, "tuning": "lora", "lora": {"rank": 2}}},
}
TASKS = ("click", "cart")


def configuration() -> dict[str, Any]:
    def texts(column: str) -> list[dict[str, Any]]:
        shape = {"kind": "text", "dim": 4, "length": 6}
        return [
            {"name": f"{column}_{name}", "column": column, **shape, **own}
            for name, own in ENCODERS.items()
        ]

    return {
        "name": "strange",
        "source": {
            "impressions": {"path": "log.csv", "time": "time", "user": "user", "item": "item"},
            "items": {"path": "items.parquet", "key": "item", "title": "title"},
        },
        "features": {
            "item": [
                {"name": "item_id", "column": "item", "kind": "id", "dim": 4},
                *texts("title"),
            ],
            "query": texts("query"),
        },
        "tasks": {
            "retrieve": {"kind": "retrieval", "positive": "click"},
            **{task: {"kind": "binary", "label": task} for task in TASKS},
        },
        "model": {
            "trunk": {"kind": "shared_bottom", "units": [8]},
            "tower": [4],
            "retrieval": {"kind": "mlp", "dim": 4, "units": [4]},
        },
        "training": {"epochs": 1, "batch_size": 64},
        "split": {"by": "time", "validation": "60s", "test": "60s"},
        "gate": [{"task": "click", "metric": "auc", "at_least": 0.0}],
        "serving": {"signatures": ["rank"]},
    }


def write_shop(directory: Path, items: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    titles = [*STRANGE, *(PLAIN[i % 4] for i in range(items - len(STRANGE)))]
    keys = [f"i{i}" for i in range(items)]
    directory.mkdir()
    pq.write_table(pa.table({"item": keys, "title": titles}), directory / "items.parquet")
    with (directory / "log.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "query", "time", *TASKS])
        for row in range(300):
            query = STRANGE[row // 50] if row % 50 == 0 and row < 250 else PLAIN[row % 4]
            labels = random.integers(0, 2, len(TASKS))
            writer.writerow([f"u{row % 9}", keys[row % items], query, 1_700_000_000 + row, *labels])


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run, `run`, its data and its configuration."""
    directory = tmp_path_factory.mktemp("strange")
    write_shop(directory / "data", items=12, seed=0)
    tiny_checkpoint(directory / "data" / "encoder", width=8, layers=1)
    (directory / "config.yaml").write_text(yaml.safe_dump(configuration()))
    data, output = directory / "data", directory / "run"
    run("run", directory / "config.yaml", "--data", data, "--output", output)
    return directory


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[serving.Client]:
    with (
        serving.EmbeddedServer({"strange": home / "run" / "serving" / "strange"}) as server,
        serving.Client(server.address, model="strange") as client,
    ):
        yield client


def rows() -> dict[str, np.ndarray]:
    """Every strange text as a title and as a query."""
    texts = np.array([*STRANGE, *STRANGE[::-1]], object)
    return {
        "item": np.array(["new"] * len(texts), object),
        "title": texts,
        "query": np.roll(texts, 1),
    }


def ranked(client: serving.Client) -> dict[str, np.ndarray]:
    return client.predict("rank_rows", rows())


def test_the_log_and_the_items_are_read_whole(home: Path) -> None:
    summary = json.loads(
        (home / "run" / "artifacts" / "examples" / "summary.json").read_text(encoding="utf-8")
    )
    assert summary["rejected"] == {}
    assert (home / "run" / "report.html").stat().st_size < 4_000_000


def test_requests_have_finite_answers_that_depend_on_the_text(client: serving.Client) -> None:
    answer = ranked(client)
    for task in TASKS:
        assert ((answer[task] > 0) & (answer[task] < 1)).all()
        assert len(np.unique(answer[task])) > len(STRANGE)


def test_items_of_the_catalogue_are_ranked_as_their_titles(client: serving.Client) -> None:
    keys = np.array([[f"i{i}" for i in range(len(STRANGE))]], object)
    asked = {"query": np.array(["red hat"], object), "item": keys}
    held = client.predict("rank", asked)
    given = client.predict("rank", {**asked, "title": np.array([STRANGE], object)})
    for task in TASKS:
        np.testing.assert_allclose(held[task], given[task], atol=1e-5)


def test_bulk_inference_gives_what_requests_get(
    home: Path, client: serving.Client, tmp_path: Path
) -> None:
    pq.write_table(pa.table(rows()), tmp_path / "rows.parquet")
    output = tmp_path / "scores"
    run("infer", home / "run", "--data", tmp_path / "rows.parquet", "--output", output)
    found = pq.read_table(output / "scores").to_pydict()
    answer = ranked(client)
    for task in TASKS:
        np.testing.assert_allclose(found[task], answer[task].reshape(-1), atol=1e-5)


def test_tuning_goes_on_with_new_texts_and_items(home: Path, tmp_path: Path) -> None:
    """The encoder's checkpoint is gone: the model has all that is needed."""
    write_shop(tmp_path / "newer", items=15, seed=1)
    output = tmp_path / "tuned"
    words = ["finetune", home / "run", "--config", home / "config.yaml", "--epochs", 1]
    said = run(*words, "--data", tmp_path / "newer", "--output", output)
    assert "started anew" not in said
    serving_home = home / "run" / "serving" / "strange"
    before, after = (
        tfmtl.load_model(serving_home / version / "assets.extra" / "keras_model")
        for version in ("1", "2")
    )
    (old,), (new,) = (model.encoding.texts.encoders.values() for model in (before, after))
    moved = {
        one.path.rpartition("pretrained_0/")[2]
        for one, other in zip(new.variables, old.variables, strict=True)
        if np.any(np.array(one) != np.array(other))
    }
    assert moved <= {"block_0/query/kernel", "block_0/value/kernel"}
    with (
        serving.EmbeddedServer({"strange": serving_home}) as server,
        serving.Client(server.address, model="strange") as client,
    ):
        keys = np.array([["i14", "nobody"]], object)
        answer = client.predict("rank", {"query": np.array(["кот"], object), "item": keys})
    assert np.isfinite(answer["click"]).all()
