"""Metrics that early stopping and the gate may name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfmtl.config.evaluation import (
    HISTORY,
    MADE_SLICES,
    NEITHER_IS_BETTER,
    NEW_USER,
    OVERALL_ALONE,
    WITHOUT_INTERVAL,
)
from tfmtl.config.tasks import BinaryTask

if TYPE_CHECKING:
    from tfmtl.config.config import Config
    from tfmtl.config.evaluation import Rule


def objectives_of(config: "Config", task: str) -> list[str]:
    """The metrics of a task of which more, or less, is better."""
    users = config.source.log.user is not None
    metrics = config.evaluation.metrics_of(
        config.tasks[task].kind, users, decided=_decided(config, task)
    )
    return [name for name in metrics if name not in NEITHER_IS_BETTER]


def check_early_stopping(config: "Config") -> None:
    stopping = config.training.early_stopping
    if stopping is None:
        return
    by_time = config.split.by == "time"
    if not (config.split.validation_seconds if by_time else config.split.validation):
        raise ValueError(
            "training.early_stopping watches validation rows; there are none, set split.validation"
        )
    if stopping.metric == "loss" and stopping.task in (None, *config.tasks):
        return
    if stopping.task not in config.tasks:
        raise ValueError(
            f"training.early_stopping.task: metric '{stopping.metric}' needs a task, got "
            f"{stopping.task!r}; choose among {list(config.tasks)}"
        )
    metrics = ["loss", *objectives_of(config, stopping.task)]
    if stopping.metric not in metrics:
        raise ValueError(
            f"training.early_stopping.metric: task '{stopping.task}' has no objective "
            f"'{stopping.metric}'; choose among {', '.join(metrics)}"
        )


def check_gate(config: "Config") -> None:
    if config.scenario and config.scenario.column in MADE_SLICES:
        raise ValueError(
            f"scenario.column: '{config.scenario.column}' is a slice that evaluation makes itself; "
            "rename the column"
        )
    slices = slice_columns(config)
    for index, rule in enumerate(config.gate):
        key = f"gate[{index}]"
        if rule.task not in config.tasks:
            raise ValueError(
                f"{key}.task: there is no task '{rule.task}'; choose among {list(config.tasks)}"
            )
        metrics = _metrics_of(config, rule.task)
        if rule.metric not in metrics:
            raise ValueError(
                f"{key}.metric: task '{rule.task}' has no metric '{rule.metric}'; "
                f"choose among {', '.join(metrics)}"
            )
        if rule.confidence is not None and rule.metric in WITHOUT_INTERVAL:
            raise ValueError(
                f"{key}.confidence: '{rule.metric}' has no interval; leave the confidence out"
            )
        if rule.not_worse_by is not None and rule.metric in NEITHER_IS_BETTER:
            raise ValueError(
                f"{key}.not_worse_by: neither higher nor lower '{rule.metric}' is better; set "
                "at_least and at_most"
            )
        _check_slices(rule, key, slices)


def slice_columns(config: "Config") -> dict[str, tuple[str, ...] | None]:
    """Columns by whose values evaluation breaks metrics down, and the values, None where the data
    say which there are: those declared, the scenario's, and those that evaluation makes."""
    found: dict[str, tuple[str, ...] | None] = dict.fromkeys(config.evaluation.slices)
    if config.scenario:
        found[config.scenario.column] = tuple(config.scenario.values)
    made = dict(MADE_SLICES)
    if config.source.log.user is None:
        del made[NEW_USER]
    if not config.features.history:
        del made[HISTORY]
    return found | made


def _check_slices(rule: "Rule", key: str, slices: Mapping[str, tuple[str, ...] | None]) -> None:
    name, value = "slices", None
    column = rule.slices
    if rule.slice is not None:
        name, ((column, value),) = "slice", rule.slice.items()
    if column is None:
        return
    if column not in slices:
        raise ValueError(
            f"{key}.{name}: there are no slices by '{column}'; choose among {list(slices)}, or add "
            "it to evaluation.slices"
        )
    if rule.metric.partition("@")[0] in OVERALL_ALONE:
        raise ValueError(f"{key}.{name}: '{rule.metric}' is of all rows together; leave {name} out")
    values = slices[column]
    if value is not None and values is not None and value not in values:
        raise ValueError(
            f"{key}.slice.{column}: there is no value '{value}'; choose among {list(values)}"
        )


def _metrics_of(config: "Config", task: str) -> list[str]:
    users = config.source.log.user is not None
    queries = config.query_group is not None
    kind, decided = config.tasks[task].kind, _decided(config, task)
    return config.evaluation.metrics_of(kind, users, queries, decided)


def _decided(config: "Config", task: str) -> bool:
    """Whether a task is binary and has a threshold."""
    spec = config.tasks[task]
    return isinstance(spec, BinaryTask) and spec.threshold is not None
