"""Tasks that fit one another, the scenarios and the log."""

from typing import TYPE_CHECKING

from tfmtl.config.ids import HashedFeature, Vocabular
from tfmtl.config.source import Events
from tfmtl.config.tasks import (
    TUNED,
    BinaryTask,
    MultiClassTask,
    MultiLabelTask,
    RegressionTask,
    RetrievalTask,
    reads_number,
)
from tfmtl.config.texts import TextFeature
from tfmtl.config.windows import ROWS
from tfmtl.served_names import classes_output, conditional_output, thresholds_output

if TYPE_CHECKING:
    from tfmtl.config.config import Config


def check_tasks(config: "Config") -> None:
    retrieval = [n for n, t in config.tasks.items() if isinstance(t, RetrievalTask)]
    if len(retrieval) > 1:
        raise ValueError(f"tasks: only one retrieval task is possible, got {retrieval}")
    known = config.scenario.values if config.scenario else []
    for name, task in config.tasks.items():
        for value in task.scenarios or []:
            if value not in known:
                raise ValueError(
                    f"tasks.{name}.scenarios: '{value}' is not in scenario.values {known}"
                )
    _check_funnel(config)
    _check_groups(config)
    _check_classes(config)
    _check_thresholds(config)
    _check_positives(config)
    if isinstance(config.source.log, Events):
        _check_made(config, config.source.log)


def _check_made(config: "Config", events: Events) -> None:
    """Whether the log of events makes the labels."""
    for column, task in config.label_columns.items():
        known = list(events.labels)
        if events.next and isinstance(task, RegressionTask):
            known.append(events.next.gap)
        if column not in known:
            raise ValueError(
                f"label '{column}' is not made by source.events.labels, which makes {known}"
            )
    for name, of_classes in config.class_tasks.items():
        if of_classes.label is None:
            continue
        if events.next is None:
            raise ValueError(
                f"tasks.{name}: the rows of source.events have no classes; only with "
                f"source.events.next has each a kind of its own"
            )
        if of_classes.label != events.event or not isinstance(of_classes, MultiClassTask):
            raise ValueError(
                f"tasks.{name}.label: the class of an event is its kind, of which it has one; "
                f"choose kind: multi_class and label: {events.event}, got {of_classes.label}"
            )
        unknown = set(events.kinds).difference(of_classes.values or events.kinds)
        if unknown:
            raise ValueError(
                f"tasks.{name}.values: source.events.labels names '{min(unknown)}' too; add it"
            )


def _check_funnel(config: "Config") -> None:
    binary = {n: t for n, t in config.tasks.items() if isinstance(t, BinaryTask)}
    after = {name: task.after for name, task in binary.items() if task.after is not None}
    if config.model.funnel and not after:
        raise ValueError(
            "model.funnel: no task comes after another; give a binary task's 'after', or leave "
            "the funnel out"
        )
    for name, before in after.items():
        key = f"tasks.{name}.after"
        if before not in binary or before == name:
            others = [other for other in binary if other != name]
            raise ValueError(f"{key}: '{before}' is no other binary task; choose among {others}")
        walked, step = [name], before
        while step in after and step not in walked:
            walked.append(step)
            step = after[step]
        if step in walked:
            raise ValueError(f"{key}: tasks come after one another in a circle: {walked}")
        first, own = binary[before].scenarios, binary[name].scenarios
        if first is not None and not set(own or [""]) <= set(first):
            raise ValueError(
                f"{key}: task '{before}' exists in scenarios {first} only; "
                f"'{name}' cannot exist in others, got {own or 'all'}"
            )
        if conditional_output(name, before) in config.tasks:
            raise ValueError(
                f"tasks.{conditional_output(name, before)}: a served model names the "
                f"probability of '{name}' after '{before}' so; rename one of them"
            )
    for name in {*after, *after.values()}:
        if binary[name].loss.kind != "cross_entropy":
            raise ValueError(
                f"tasks.{name}.loss: tasks of a funnel are learnt by cross_entropy, "
                f"got {binary[name].loss.kind}"
            )


