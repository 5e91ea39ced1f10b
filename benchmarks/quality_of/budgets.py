"""Half of a training's budget, divided evenly and by gain, on the simulated shop.

The whole budget is an epoch of steps with all tasks and all rows; two runs get half of it. One
takes every task and row in every step until it is spent; the other chooses tasks and rows by what
they gain for what they cost, purchases being worth three times as much as others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Bar
from benchmarks.quality_of.experiments import Metrics, Table, changed, measure, transform
from benchmarks.quality_of.shop import CONFIG, TASKS
from pipelines.simulator import simulate
from tfmtl.config import parse
from tfmtl.training.trainer import steps_of

SIZE = {"impressions": 300_000, "users": 400, "items": 1_000, "seed": 11}
EPOCHS = 1
PRIORITIES = {"purchase": 3.0}


def measured(data: Path, work: Path, seeds: Sequence[int]) -> tuple[Table, list[Bar]]:
    """The whole budget, half of it evenly, half of it by gain."""
    logs = work / "logs"
    if not (logs / "truth.parquet").exists():
        simulate(logs, **SIZE)
    transformed = transform(CONFIG, logs, work / "run")
    steps = steps_of(parse(changed(CONFIG, {"training.epochs": EPOCHS})), transformed)
    table = Table("The simulated shop under a budget: AUC, and recall@100 of what is retrieved")
    budgets: dict[str, dict[str, Any]] = {
        "the whole budget": {"steps": steps, "division": "even"},
        "half, even": {"steps": steps / 2, "division": "even"},
        "half, by gain": {"steps": steps / 2},
        "half, by gain, purchases first": {"steps": steps / 2, "priorities": PRIORITIES},
    }
    for name, budget in budgets.items():
        changes = {"training.budget": budget, "training.epochs": 100}
        table.add(name, measure(changed(CONFIG, changes), transformed, seeds, _pick))
    table.baselines = table.means["half, even"]
    return table, []


def _pick(found: Mapping[str, Any]) -> Metrics:
    metrics = {f"{task} auc": found[task]["overall"]["auc"] for task in TASKS}
    return metrics | {"retrieve recall@100": found["retrieve"]["overall"]["recall@100"]}
