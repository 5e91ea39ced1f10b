"""A log in which everything follows from what was before: learnt, pushed, and asked for."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KINDS = ("view", "cart", "buy")
ITEMS = 12
CONFIG = """
name: chain
source:
  events:
    path: events.csv
    time: time
    user: user
    item: item
    event: what
    labels: {view: [view], cart: [cart], buy: [buy]}
    next: {gap: wait}
features:
  item: [{name: item_id, column: item, kind: id, dim: 16}]
  context: [{name: place, kind: categorical, dim: 4}]
  history:
    - name: acts
      of: [item_id]
      where: [view, cart, buy]
      last: 4
      gaps: true
      context: [place]
      encoder: gru
tasks:
  what: {kind: multi_class, label: what}
  item: {kind: retrieval}
  how_long: {kind: regression, label: wait}
model:
  retrieval: {dim: 16, units: [32]}
training:
  epochs: 12
  batch_size: 128
  optimizer: {tables: {learning_rate: 0.1}, dense: {learning_rate: 0.01}}
split: {by: time, validation: 1d, test: 1d}
evaluation: {top_k: [1, 3]}
gate:
  - {task: what, metric: macro_auc, at_least: 0.95}
  - {task: item, metric: recall@3, at_least: 0.5}
  - {task: how_long, metric: mae, at_most: 0.7}
serving: {signatures: [retrieve]}
"""


def write_log(directory: Path) -> None:
    """View, cart, buy, view, ... of an item and the one after it in a circle; at home events
    follow within a minute, on the bus within hours."""
    draw = np.random.default_rng(0)
    lines = ["user,item,what,place,time"]
    for user in range(100):
        time, place = 1_700_000_000 + draw.integers(86_400), draw.choice(["home", "bus"])
        first = int(draw.integers(ITEMS * len(KINDS)))
        for step in range(first, first + 20):
            lines.append(f"u{user},i{step % ITEMS},{KINDS[step % 3]},{place},{time}")
            time += 60 if place == "home" else int(draw.integers(10_000, 20_000))
            place = draw.choice(["home", "bus"])
    directory.mkdir()
    (directory / "events.csv").write_text("\n".join(lines) + "\n")


def tfmtl(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).with_name("tfmtl")), *map(str, arguments)]


def test_what_comes_next_is_learnt_and_served(tmp_path: Path) -> None:
    write_log(tmp_path / "data")
    (tmp_path / "chain.yaml").write_text(CONFIG)
    output = tmp_path / "run"
    command = tfmtl("run", tmp_path / "chain.yaml", "--data", tmp_path / "data", "--output", output)
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads((output / "evaluation.json").read_text())
    assert found["blessed"]

    server = tfmtl("serve", output, "--backend", "embedded", "--port", "0")
    process = subprocess.Popen(server, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        ready = re.fullmatch(r"ready (\S+)\n", process.stdout.readline())
        assert ready
        with serving.Client(ready[1], model="chain") as client:
            past = {
                "acts_item_id": [["i4", "i3"], ["i4", "i3"]],
                "acts_behaviour": [["cart", "view"]] * 2,
                "acts_gaps": [[0, 60], [0, 60]],
                "acts_place": [["home", "home"], ["bus", "home"]],
            }
            answer = client.predict("rank_rows", past)
            items = client.predict("retrieve", {**past, "k": 3})["item_id"]
    finally:
        process.terminate()
        assert process.wait(20) == 0
    likeliest = answer["what_classes"][0][answer["what"].argmax(axis=1)]
    assert likeliest.tolist() == [b"buy", b"buy"]
    assert all(b"i5" in row for row in items)
    at_home, on_the_bus = np.expm1(answer["how_long"])
    assert 20 < at_home < 180
    assert 5_000 < on_the_bus < 40_000
