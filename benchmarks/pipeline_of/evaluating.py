"""Evaluates made-up predictions, in a process of its own: WAY ROWS, where WAY is

streaming: batch by batch, with intervals;
compared: the same for two models, with the differences;
plain: the exact metrics of whole arrays, and again of 200 draws of users, for each slice.

Prints the seconds it took, those to make up rows not counted.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tfmtl.evaluation import (
    Binary,
    Evaluation,
    auc,
    calibration,
    differences,
    ece,
    gauc,
    log_loss,
    normalized_entropy,
    pr_auc,
)

TASKS = ("click", "cart", "purchase")
SLICES = {"scenario": 3, "new_user": 2, "new_item": 2, "history": 5, "category": 8}
"""Columns and how many values they have."""

_BATCH = 8192
_ROWS_A_USER = 20
_DRAWS = 200


class Rows(NamedTuple):
    """Some rows: labels, and predictions of two models, by task; users; slices."""

    labels: dict[str, np.ndarray]
    model: dict[str, np.ndarray]
    baseline: dict[str, np.ndarray]
    users: np.ndarray
    slices: dict[str, np.ndarray]


def made_up(count: int) -> Iterator[Rows]:
    """Rows in batches: clicks, of which some lead to a cart, of which some to a purchase."""
    random = np.random.default_rng(0)
    values = {c: np.array([f"{c} {i}" for i in range(n)]) for c, n in SLICES.items()}
    for start in range(0, count, _BATCH):
        rows = min(_BATCH, count - start)
        users = random.integers(0, count // _ROWS_A_USER, rows)
        sight = random.normal(size=rows) + 0.2 * (users % 7)
        happened = random.random(rows) < 1 / (1 + np.exp(2.5 - sight))
        labels, model, baseline = {}, {}, {}
        for step, task in enumerate(TASKS):
            labels[task] = happened.astype(np.float32)
            happened = happened & (random.random(rows) < 0.3)
            for scores, scale in ((model, 0.8), (baseline, 0.6)):
                noise = 0.2 * random.normal(size=rows)
                chance = 0.3**step / (1 + np.exp(2.4 - scale * sight - noise))
                scores[task] = chance.astype(np.float32)
        slices = {c: own[random.integers(0, len(own), rows)] for c, own in values.items()}
        yield Rows(labels, model, baseline, users, slices)


def streamed(count: int, compared: bool) -> float:
    """Seconds to evaluate batches as they come."""
    models = ("model", "baseline") if compared else ("model",)
    evaluations = {
        name: Evaluation({task: Binary() for task in TASKS}, list(SLICES)) for name in models
    }
    seconds = 0.0
    for rows in made_up(count):
        start = time.perf_counter()
        for name, evaluation in evaluations.items():
            predictions = getattr(rows, name)
            evaluation.update(rows.labels, predictions, users=rows.users, slices=rows.slices)
        seconds += time.perf_counter() - start
    start = time.perf_counter()
    results = [evaluation.result() for evaluation in evaluations.values()]
    for result in results:
        json.dumps(result.tasks, allow_nan=False)
    if compared:
        json.dumps(differences(*results), allow_nan=False)
    return seconds + time.perf_counter() - start


def plain(count: int) -> float:
    """Seconds to evaluate whole arrays and draws of users, which are copies of their rows."""
    batches = list(made_up(count))
    users = np.concatenate([rows.users for rows in batches])
    slices = {c: np.concatenate([rows.slices[c] for rows in batches]) for c in SLICES}
    start = time.perf_counter()
    random = np.random.default_rng(0)
    by_user = np.argsort(users, kind="stable")
    pieces = np.split(by_user, np.flatnonzero(np.diff(users[by_user])) + 1)
    draws = [np.arange(count)]
    for _ in range(_DRAWS):
        chosen = random.integers(0, len(pieces), len(pieces))
        draws.append(np.concatenate([pieces[place] for place in chosen]))
    for task in TASKS:
        labels = np.concatenate([rows.labels[task] for rows in batches])
        scores = np.concatenate([rows.model[task] for rows in batches])
        for rows in draws:
            _measure(labels[rows], scores[rows], users[rows])
            for column in SLICES:
                values = slices[column][rows]
                for value in np.unique(slices[column]):
                    own = rows[values == value]
                    _measure(labels[own], scores[own], users[own])
    return time.perf_counter() - start


def _measure(labels: np.ndarray, scores: np.ndarray, users: np.ndarray) -> None:
    for metric in (auc, pr_auc, log_loss, normalized_entropy, ece, calibration):
        metric(labels, scores)
    gauc(labels, scores, users)


if __name__ == "__main__":
    way, rows = sys.argv[1], int(sys.argv[2])
    taken = plain(rows) if way == "plain" else streamed(rows, compared=way == "compared")
    print(json.dumps({"seconds": taken}))
