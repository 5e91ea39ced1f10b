"""Data from which no model can be learnt: an empty split, a label that is always the same."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pipelines.preprocess.findings import WHOLE, Finding
from tfmtl.config import (
    ClassTask,
    Config,
    MultiClassTask,
    MultiLabelTask,
    Split,
    Task,
)
from tfmtl.config.durations import seconds
from tfmtl.config.tasks import reads_number
from tfmtl.preprocessing.columns import SPLITS

LabelMeans: TypeAlias = Mapping[str, Mapping[str, float | None]]
"""{scenario: {label column: mean}}, None where the label is always missing."""


def check_learnable(
    config: Config,
    rows: Mapping[str, int],
    label_means: LabelMeans,
    classes: Mapping[str, Mapping[str, Any]],
) -> Iterator[Finding]:
    """Looks for what no model can be learnt from.

    Args:
        config: the configuration.
        rows: rows by split.
        label_means: of the training rows.
        classes: rows by task, split and class, as `class_counts.write_classes` gives them.
    """
    yield from _empty_splits(config.split, rows)
    yield from _labels(config, label_means)
    for name, task in config.class_tasks.items():
        yield from _classes(name, task, label_means, classes.get(name, {}))


def _empty_splits(split: Split, rows: Mapping[str, int]) -> Iterator[Finding]:
    for name in SPLITS[1:]:
        asked = getattr(split, name)
        if split.by == "column":
            wanted, change = bool(asked), "name other values"
        elif split.by == "time":
            wanted, change = seconds(asked) > 0, "make it longer"
        else:
            wanted, change = float(asked) > 0, "make it larger"
        if wanted and not rows[name]:
            text = (
                f"split.{name}: no row falls into the {name} split of {asked}; {change} or use "
                f"more data"
            )
            yield _fatal(WHOLE, "Empty split", text)


def _fatal(column: str, short: str, text: str) -> Finding:
    return Finding(
        column, None, "NO_DATA_IN_SPAN" if not column else "CUSTOM_VALIDATION", short, text
    )


def _warning(column: str, short: str, text: str) -> Finding:
    return Finding(column, "classes", "CUSTOM_VALIDATION", short, text)


def _labels(config: Config, label_means: LabelMeans) -> Iterator[Finding]:
    for name, task in config.ranking_tasks.items():
        if isinstance(task, MultiClassTask | MultiLabelTask):
            continue
        known = _known_means(task, task.label, label_means)
        binary = not reads_number(task)
        where = _where(task)
        problem = None
        if not known:
            problem = f"is missing in all {where}"
        elif binary and max(known) == 0:
            problem = f"is 0 in all {where}: there are no positives"
        elif binary and min(known) == 1:
            problem = f"is 1 in all {where}: there are no negatives"
        if problem:
            text = (
                f"tasks.{name}: label '{task.label}' {problem}; leave the task out, correct the "
                f"label or use more data"
            )
            yield _fatal(task.label, "Label without contrast", text)
    if config.retrieval_task:
        name, retrieval = config.retrieval_task
        if not retrieval.positive:
            return
        if not any(mean > 0 for mean in _known_means(retrieval, retrieval.positive, label_means)):
            text = (
                f"tasks.{name}.positive: '{retrieval.positive}' is never 1 in the "
                f"{_where(retrieval)}; leave the task out or use more data"
            )
            yield _fatal(retrieval.positive, "No positives", text)


def _classes(
    name: str, task: ClassTask, label_means: LabelMeans, counted: Mapping[str, Any]
) -> Iterator[Finding]:
    where = _where(task)
    if isinstance(task, MultiLabelTask) and task.labels is not None:
        shares = {c: _known_means(task, c, label_means) for c in task.labels}
        column, dull = task.labels[0], [c for c, own in shares.items() if _is_constant(own)]
        text, all_dull = "is always the same in", len(dull) == len(shares)
    else:
        column = str(task.label)
        rows = counted["counts"][SPLITS[0]]
        dull = [c for c, count in rows.items() if not count]
        needed = 1 if isinstance(task, MultiLabelTask) else 2
        text, all_dull = "is in none of", len(rows) - len(dull) < needed
    if all_dull:
        text = (
            f"tasks.{name}: '{column}' has too few classes in the {where} to tell them apart; "
            f"leave the task out, correct the labels or use more data"
        )
        yield _fatal(column, "Label without contrast", text)
    elif dull:
        more = f" (and so are {len(dull) - 1} more)" if len(dull) > 1 else ""
        text = f"tasks.{name}: class '{dull[0]}' {text} the {where}{more}"
        yield _warning(column, "Class without rows", text)
    for split, count in counted.get("outside", {}).items():
        if count:
            text = (
                f"tasks.{name}: {count:,} labels of the {split} rows name none of its "
                f"{len(counted['counts'][split])} classes and do not count"
            )
            yield _warning(column, "Labels outside the classes", text)


def _is_constant(means: list[float]) -> bool:
    return not means or max(means) == 0 or min(means) == 1


def _known_means(task: Task, label: str, label_means: LabelMeans) -> list[float]:
    """The label's means in the scenarios that have the task and know the label."""
    chosen = task.scenarios if task.scenarios is not None else list(label_means)
    means = (label_means[scenario][label] for scenario in chosen)
    return [mean for mean in means if mean is not None]


def _where(task: Task) -> str:
    scenarios = f" of {', '.join(task.scenarios)}" if task.scenarios else ""
    return f"training rows{scenarios}"
