"""All that is summed of some tasks, and the figures that follow."""

from __future__ import annotations

import copy
import math
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from tfmtl.evaluation._areas import precision_area, roc_area
from tfmtl.evaluation._rows import Flags, Floats
from tfmtl.evaluation.streaming.batches import Batch
from tfmtl.evaluation.streaming.binary import BinaryCounts
from tfmtl.evaluation.streaming.bootstrap import Draws
from tfmtl.evaluation.streaming.clusters import Clusters
from tfmtl.evaluation.streaming.counts import Counts, Resampling, TaskRows
from tfmtl.evaluation.streaming.estimates import Estimate, TaskEstimates
from tfmtl.evaluation.streaming.kept_rows import KeptRows, Owned
from tfmtl.evaluation.streaming.kinds import Binary, Kind, MultiClass, MultiLabel, Regression
from tfmtl.evaluation.streaming.multi_class import MultiClassCounts, flags_of
from tfmtl.evaluation.streaming.multi_label import MultiLabelCounts
from tfmtl.evaluation.streaming.regression import RegressionCounts
from tfmtl.evaluation.streaming.retrieval import RetrievalCounts
from tfmtl.evaluation.streaming.sorting import by_score
from tfmtl.evaluation.streaming.tally import Places
from tfmtl.evaluation.streaming.values import Values

# Labels or classes times rows for which areas are exact.
_EXACT = 2**23

_Place = tuple[int, int]


class Sums:
    """Sums of tasks by slice and group of users.

    Args:
        kinds: the tasks.
        columns: names of the slice columns.
        first: the first rows, which decide the groups, the slices and the bins. They are not
            added.
    """

    def __init__(self, kinds: Mapping[str, Kind], columns: Sequence[str], first: Batch) -> None:
        self._kinds = {task: kinds[task] for task in first.tasks}
        self._clusters = Clusters(first.users)
        self._values = {column: Values(_frequencies(first, column)) for column in columns}
        slices = 1 + sum(len(values.names) for values in self._values.values())
        places = self._places(first)
        rows = {task: _rows(first, task, places)[0] for task in self._kinds}
        self._counts = {
            task: _counts(kind, rows[task], slices) for task, kind in self._kinds.items()
        }
        self._by_user = {
            task: KeptRows()
            for task, kind in self._kinds.items()
            if isinstance(kind, Binary) and first.with_users
        }
        self._by_query = {task: KeptRows() for task in first.queries}
        self._blank = copy.deepcopy(self)  # small: sums take memory with the first rows

    def add(self, batch: Batch) -> None:
        """Adds rows."""
        places = self._places(batch)
        for task, counts in self._counts.items():
            rows, kept = _rows(batch, task, places)
            counts.add(rows)
            owners = ((self._by_user, batch.users), (self._by_query, batch.queries.get(task)))
            for rows_by, own in owners:
                if task in rows_by and own is not None:
                    rows_by[task].add(
                        own[kept],
                        rows.columns["label"],
                        rows.columns["prediction"],
                        rows.weights,
                        rows.places,
                    )

    def estimates(self, draws: Draws, whole: Batch | None) -> dict[str, TaskEstimates]:
        """The figures of each task.

        Args:
            draws: how often groups come in the replicates.
            whole: all rows, if they are at hand, for exact figures.
        """
        return {task: self._estimates(task, draws, whole) for task in self._kinds}

    def merge(self, other: Sums) -> None:
        """Adds another's sums.

        Raises:
            ValueError: if they have other bins, groups or slices, as they do unless one was made
                as the other's `emptied`.
        """
        if pickle.dumps(self._blank) != pickle.dumps(other._blank):
            raise ValueError("both decided on bins of their own; start one as `other.emptied()`")
        for column, values in self._values.items():
            if values.names != other._values[column].names:
                raise ValueError(
                    f"slice column '{column}' has other values: {values.names} and "
                    f"{other._values[column].names}"
                )
        for task, counts in self._counts.items():
            counts.merge(other._counts[task])
        for own, others in ((self._by_user, other._by_user), (self._by_query, other._by_query)):
            for task, rows in own.items():
                rows.merge(others[task])

    def emptied(self) -> Sums:
        """The same bins, groups and slices without a row."""
        made = copy.deepcopy(self._blank)
        made._blank = self._blank
        return made

    def _estimates(self, task: str, draws: Draws, whole: Batch | None) -> TaskEstimates:
        counts = self._counts[task]
        present = np.flatnonzero(counts.groups(0, 0))
        drawn = draws.of(present.size)
        resampling = Resampling(drawn, drawn.astype(np.float32), present)
        found = dict(self._estimated(task, resampling, whole))
        if task in self._by_user:
            _add_owned(found, self._by_user[task].gauc(), ["gauc"], resampling)
        if task in self._by_query:
            ks = _top_k(self._kinds[task])
            names = [f"ndcg@{k}" for k in ks]
            _add_owned(found, self._by_query[task].ndcg(ks), names, resampling)
        if isinstance(counts, RetrievalCounts):
            counts.add_lists(found[0, 0], draws)
        slices: dict[str, dict[str, Estimate]] = {}
        for number, (column, values) in enumerate(self._values.items(), 1):
            own = [
                (found[number, v], name)
                for v, name in enumerate(values.names)
                if (number, v) in found
            ]
            own.sort(key=lambda pair: (-pair[0].figures["rows"], pair[1]))
            slices[column] = {name: estimate for estimate, name in own}
        curves = counts.curves(resampling) if isinstance(counts, BinaryCounts) else None
        classes = None
        if isinstance(counts, MultiClassCounts | MultiLabelCounts):
            classes = counts.table(found[0, 0])
        return TaskEstimates(found[0, 0], slices, curves, classes)

    def _estimated(
        self, task: str, resampling: Resampling, whole: Batch | None
    ) -> Iterator[tuple[_Place, Estimate]]:
        """Each slice that has rows, and all rows, with its figures by sums."""
        counts = self._counts[task]
        places = [(0, 0)]
        for column, values in enumerate(self._values.values(), 1):
            every = range(len(values.names))
            places += [(column, v) for v in every if counts.groups(column, v).any()]
        rows = _rows(whole, task, self._places(whole))[0] if whole else None
        if isinstance(counts, BinaryCounts) and rows and rows.weights.size:
            columns = rows.columns["label"], rows.columns["prediction"]
            for place, exact in by_score(rows.places, *columns, rows.weights):
                yield place, counts.estimate(*place, resampling, exact)
        elif isinstance(counts, MultiLabelCounts | MultiClassCounts):
            areas = _exact_areas(counts, rows) if rows else {}
            for place in places:
                yield place, counts.estimate(*place, resampling, areas.get(place))
        else:
            for place in places:
                yield place, counts.estimate(*place, resampling)

    def _places(self, batch: Batch) -> Places:
        values = [np.zeros(len(batch), np.intp)]
        values += [numbers.of(*batch.slices[column]) for column, numbers in self._values.items()]
        return Places(self._clusters.of(batch.users), tuple(values))


