"""Metrics of tasks over rows that come batch by batch, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import row_weights
from tfmtl.evaluation.streaming.batches import Batch
from tfmtl.evaluation.streaming.binary import binary_columns
from tfmtl.evaluation.streaming.bootstrap import REPLICATES, Draws
from tfmtl.evaluation.streaming.clusters import UserNumbers
from tfmtl.evaluation.streaming.counts import Columns
from tfmtl.evaluation.streaming.kinds import (
    Binary,
    Kind,
    MultiClass,
    MultiLabel,
    Regression,
    Retrieval,
)
from tfmtl.evaluation.streaming.multi_class import multi_class_columns
from tfmtl.evaluation.streaming.multi_label import multi_label_columns
from tfmtl.evaluation.streaming.regression import regression_columns
from tfmtl.evaluation.streaming.result import Result
from tfmtl.evaluation.streaming.retrieval import retrieval_columns
from tfmtl.evaluation.streaming.stream import Stream
from tfmtl.evaluation.streaming.values import coded

Slices = Mapping[str, npt.ArrayLike]


class Evaluation:
    """Measures tasks on rows that come batch by batch.

    Figures are exact while there are at most 2^20 rows (fewer where there are many labels). Beyond
    that AUC, average precision and calibration error are of bins, some ten thousand of about equal
    mass that the first rows decide, which moves them by less than 1e-4; all others stay exact.
    GAUC and NDCG by query keep rows, see `kept_rows`; all else takes memory by slice, not by row.

    Intervals are of 95 %, from a bootstrap over users, see `bootstrap`. That of the calibration
    error is rough, since it is a mean of absolute values: it contains the truth in about 90 %.

    Args:
        tasks: name to kind.
        slices: names of the columns by whose values everything is broken down too. The 50 most
            frequent values of a column are slices.
        seed: of the bootstrap.
        intervals: whether there are any; without them the result takes a fraction of the time.

    Example:
        >>> evaluation = Evaluation({"click": Binary()}, slices=["scenario"])
        >>> evaluation.update(
        ...     {"click": [0, 1, 1]}, {"click": [.2, .8, .6]}, users=["ann", "bob", "ann"],
        ...     slices={"scenario": ["ads", "feed", "ads"]},
        ... )
        >>> found = evaluation.result().tasks["click"]
        >>> found["overall"]["auc"], found["slices"]["scenario"]["ads"]["positives"]
        (1.0, 1)
    """

    def __init__(
        self,
        tasks: Mapping[str, Kind],
        slices: Sequence[str] = (),
        seed: int = 0,
        intervals: bool = True,
    ) -> None:
        self._tasks, self._slices = dict(tasks), tuple(slices)
        self._seed, self._intervals = seed, intervals
        self._users = UserNumbers()
        self._rows = Stream(self._tasks, self._slices)
        self._queries = {
            task: Stream({task: kind}, self._slices)
            for task, kind in self._tasks.items()
            if isinstance(kind, Retrieval)
        }
        self._count = 0

    def update(
        self,
        labels: Mapping[str, npt.ArrayLike],
        predictions: Mapping[str, npt.ArrayLike],
        weights: npt.ArrayLike | None = None,
        users: npt.ArrayLike | None = None,
        slices: Slices | None = None,
        queries: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        """Adds rows of all tasks but retrieval.

        A row counts for a task if it has a label and a weight above zero.

        Args:
            labels: for each task of `predictions` its labels `[n]`, of multi-label tasks
                `[n, labels]`; NaN where one is missing.
            predictions: for each task its predictions: probabilities `[n]` of binary tasks, numbers
                `[n]` of regression, probabilities `[n, classes]` or `[n, labels]`. The same tasks
                in every update.
            weights: floats `[n]`, or None for ones.
            users: numbers or strings `[n]`; None, in every update, where they are not known: rows
                are then independent, and there is no GAUC.
            slices: each column's values `[n]`, which are turned into text.
            queries: for each binary or regression task with `top_k` the query of each row,
                numbers or strings `[n]`.

        Raises:
            ValueError: if shapes do not fit together, a label or a prediction is out of its range,
                or something is missing.
        """
        if not predictions:
            return
        self._named(predictions, "predictions", (Binary, Regression, MultiClass, MultiLabel))
        count = len(np.asarray(next(iter(predictions.values()))))
        tasks = {
            task: self._columns(task, labels[task], predicted, count)
            for task, predicted in predictions.items()
        }
        wanted = {
            task
            for task in predictions
            if isinstance(kind := self._tasks[task], Binary | Regression) and kind.top_k
        }
        if set(queries or {}) != wanted:
            raise ValueError(
                f"`queries` should be of the tasks with top_k: {sorted(wanted)}. "
                f"Received: {sorted(queries or {})}"
            )
        numbers = {task: self._users.of(own, count) for task, own in (queries or {}).items()}
        self._rows.update(self._batch(tasks, count, weights, users, slices, numbers))

    def update_retrieval(
        self,
        task: str,
        ranks: npt.ArrayLike,
        unseen: npt.ArrayLike | None = None,
        tops: npt.ArrayLike | None = None,
        weights: npt.ArrayLike | None = None,
        users: npt.ArrayLike | None = None,
        slices: Slices | None = None,
    ) -> None:
        """Adds queries of a retrieval task.

        Args:
            task: its name.
            ranks: floats `[q]`, as `ranks` returns them, among all items.
            unseen: floats `[q]`, the ranks with the items left out that were seen before; gives
                each metric a second time, under the name ending in `_unseen`.
            tops: each query's best items `[q, k]` as `top_items` returns them, `k` the largest
                cut-off; gives `coverage@K` and `gini@K` of all queries.
            weights: floats `[q]`, or None for ones.
            users: numbers or strings `[q]`, or None, in every update.
            slices: each column's values `[q]`.

        Raises:
            ValueError: if shapes do not fit together, or something is missing.
        """
        self._named([task], "task", (Retrieval,))
        kind = self._tasks[task]
        assert isinstance(kind, Retrieval)
        columns = retrieval_columns(kind, ranks, unseen, tops)
        count = columns["rank"].size
        self._queries[task].update(self._batch({task: columns}, count, weights, users, slices, {}))

    def merge(self, other: Evaluation) -> None:
        """Adds the rows of another evaluation of the same tasks, which is not to be used further.

        Raises:
            ValueError: if both have had more than 2^20 rows and neither was made as the other's
                `emptied`.
        """
        self._rows.merge(other._rows)
        for task, stream in self._queries.items():
            stream.merge(other._queries[task])

    def emptied(self) -> Evaluation:
        """An evaluation without rows that has this one's bins, groups and slices.

        What it counts, in another process say, can be merged with this one.
        """
        made = Evaluation(self._tasks, self._slices, self._seed, self._intervals)
        made._rows = self._rows.emptied()
        made._queries = {task: stream.emptied() for task, stream in self._queries.items()}
        return made

    def result(self) -> Result:
        """The figures of all rows so far."""
        draws = Draws(self._seed, REPLICATES if self._intervals else 0)
        found = self._rows.estimates(draws)
        for stream in self._queries.values():
            found |= stream.estimates(draws)
        return Result({task: found[task] for task in self._tasks if task in found})

    def _named(self, tasks: Sequence[str] | Mapping, name: str, kinds: tuple[type, ...]) -> None:
        for task in tasks:
            if not isinstance(self._tasks.get(task), kinds):
                fitting = [own for own, kind in self._tasks.items() if isinstance(kind, kinds)]
                raise ValueError(f"`{name}` should be of {fitting}. Received: '{task}'")

    def _columns(
        self, task: str, labels: npt.ArrayLike, predictions: npt.ArrayLike, count: int
    ) -> Columns:
        kind = self._tasks[task]
        try:
            if isinstance(kind, Binary):
                return binary_columns(labels, predictions, count)
            if isinstance(kind, Regression):
                return regression_columns(labels, predictions, count)
            if isinstance(kind, MultiClass):
                return multi_class_columns(labels, predictions, count, kind.classes)
            assert isinstance(kind, MultiLabel)
            return multi_label_columns(labels, predictions, count, kind.labels)
        except ValueError as error:
            raise ValueError(f"task '{task}': {error}") from error

    def _batch(
        self,
        tasks: dict[str, Columns],
        count: int,
        weights: npt.ArrayLike | None,
        users: npt.ArrayLike | None,
        slices: Slices | None,
        queries: dict[str, npt.NDArray[np.int64]],
    ) -> Batch:
        given = slices or {}
        if missing := [column for column in self._slices if column not in given]:
            raise ValueError(
                f"`slices` should have the columns {missing}. Received: {sorted(given)}"
            )
        numbers = np.arange(self._count, self._count + count)
        self._count += count
        if users is not None:
            numbers = self._users.of(users, count)
        values = {column: coded(given[column], count, column) for column in self._slices}
        return Batch(
            tasks, row_weights(weights, count), numbers, values, queries, users is not None
        )
