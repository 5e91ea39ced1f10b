"""Rows on their way to the sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Floats, Ints
from tfmtl.evaluation.streaming.counts import Columns


@dataclass
class Batch:
    """Some rows.

    Attributes:
        tasks: what each task keeps of labels and predictions.
        weights: floats `[n]`.
        users: numbers `[n]`.
        slices: for each column its distinct values as text, and each row's place among them `[n]`.
        queries: for tasks whose rows are in queries, their numbers `[n]`.
        with_users: whether the users are known; each row is its own otherwise.
    """

    tasks: dict[str, Columns]
    weights: Floats
    users: npt.NDArray[np.int64]
    slices: dict[str, tuple[list[str], Ints]]
    queries: dict[str, npt.NDArray[np.int64]]
    with_users: bool

    def __len__(self) -> int:
        return self.weights.size

    def size(self) -> int:
        """Bytes."""
        return sum(v.nbytes for columns in self.tasks.values() for v in columns.values())

    def part(self, start: int, stop: int) -> Batch:
        """Some of the rows."""
        rows = slice(start, stop)
        return Batch(
            {
                task: {n: v[rows] for n, v in columns.items()}
                for task, columns in self.tasks.items()
            },
            self.weights[rows],
            self.users[rows],
            {column: (texts, codes[rows]) for column, (texts, codes) in self.slices.items()},
            {task: queries[rows] for task, queries in self.queries.items()},
            self.with_users,
        )


def joined(batches: Sequence[Batch]) -> Batch:
    """The rows of batches that are alike, one after another."""
    first = batches[0]
    if len(batches) == 1:
        return first
    return Batch(
        {
            task: {name: np.concatenate([b.tasks[task][name] for b in batches]) for name in columns}
            for task, columns in first.tasks.items()
        },
        np.concatenate([b.weights for b in batches]),
        np.concatenate([b.users for b in batches]),
        {column: _joined_values([b.slices[column] for b in batches]) for column in first.slices},
        {task: np.concatenate([b.queries[task] for b in batches]) for task in first.queries},
        first.with_users,
    )


def alike(first: Batch, other: Batch) -> None:
    """Says what is not alike.

    Raises:
        ValueError: if they are of other tasks, or one has users or queries and the other has none.
    """
    for name, before, now in (
        ("tasks", _tasks(first), _tasks(other)),
        ("queries", sorted(first.queries), sorted(other.queries)),
        ("users", first.with_users, other.with_users),
    ):
        if before != now:
            raise ValueError(f"every update should have the same {name}: {before}. Received: {now}")


def _tasks(batch: Batch) -> dict[str, list[str]]:
    return {task: sorted(columns) for task, columns in batch.tasks.items()}


def _joined_values(parts: Sequence[tuple[list[str], Ints]]) -> tuple[list[str], Ints]:
    places: dict[str, int] = {}
    codes = [
        np.array([places.setdefault(text, len(places)) for text in texts], np.intp)[own]
        for texts, own in parts
    ]
    return list(places), np.concatenate(codes)