def _rows(batch: Batch, task: str, places: Places) -> tuple[TaskRows, Flags]:
    """The rows that a task counts, and which they are `[n]`."""
    columns = batch.tasks[task]
    kept = columns["known"] & (batch.weights > 0)
    return TaskRows(columns, batch.weights, places).of(kept), kept


def _frequencies(batch: Batch, column: str) -> Counter[str]:
    """How often each value of a slice column comes."""
    texts, codes = batch.slices[column]
    counts = np.bincount(codes, minlength=len(texts)).tolist()
    found: Counter[str] = Counter()
    for text, count in zip(texts, counts, strict=True):
        found[text] += count
    return found


def _counts(kind: Kind, first: TaskRows, slices: int) -> Counts:
    if isinstance(kind, Binary):
        return BinaryCounts(first, slices, kind.threshold)
    if isinstance(kind, Regression):
        return RegressionCounts()
    if isinstance(kind, MultiClass):
        return MultiClassCounts(first, slices, kind)
    if isinstance(kind, MultiLabel):
        return MultiLabelCounts(first, slices, kind)
    return RetrievalCounts(kind, list(first.columns))


def _top_k(kind: Kind) -> Sequence[int]:
    return () if isinstance(kind, MultiClass | MultiLabel) else kind.top_k


def _exact_areas(
    counts: MultiLabelCounts | MultiClassCounts, rows: TaskRows
) -> dict[_Place, list[float]]:
    """Average precision of each label in each slice, or AUC of each class; none of too many."""
    if isinstance(counts, MultiClassCounts):
        labels, area = flags_of(rows), roc_area
    else:
        labels, area = rows.columns["label"], precision_area
    return _areas(labels, rows, area) if 0 < labels.size <= _EXACT else {}


def _areas(
    labels: Floats, rows: TaskRows, area: Callable[[Floats, Floats], Floats]
) -> dict[_Place, list[float]]:
    """An area of each label in each slice, exactly."""
    predictions, width = rows.columns["prediction"], labels.shape[1]
    found: dict[_Place, list[float]] = {}
    for number in range(width):
        known = ~np.isnan(labels[:, number])
        columns = labels[known, number].astype(np.float64), predictions[known, number]
        for place, sums in by_score(rows.places.of(known), *columns, rows.weights[known]):
            areas = found.setdefault(place, [math.nan] * width)
            areas[number] = float(area(sums.positives, sums.negatives))
    return found


def _add_owned(
    found: Mapping[_Place, Estimate],
    owned: Iterator[tuple[_Place, Owned]],
    names: Sequence[str],
    resampling: Resampling,
) -> None:
    """Adds figures by user or query to those of slices; of slices whose rows were not kept none."""
    for place, figures in owned:
        figures.add_to(found[place], names, resampling)
    for estimate in found.values():
        for name in names:
            estimate.figures.setdefault(name, math.nan)
