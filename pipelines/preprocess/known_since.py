"""When labels became known, for histories and counts, which may not look ahead.

A label is known since the time of its event: that of the event itself where events make labels,
that in `source.impressions.label_times`, else the row's own; and `source.feedback_delay` later
than that where it is declared. It is never known before its row.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.layout import label_time
from tfmtl.config import Config
from tfmtl.config.durations import seconds


def known_since(rows: pa.RecordBatch, label: str, config: Config) -> pa.Array:
    """When a label was known to be 1.

    Args:
        rows: rows of the log, with the columns of `time_columns`.
        label: label column.
        config: the configuration, whose log has times.

    Returns:
        Unix time, int64 `[n]`, null where the label is not 1 and where it is not said when it
        became 1.
    """
    time = config.source.log.time
    assert time is not None, "labels are known since a time"
    since = rows.column(_event_time(label, config) or time)
    delay = config.source.feedback_delay.get(label)
    if delay is not None:
        since = pc.add(since, pa.scalar(seconds(delay), pa.int64()))
    since = pc.max_element_wise(since, rows.column(time), skip_nulls=False)
    positive = pc.fill_null(pc.equal(rows.column(label), np.float32(1)), False)
    return pc.if_else(positive, since, pa.scalar(None, pa.int64()))


def with_label_times(rows: pa.RecordBatch, config: Config) -> pa.RecordBatch:
    """Adds the column `label_time` of every label for which it is not the row's own time."""
    source, names = config.source, rows.schema.names
    times = source.impressions.label_times if source.impressions else {}
    for label in config.label_columns:
        if label not in names or not (label in times or label in source.feedback_delay):
            continue
        since, name = known_since(rows, label, config), label_time(label)
        if name in names:
            rows = rows.set_column(names.index(name), name, since)
        else:
            rows = rows.append_column(name, since)
    return rows


def declared_times(config: Config) -> dict[str, Any]:
    """What the configuration says of the times of labels, which readers of the log go by."""
    impressions = config.source.impressions
    return {
        "label_times": impressions.label_times if impressions else {},
        "feedback_delay": config.source.feedback_delay,
    }


def time_columns(names: Sequence[str], config: Config) -> list[str]:
    """Columns of the log, and those from which the times of the labels among them are made."""
    needed = list(names)
    for label in config.label_columns:
        event = _event_time(label, config)
        if label in names and (event or label in config.source.feedback_delay):
            needed += [name for name in (event, config.source.log.time) if name]
    return list(dict.fromkeys(needed))


def _event_time(label: str, config: Config) -> str | None:
    """Column of the log with the time of a label's event; None where it is the row's own."""
    source = config.source
    if source.events and label in source.events.labels:
        return label_time(label)
    return source.impressions.label_times.get(label) if source.impressions else None
