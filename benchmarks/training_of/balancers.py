"""What the balancers cost: a step of MMoE with three tasks under each of them."""

from pathlib import Path
from typing import Any, get_args

from benchmarks.figures import Bar, Row
from benchmarks.training_of import workload
from benchmarks.training_of.peers.tfmtl_mmoe import build, configure
from benchmarks.training_of.steps import TASKS, batch, seconds, training_step
from tfmtl.balancing import GradientBalancer
from tfmtl.config.balancers import Balancer

OPTIONS: dict[str, dict[str, Any]] = {
    "priority": {
        "maximise": "purchase",
        "subject_to": [{"task": "click", "metric": "auc", "at_least": 0.7}],
    }
}
"""What a balancer cannot do without."""


def measured(work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
    """Times all balancers there are in turns."""
    union = get_args(Balancer)[0]
    kinds = [get_args(spec.model_fields["kind"].annotation)[0] for spec in get_args(union)]
    data = batch(tasks=len(TASKS))
    training = {"batch_size": workload.BATCH, "optimizer": {"tables": {"kind": "lazy_adam"}}}
    steps, gradient = {}, set()
    for kind in kinds:
        balancer = {"kind": kind, **OPTIONS.get(kind, {})}
        model = build(configure(TASKS, training, balancer))
        steps[kind] = training_step(model, data)
        if isinstance(model.balancer, GradientBalancer):
            gradient.add(kind)
    took = seconds(steps, rounds=7 if quick else 51)
    rows = [Row(f"step, balancer {kind}", 1e3 * took[kind], "ms") for kind in kinds]
    bars = [
        Bar(
            f"step of {kind} over static",
            1.6 if kind in gradient else 1.05,
            took[kind] / took["static"],
            at_most=True,
        )
        for kind in kinds
        if kind != "static"
    ]
    return rows, bars
