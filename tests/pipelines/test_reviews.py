"""Clicks, ratings and the sentiment of reviews in one model, and the quality of items served."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from pipelines.cli import app

GOOD, BAD = ["splendid", "lovely", "sturdy"], ["broken", "useless", "ugly"]
FILLING = ["the", "a", "box", "colour", "came", "with", "and", "very", "my", "it"]
CHEAP = ["training.epochs=8", "training.batch_size=128", "serving.signatures=[rank, recommend]"]


def write_log(path: Path, rows: int = 3000) -> None:
    """Reviews whose words tell their rating; items differ in how good they are, and in clicks."""
    random = np.random.default_rng(0)
    goodness = random.uniform(0.1, 0.9, 20)
    lines = ["user,item,scenario,text,click,rating"]
    for _ in range(rows):
        user, item = random.integers(0, 40), random.integers(0, 20)
        if random.random() < 0.5:
            click = int(random.random() < (0.1 if item % 2 else 0.6))
            lines.append(f"u{user},i{item},feed,,{click},")
            continue
        words = [*random.choice(FILLING, 4)]
        praise = random.binomial(4, goodness[item])
        words += [*random.choice(GOOD, praise), *random.choice(BAD, 4 - praise)]
        lines.append(f"u{user},i{item},review,{' '.join(random.permutation(words))},,{praise + 1}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.e2e
def test_reviews_beside_clicks(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv")
    output = tmp_path / "run"
    words = ["run", "reviews", "--data", str(tmp_path), "--output", str(output)]
    for change in CHEAP:
        words += ["--set", change]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    found = json.loads((output / "evaluation.json").read_text())["tasks"]
    assert found["sentiment"]["overall"]["auc"] > 0.95
    assert found["rating"]["overall"]["rmse"] < 0.7
    assert found["click"]["overall"]["auc"] > 0.7
    assert found["click"]["overall"]["rows"] + found["rating"]["overall"]["rows"] == sum(
        pq.read_metadata(file).num_rows
        for file in (output / "artifacts" / "transformed" / "test").glob("*.parquet")
    )

    model = tf.saved_model.load(str(output / "serving" / "reviews" / "1"))
    recommend = model.signatures["recommend"]
    asked = {"user": ["u1"], "scenario": ["feed"], "text": [""], "exclude": [[""]], "only": [[""]]}
    asked |= {"k": [20], "min_quality": [2.5], "max_quality": [float("nan")]}
    answer = recommend(**{name: tf.constant(value) for name, value in asked.items()})
    count = int(answer["count"][0])
    quality, low = answer["quality"][0, :count].numpy(), answer["quality_low"][0, :count].numpy()
    high = answer["quality_high"][0, :count].numpy()
    assert 0 < count < 20
    assert np.all(quality >= 2.5)
    assert np.all((low < quality) & (quality < high))
    score = answer["click"][0, :count].numpy() * low
    np.testing.assert_allclose(answer["score"][0, :count], score, rtol=1e-5)
    catalogue = pq.read_table(output / "model" / "catalogue.parquet")
    known = dict(
        zip(catalogue["key"].to_pylist(), catalogue["raw/quality"].to_pylist(), strict=True)
    )
    items = [key.decode() for key in answer["item_id"][0, :count].numpy()]
    np.testing.assert_allclose(quality, [known[item] for item in items])
