"""The one metric by which two models of a task are compared, and what a worse one loses."""

from collections.abc import Mapping
from typing import Any

from tfmtl.config import Config
from tfmtl.config.evaluation import is_lower_better

_MAIN = {
    "binary": "auc",
    "regression": "rmse",
    "multi_class": "accuracy",
    "multi_label": "micro_f1",
}


def main_metric(config: Config, task: str) -> str:
    """A task's main metric: `auc`, or `recall@K` at the largest K."""
    return _MAIN.get(config.tasks[task].kind, f"recall@{max(config.evaluation.top_k)}")


def main_figure(config: Config, task: str, overall: Mapping[str, Any]) -> float | None:
    """The main metric among what was measured; None where it is undefined."""
    return overall.get(main_metric(config, task))


def loss(metric: str, before: float, after: float) -> float:
    """How much worse a figure is than the one before; of errors the share of that one."""
    if is_lower_better(metric):
        return (after - before) / before if before else after - before
    return before - after