def _check_groups(config: "Config") -> None:
    if config.evaluation.query:
        _check_kept(config, "evaluation.query", config.evaluation.query)
    for name, task in config.tasks.items():
        if not isinstance(task, BinaryTask | RegressionTask) or not task.ranking_loss:
            continue
        key, group = f"tasks.{name}.ranking_loss.group", task.ranking_loss.group
        _check_kept(config, key, group)
        if group != config.ranking_group:
            raise ValueError(
                f"{key}: rows can be put together in one way only, and another task has "
                f"{config.ranking_group}; got {group}"
            )


def _check_kept(config: "Config", key: str, group: list[str]) -> None:
    """Whether the columns that tell which rows belong together are kept in examples."""
    single = Vocabular | HashedFeature | TextFeature
    known = [f.raw for f in config.features if isinstance(f, single)]
    known += [c for c in (config.source.log.user, config.source.log.time) if c]
    for column in group:
        if column not in known:
            raise ValueError(
                f"{key}: '{column}' is not kept in examples; choose among "
                f"{', '.join(dict.fromkeys(known))}"
            )


def _check_thresholds(config: "Config") -> None:
    """There are rows to tune thresholds on, and no other output is named as they are."""
    for name, task in config.tasks.items():
        if not isinstance(task, BinaryTask | MultiLabelTask) or task.threshold != TUNED:
            continue
        by_time = config.split.by == "time"
        if not (config.split.validation_seconds if by_time else config.split.validation):
            raise ValueError(
                f"tasks.{name}.threshold: it is tuned on validation rows; there are none, set "
                "split.validation or give a number"
            )
        if thresholds_output(name) in config.tasks:
            raise ValueError(
                f"tasks.{thresholds_output(name)}: a served model names the thresholds of task "
                f"'{name}' so; rename one of them"
            )


def _check_classes(config: "Config") -> None:
    """A column of labels means one thing, and so does an output of the served model."""
    regressions = {t.label for t in config.tasks.values() if isinstance(t, RegressionTask)}
    readers: dict[str, str] = {}
    for name, task in config.class_tasks.items():
        if classes_output(name) in config.tasks:
            raise ValueError(
                f"tasks.{classes_output(name)}: a served model names the classes of task "
                f"'{name}' so; rename one of them"
            )
        if task.label is not None and readers.setdefault(task.label, name) != name:
            raise ValueError(
                f"tasks.{name}.label: '{task.label}' is the label of task "
                f"'{readers[task.label]}' already; name another column"
            )
        if task.label in config.label_columns:
            raise ValueError(
                f"tasks.{name}.label: '{task.label}' is read as a number elsewhere; name a "
                "column of classes"
            )
        columns = task.labels or [] if isinstance(task, MultiLabelTask) else []
        for column in regressions.intersection(columns):
            raise ValueError(
                f"tasks.{name}.labels: '{column}' is a regression task's label; name columns "
                "of 0 and 1"
            )


def _check_positives(config: "Config") -> None:
    """A positive is a label of 1, which only a label of 0 and 1 can mean."""
    positives = {
        f"features.history[{i}].where": h.where for i, h in enumerate(config.features.history)
    }
    positives |= {
        f"features.windows[{i}].of": [w.of]
        for i, w in enumerate(config.features.windows)
        if w.of != ROWS
    }
    for name, task in config.tasks.items():
        if isinstance(task, RetrievalTask) and task.positive:
            positives[f"tasks.{name}.positive"] = [task.positive]
    for key, labels in positives.items():
        wrong = [n for n in labels if reads_number(config.label_columns[n])]
        if wrong:
            raise ValueError(
                f"{key}: '{wrong[0]}' is a regression task's label; name a label of 0 and 1"
            )
    numbers = {
        task.label
        for task in config.ranking_tasks.values()
        if isinstance(task, BinaryTask | RegressionTask) and reads_number(task)
    }
    for name, task in config.tasks.items():
        if isinstance(task, BinaryTask) and task.positive_from is None and task.label in numbers:
            raise ValueError(
                f"tasks.{name}.label: '{task.label}' is a number elsewhere; say by positive_from "
                "from which one on it is positive"
            )
