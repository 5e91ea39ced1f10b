"""Events of users to rows with labels: one row a user, item and split, and sampled negatives."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.layout import ROW, SAMPLED, label_time
from tfmtl.preprocessing.columns import NEGATIVE_PROBABILITY

_NEVER = np.iinfo(np.int64).max


def pivot_events(
    events: pa.RecordBatch,
    keys: Sequence[np.ndarray],
    times: np.ndarray,
    event: str | None,
    labels: Mapping[str, Sequence[str]],
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Turns the events of some users into one row a group.

    Args:
        events: canonical events with their numbers.
        keys: arrays `[n]` that together name an event's group: user, item, period.
        times: unix time of each event.
        event: name of the column with the kind of event; None where all are of one kind.
        labels: label column -> the kinds of events that make it 1.

    Returns:
        The first event of each group with the labels for its `event` column and the time each
        label became 1, in the order of the events' numbers, and the groups' events: places of
        these rows in `events`.
    """
    numbers = events.column(ROW).to_numpy()
    order = np.lexsort((numbers, times, *reversed(keys)))
    changed = np.zeros(len(order) - 1, bool)
    for key in keys:
        changed |= key[order][1:] != key[order][:-1]
    starts = np.flatnonzero(np.append(True, changed))
    firsts = order[starts]
    output = np.argsort(numbers[firsts])
    rows = events.take(pa.array(firsts[output]))
    if event is not None:
        rows = rows.drop_columns([event])
    for label, makers in labels.items():
        occurred = are_of(events, makers, event)[order]
        since = np.minimum.reduceat(np.where(occurred, times[order], _NEVER), starts)[output]
        never = since == _NEVER
        rows = rows.append_column(label, pa.array((~never).astype(np.float32)))
        rows = rows.append_column(label_time(label), pa.array(since, mask=never))
    return rows, firsts[output]


def are_of(events: pa.RecordBatch, kinds: Sequence[str], event: str | None) -> np.ndarray:
    """Which events are of one of the kinds; all where events have no kinds."""
    if event is None:
        return np.ones(events.num_rows, bool)
    return pc.is_in(events.column(event), pa.array(kinds, pa.string())).to_numpy(False)


def with_negatives(
    rows: pa.RecordBatch,
    drawn: np.ndarray,
    probabilities: np.ndarray,
    item: tuple[str, pa.Array],
    labels: Sequence[str],
) -> pa.RecordBatch:
    """Puts sampled negatives after each row: another item, same user and time, labels 0.

    Args:
        rows: rows with labels.
        drawn: items for each row, as places in the item keys, -1 for none, `[n, count]`.
        probabilities: probability of each of them in one draw, `[n, count]`.
        item: name of the item column, and the keys of all items.
        labels: label columns.

    Returns:
        The rows and their negatives, with the columns `SAMPLED` and `NEGATIVE_PROBABILITY`. A row's
        number becomes count + 1 times as much, to which a negative adds its place, from 1.
    """
    count = drawn.shape[1]
    chosen = np.concatenate([np.zeros((len(drawn), 1), np.int64), drawn], axis=1)
    source, places = np.nonzero(chosen >= 0)
    is_sampled = pa.array(places > 0)
    result = rows.take(pa.array(source))
    items = item[1].take(pa.array(chosen[source, places]))
    result = _set(result, item[0], pc.if_else(is_sampled, items, result.column(item[0])))
    for label in labels:
        zero = pa.scalar(0, pa.float32())
        result = _set(result, label, pc.if_else(is_sampled, zero, result.column(label)))
        since = label_time(label)
        result = _set(result, since, pc.if_else(is_sampled, None, result.column(since)))
    numbers = result.column(ROW).to_numpy() * (count + 1) + places
    result = _set(result, ROW, pa.array(numbers))
    result = result.append_column(SAMPLED, is_sampled.cast(pa.int8()))
    chances = probabilities[source, np.maximum(places - 1, 0)].astype(np.float32)
    return result.append_column(NEGATIVE_PROBABILITY, pa.array(chances, mask=places == 0))


def _set(rows: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    return rows.set_column(rows.schema.names.index(name), name, values)
