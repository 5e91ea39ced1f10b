"""Whole runs on published data, with the figures they must reach, and one answered request each."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serving

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TFMTL_DATA", ROOT.parent / "shared" / "data"))

pytestmark = [pytest.mark.realdata, pytest.mark.e2e, pytest.mark.slow]


def tfmtl(*arguments: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("tfmtl")), *map(str, arguments)]


def run(config: str, data: str, output: Path, *more: str) -> dict[str, Any]:
    """Runs a shipped configuration to a pushed model; its metrics by task."""
    if not (DATA / data).is_dir():
        pytest.skip(f"there is no {data} in {DATA}; set TFMTL_DATA")
    command = tfmtl("run", config, "--data", DATA / data, "--output", output, *more)
    done = subprocess.run(command, capture_output=True, text=True, cwd=output.parent, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    tasks = json.loads((output / "evaluation.json").read_text())["tasks"]
    return {task: figures["overall"] for task, figures in tasks.items()}


@contextmanager
def served(output: Path, name: str) -> Iterator[serving.Client]:
    """A client of the run's model, behind the embedded server in a process of its own."""
    command = tfmtl("serve", output, "--backend", "embedded", "--port", "0")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        ready = re.fullmatch(r"ready (\S+)\n", process.stdout.readline())
        assert ready
        with serving.Client(ready[1], model=name) as client:
            yield client
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_movielens_as_in_the_tutorial(tmp_path: Path) -> None:
    # Published for these settings: top-100 accuracy .235, RMSE 1.110.
    found = run("ml100k_tutorial", "ml-100k", tmp_path / "run")
    assert found["retrieve"]["recall@100"] >= 0.225
    assert found["rating"]["rmse"] <= 1.12


def test_movielens(tmp_path: Path) -> None:
    found = run("ml100k", "ml-100k", tmp_path / "run")
    assert found["retrieve"]["recall@100"] >= 0.37
    assert found["rating"]["rmse"] <= 0.945
    assert found["retrieve"]["recall@100_unseen"] >= 0.58
    with served(tmp_path / "run", "ml100k") as client:
        movies = client.predict("retrieve", {"user_id": ["196"], "k": 10})["item_id"]
        ratings = client.predict("rank_rows", {"user_id": "196", "movie_id": movies[0]})["rating"]
    assert len(set(movies[0])) == 10
    assert np.all((ratings >= 1) & (ratings <= 5))


def test_retailrocket(tmp_path: Path) -> None:
    # Short: one epoch instead of two.
    found = run("retailrocket", "retailrocket", tmp_path / "run", "--set", "training.epochs=1")
    assert found.keys() == {"retrieve", "view", "cart", "purchase"}
    assert found["retrieve"]["recall@100"] > 3 * 100 / 29_905  # three times chance
    with served(tmp_path / "run", "retailrocket") as client:
        history = [["3", "1", "0"]]
        asked = {"user": ["0"], "view_history_item_id": history, "k": 5}
        items = client.predict("retrieve", asked)["item_id"][0]
        rows = {"user": "0", "view_history_item_id": history * 5, "item": items}
        answer = client.predict("rank_rows", rows)
    assert answer.keys() == {"view", "cart", "purchase"}
    assert all(np.all((p > 0) & (p < 1)) for p in answer.values())


def test_taobao(tmp_path: Path) -> None:
    # Short: three epochs instead of eight, and two signatures.
    short = ("--set", "training.epochs=3", "--set", "serving.signatures=[retrieve]")
    found = run("taobao", "taobao-userbehavior", tmp_path / "run", *short)
    assert found["behaviour"]["macro_auc"] >= 0.73
    assert found["wait"]["mae"] <= 2
    assert found["item"]["recall@100"] >= 0.01
    with served(tmp_path / "run", "taobao") as client:
        past = {
            "acts_item_id": [["2331370", "2331370"], ["", ""]],
            "acts_category_id": [["2355072", "2355072"], ["", ""]],
            "acts_behaviour": [["cart", "pv"], ["", ""]],
            "acts_gaps": [[0, 42], [np.nan, np.nan]],
            "acts_when": [[1512200042, 1512200000], [np.nan, np.nan]],
        }
        answer = client.predict("rank_rows", past)
        items = client.predict("retrieve", {**past, "k": 5})["item_id"]
    assert answer["behaviour_classes"][0].tolist() == [b"pv", b"cart", b"fav", b"buy"]
    np.testing.assert_allclose(answer["behaviour"].sum(axis=1), 1, rtol=1e-5)
    assert np.all(answer["wait"] >= 0)
    assert [len(set(row)) for row in items] == [5, 5]


def test_fashion_products(tmp_path: Path) -> None:
    # Short: the first 8,000 of the 44,446 products.
    if not (DATA / "fashion-products").is_dir():
        pytest.skip(f"there is no fashion-products in {DATA}; set TFMTL_DATA")
    (tmp_path / "data").mkdir()
    with (DATA / "fashion-products" / "styles.csv").open(encoding="utf-8") as file:
        rows = list(islice(file, 8001))
    (tmp_path / "data" / "styles.csv").write_text("".join(rows), encoding="utf-8")
    gate = "gate=[{task: masterCategory, metric: macro_f1, at_least: 0.5}]"
    found = run("fashion", str(tmp_path / "data"), tmp_path / "run", "--set", gate)
    for task, least in {"masterCategory": 0.95, "gender": 0.9, "season": 0.6}.items():
        assert found[task]["accuracy"] >= least > found[task]["majority"] + 0.1, task
    assert found["colours"]["micro_f1"] >= 0.5
    with served(tmp_path / "run", "fashion") as client:
        names = ["Turtle Check Men Navy Blue Shirt", "Lakme Women Rose Lipstick"]
        answer = client.predict("rank_rows", {"productDisplayName": names})
    likeliest = {
        task: [
            row[place].decode()
            for row, place in zip(
                answer[f"{task}_classes"], answer[task].argmax(axis=1), strict=True
            )
        ]
        for task in ("masterCategory", "gender", "colours")
    }
    assert likeliest["masterCategory"] == ["Apparel", "Personal Care"]
    assert likeliest["gender"] == ["Men", "Women"]
    assert likeliest["colours"][0] == "Blue"
    predicted = answer["colours"] >= answer["colours_thresholds"]
    assert b"Blue" in answer["colours_classes"][0][predicted[0]]
