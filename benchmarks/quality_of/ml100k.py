"""MovieLens 100K: retrieval and rating in one model, by balancer, beside two models of one task.

The configuration and its split are those of `tfmtl run ml100k`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import (
    Metrics,
    Table,
    changed,
    measure,
    only,
    transform,
)
from pipelines.commands.common import SHIPPED

BALANCERS: dict[str, dict[str, Any]] = {
    "static": {},
    "uncertainty": {},
    "dwa": {},
    "rlw": {},
    "famo": {},
    "gradnorm": {},
    "mgda": {},
    "pcgrad": {},
    "gradvac": {},
    "cagrad": {},
    "imtl_g": {},
    "nash_mtl": {},
    # The bound is what ratings alone reach in training; the rate is a fifth of the task's weight.
    "priority": {
        "maximise": "retrieve",
        "subject_to": [{"task": "rating", "metric": "loss", "at_most": 0.84}],
        "learning_rate": 0.01,
    },
}
WITHIN = 0.01


def _pick(found: Mapping[str, Any]) -> Metrics:
    metrics = {"retrieve": "recall@100", "rating": "rmse"}
    return {f"{t} {m}": found[t]["overall"][m] for t, m in metrics.items() if t in found}


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """Every balancer beside the two models of one task."""
    config = yaml.safe_load((SHIPPED / "ml100k.yaml").read_text(encoding="utf-8"))
    transformed = transform(config, data / "ml-100k", work / "run")
    table = Table("MovieLens 100K, top-100 accuracy and RMSE on 20 % of the ratings")
    single = [measure(only(config, task), transformed, seeds, _pick) for task in config["tasks"]]
    table.add("a model a task", [{**one, **other} for one, other in zip(*single, strict=True)])
    table.baselines = table.means["a model a task"]
    bars = []
    for kind, options in BALANCERS.items():
        balancer = {"model.balancer": {"kind": kind, **options}}
        table.add(kind, measure(changed(config, balancer), transformed, seeds, _pick))
        found, alone = table.means[kind], table.baselines
        recall = found["retrieve recall@100"] - alone["retrieve recall@100"]
        rmse = found["rating rmse"] - alone["rating rmse"]
        bars.append(Bar(f"ml100k {kind} recall@100 against alone", -WITHIN, recall))
        bars.append(Bar(f"ml100k {kind} rmse against alone", WITHIN, rmse, at_most=True))
    return table, bars
