"""Interference where it is known: two tasks that fight over one number an item, and a small task
that learns from a big one.

Of an item with qualities a and b, `left` depends on a, `right` on b, and their model knows one
number an item. The best one is between a and b, which are correlated: there each task would move it
the other way.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from pipelines.interference.study import study
from tfmtl.config import parse

ROWS, USERS, ITEMS = 6000, 300, 150
pytestmark = pytest.mark.slow


def chance(score: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return (random.random(len(score)) < 1 / (1 + np.exp(-score))).astype(int)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with the labels `left` and `right`; with `big` and `small`, which depend on one
    quality, `small` known of every thirtieth training row; and with `turned`, which means one thing
    in search and the opposite in the feed."""
    random = np.random.default_rng(5)
    item = random.integers(0, ITEMS, ROWS)
    common, a, b = random.normal(size=(3, ITEMS))[:, item]
    left, right = (chance(4 * (0.8 * own + 0.6 * common), random) for own in (a, b))
    small = chance(2 * a, random).astype(str)
    place = random.choice(["search", "feed"], ROWS)
    split = random.choice(["train", "validation", "test"], ROWS, p=[0.6, 0.1, 0.3])
    small[(split == "train") & (random.random(ROWS) > 1 / 30)] = ""
    columns: dict[str, Any] = {
        "user_id": [f"u{u}" for u in random.integers(0, USERS, ROWS)],
        "item_id": [f"i{i}" for i in item],
        "timestamp": np.arange(ROWS),
        "split": split,
        "left": left,
        "right": right,
        "big": chance(2 * a, random),
        "small": small,
        "place": place,
        "turned": chance(np.where(place == "feed", 4, -4) * a, random),
    }
    home = tmp_path_factory.mktemp("data")
    with (home / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return home


def compare(
    data: Path,
    output: Path,
    tasks: list[str],
    dim: int,
    trunk: dict[str, Any],
    places: bool = False,
) -> dict[str, Any]:
    raw = {
        "name": "constructed",
        "source": {"impressions": {"path": "log.csv"}},
        "features": {"item": [{"name": "item_id", "kind": "id", "dim": dim}]},
        "scenario": {"column": "place", "values": ["search", "feed"]},
        "tasks": {name: {"kind": "binary", "label": name} for name in tasks},
        "model": {"tower": [], "trunk": trunk},
        "training": {
            "epochs": 6,
            "batch_size": 128,
            "precision": "float32",
            "optimizer": {"dense": {"learning_rate": 0.01}},
        },
        "split": {
            "by": "column",
            "column": "split",
            "train": ["train"],
            "validation": ["validation"],
            "test": ["test"],
        },
    }
    return study(parse(raw), data, output, scenarios=places, console=Console(quiet=True))


def test_tasks_that_fight_over_one_number_are_told_to_split(data: Path, tmp_path: Path) -> None:
    trunk = {"kind": "shared_bottom", "units": []}
    found = compare(data, tmp_path, ["left", "right"], 1, trunk)
    for measured in found["tasks"].values():
        change = measured["overall"]
        assert change["alone"] > 0.85, "one number an item is enough for one task"
        assert (change["verdict"], change["metric"]) == ("loss", "auc")
        assert change["difference"] < -0.03
        assert change["high"] < 0
    first, *_, last = found["cosines"]["by_epoch"]
    assert first["pairs"]["left|right"] > 0.05, "what they have in common is learnt first"
    assert last["pairs"]["left|right"] < -0.05
    assert last["tables"]["left|right"] < -0.05
    told = {one["about"]: one for one in found["advice"]}
    assert set(told) == {"left", "right"}
    for task in told:
        assert told[task]["advice"] == "split"
        assert "{kind: ple}" in told[task]["text"]
    assert json.loads((tmp_path / "interference.json").read_text()) == found
    assert "left: auc" in (tmp_path / "interference.html").read_text()


def test_a_small_task_gains_from_a_big_one(data: Path, tmp_path: Path) -> None:
    trunk = {"kind": "mmoe", "experts": 2, "units": [8]}
    found = compare(data, tmp_path, ["big", "small"], 8, trunk)
    change = found["tasks"]["small"]["overall"]
    assert change["verdict"] == "gain"
    assert change["difference"] > 0.05
    for place in ("search", "feed"):
        assert found["tasks"]["small"]["scenarios"][place]["difference"] > 0
    assert found["cosines"]["pairs"]["big|small"] > 0
    told = {one["about"]: one for one in found["advice"]}
    assert told["small"]["advice"] == "keep"
    assert set(found["gates"]["tasks"]) == {"big", "small"}


def test_scenarios_that_mean_opposite_things_are_told_to_split(data: Path, tmp_path: Path) -> None:
    trunk = {"kind": "shared_bottom", "units": []}
    found = compare(data, tmp_path, ["turned"], 1, trunk, places=True)
    assert found["tasks"] == {}, "a model of the only task would be the joint one"
    assert set(found["scenarios"]) == {"search", "feed"}
    for tasks in found["scenarios"].values():
        change = tasks["turned"]
        assert change["alone"] > 0.85
        assert change["verdict"] == "loss"
    told = {one["about"]: one for one in found["advice"]}
    assert set(told) == {"search", "feed"}
    assert "model.scenario_net: {kind: star}" in told["search"]["text"]
