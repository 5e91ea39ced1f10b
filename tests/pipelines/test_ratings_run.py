"""A run of SVD++: ratings off the scale, the model served, and the unseen items of users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import tfmtl
from pipelines.cli import app

ITEMS = 30


def write_ratings(directory: Path) -> dict[str, set[str]]:
    """Ratings of 30 users, who like either even or odd items; one has a single rating.

    Returns:
        Which items each user rated.
    """
    random = np.random.default_rng(0)
    lines, rated = ["user,item,rating"], {}
    for user in range(30):
        items = random.choice(ITEMS, 1 if user == 0 else 12, replace=False)
        rated[f"u{user}"] = {f"i{item}" for item in items}
        likes = [4 + int(random.random() < 0.5) if (i + user) % 2 else 1 for i in items]
        lines += [f"u{user},i{i},{r}" for i, r in zip(items, likes, strict=True)]
    lines.append("u1,i1,7")  # off the scale
    (directory / "ratings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (directory / "users.csv").write_text("user\nu0\nu1\nu2\nnobody\n", encoding="utf-8")
    return rated


@pytest.mark.slow
@pytest.mark.e2e
def test_unseen_items_by_brute_force(tmp_path: Path) -> None:
    rated = write_ratings(tmp_path)
    output, answers = tmp_path / "run", tmp_path / "answers"
    words = ["run", "ratings_implicit", "--data", str(tmp_path), "--output", str(output)]
    changes = [
        "training.batch_size=64",
        "gate.0.at_most=9",
        "serving.signatures=[retrieve, recommend]",
    ]
    for change in changes:
        words += ["--set", change]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    letters = pq.read_table(output / "artifacts" / "examples" / "dead_letters").to_pylist()
    assert [(row["column"], "range" in row["reason"]) for row in letters] == [("rating", True)]

    asked = ["infer", str(output), "--data", str(tmp_path / "users.csv"), "--exclude-seen"]
    result = CliRunner().invoke(app, [*asked, "--output", str(answers), "--top-k", "50"])
    assert result.exit_code == 0, result.output
    found = pq.read_table(answers / "top_k").to_pylist()

    model = tfmtl.load_model(output / "model")
    preprocessor = tfmtl.load_preprocessor(output / "model")
    catalogue = pq.read_table(output / "model" / "catalogue.parquet")
    keys = np.array(catalogue["key"].to_pylist())
    assert [row["user"] for row in found] == ["u0", "u1", "u2", "nobody"]
    for row in found:
        users = preprocessor.feature("user")(tf.constant([row["user"]] * len(keys)))
        items = preprocessor.feature("item")(tf.constant(keys))
        scores = model({"user": users, "item": items})["best"].numpy()
        unseen = ~np.isin(keys, list(rated.get(row["user"], ())))
        assert set(row["items"]) == set(keys[unseen])
        places = pc.index_in(pa.array(row["items"]), pa.array(keys)).to_numpy()
        np.testing.assert_allclose(row["scores"], scores[places], rtol=1e-5)
        assert np.all(np.diff(scores[places]) <= 1e-6)
    best = next(row for row in found if row["user"] == "u2")["items"][:3]
    assert all(int(item[1:]) % 2 for item in best)

    served = tf.saved_model.load(str(output / "serving" / "ratings_implicit" / "1"))
    answer = served.signatures["retrieve"](
        user=tf.constant(["u2", "nobody"]), k=tf.constant([ITEMS, ITEMS])
    )
    for number, user in enumerate(["u2", "nobody"]):
        users = preprocessor.feature("user")(tf.constant([user] * len(keys)))
        items = preprocessor.feature("item")(tf.constant(keys))
        scores = model({"user": users, "item": items})["best"].numpy()
        expected = dict(zip(keys, scores, strict=True))
        got = [key.decode() for key in answer["item_id"][number].numpy()]
        np.testing.assert_allclose(
            answer["score"][number], [expected[key] for key in got], rtol=1e-5
        )
        assert set(got) == set(keys)
