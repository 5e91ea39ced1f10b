"""Labels of tasks, and which rows are positives of the retrieval task."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.classes import class_flags, class_numbers
from pipelines.preprocess.layout import SAMPLED, label_time
from pipelines.preprocess.sides import Coded
from pipelines.preprocess.splits import Boundaries
from tfmtl.config import BinaryTask, Config, MultiClassTask, MultiLabelTask, RankingTask
from tfmtl.config.durations import seconds


def label_values(rows: pa.RecordBatch, column: str) -> np.ndarray:
    """A label column: float32 `[n]`, NaN where missing."""
    return pc.fill_null(rows.column(column), np.nan).to_numpy(False)


def positive_since(rows: pa.RecordBatch, label: str, time: str) -> np.ndarray:
    """When a label was known to be 1: unix time `[n]`, -1 where it is not 1.

    Args:
        rows: rows of the log.
        label: label column.
        time: column of the rows' own time.
    """
    if label_time(label) in rows.schema.names:
        return pc.fill_null(rows.column(label_time(label)), -1).to_numpy()
    return np.where(label_values(rows, label) == 1, rows.column(time).to_numpy(), -1)


def told_at(rows: pa.RecordBatch, label: str, config: Config) -> np.ndarray:
    """When a row counts for the rate of a label, whatever the label is: its own time, later by the
    label's feedback delay.

    Args:
        rows: rows as they were logged.
        label: label column.
        config: the configuration.

    Returns:
        Unix time `[n]`, -1 where the label is missing or the row sampled.
    """
    assert config.source.log.time is not None, "rates are of rows with times"
    times = rows.column(config.source.log.time).to_numpy() + _delay(label, config)
    return np.where(np.isnan(label_values(rows, label)) | sampled(rows), -1, times)


def as_known(rows: pa.RecordBatch, config: Config, boundaries: Boundaries) -> pa.RecordBatch:
    """Rows whose labels are what training could know when its time ended.

    Of a training row, a label that became 1 later is 0, as it still was. Where a feedback delay is
    declared, a label whose delay had not passed is missing. Validation and test rows keep their
    labels, and `label_time` stays as it is, for histories and windows of later rows.

    Args:
        rows: rows as they were logged, with the columns `label_time`, where there are such.
        config: the configuration.
        boundaries: where the splits part; only those by time have an end of training.
    """
    end, names = boundaries.validation_from, rows.schema.names
    delays = config.source.feedback_delay
    labels = [
        name
        for name in config.label_columns
        if name in names and (name in delays or label_time(name) in names)
    ]
    if end is None or not labels:
        return rows
    times = rows.column(boundaries.time).to_numpy()
    for label in labels:
        column = rows.column(label)
        if label_time(label) in names:
            since = pc.fill_null(rows.column(label_time(label)), -1).to_numpy()
            late = pa.array((times < end) & (since >= end))
            column = pc.if_else(late, pa.scalar(0, column.type), column)
        if label in delays:
            young = pa.array((times < end) & (times + _delay(label, config) >= end))
            column = pc.if_else(young, pa.scalar(None, column.type), column)
        rows = rows.set_column(names.index(label), label, column)
    return rows


def _delay(label: str, config: Config) -> int:
    delay = config.source.feedback_delay.get(label)
    return 0 if delay is None else seconds(delay)


def task_labels(
    rows: pa.RecordBatch, task: RankingTask, config: Config, classes: Sequence[str] = ()
) -> np.ndarray:
    """Labels of a task, NaN where missing and where the scenario does not have the task.

    Args:
        rows: rows of the log.
        task: the task.
        config: the configuration.
        classes: names of the task's classes, if it has some.

    Returns:
        float32 `[n]`, numbers of classes among them; of a multi-label task `[n, labels]`.
    """
    values = _labels(rows, task, classes)
    values[~in_scenarios(rows, task.scenarios, config)] = np.nan
    return values


def _labels(rows: pa.RecordBatch, task: RankingTask, classes: Sequence[str]) -> np.ndarray:
    if isinstance(task, MultiClassTask):
        return class_numbers(Coded.of(rows.column(task.label)), classes)
    if not isinstance(task, MultiLabelTask):
        values = np.array(label_values(rows, task.label))
        if isinstance(task, BinaryTask) and task.positive_from is not None:
            known = (values >= task.positive_from).astype(np.float32)
            return np.where(np.isnan(values), np.float32("nan"), known)
        return values
    if task.labels is not None:
        return np.stack([label_values(rows, column) for column in task.labels], axis=1)
    assert task.label is not None
    assert task.separator is not None
    return class_flags(Coded.of(rows.column(task.label)), classes, task.separator)


def sampled(rows: pa.RecordBatch) -> np.ndarray:
    """Which rows are sampled negatives."""
    if SAMPLED not in rows.schema.names:
        return np.zeros(rows.num_rows, bool)
    return rows.column(SAMPLED).to_numpy() == 1


def positives(rows: pa.RecordBatch, config: Config) -> np.ndarray:
    """Which rows are positives of the retrieval task; none when there is no such task."""
    if config.retrieval_task is None:
        return np.zeros(rows.num_rows, bool)
    task = config.retrieval_task[1]
    chosen = in_scenarios(rows, task.scenarios, config) & ~sampled(rows)
    if task.positive is not None:
        chosen &= label_values(rows, task.positive) == 1
    return chosen


def in_scenarios(rows: pa.RecordBatch, scenarios: list[str] | None, config: Config) -> np.ndarray:
    """Which rows belong to one of the scenarios; all when none are named."""
    if scenarios is None or config.scenario is None:
        return np.ones(rows.num_rows, bool)
    values = rows.column(config.scenario.column).cast(pa.string())
    return pc.is_in(values, pa.array(scenarios)).to_numpy(False)
