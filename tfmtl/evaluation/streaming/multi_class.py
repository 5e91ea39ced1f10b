"""Sums of multi-class tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio, roc_area
from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.multi_class import CLIP, checked_classes
from tfmtl.evaluation.slices import ClassFigures
from tfmtl.evaluation.streaming.bins import Bins
from tfmtl.evaluation.streaming.class_tables import class_table
from tfmtl.evaluation.streaming.counts import Columns, Counts, Resampling, TaskRows
from tfmtl.evaluation.streaming.estimates import Estimate
from tfmtl.evaluation.streaming.kinds import MultiClass
from tfmtl.evaluation.streaming.scores import Scores, resampled_area
from tfmtl.evaluation.streaming.tally import totals

MOST_CLASSES = 100
"""Classes up to which each has a histogram of its scores, for `macro_auc`."""

_ORDER = ("rows", "majority", "accuracy", "macro_f1", "macro_auc", "log_loss")


def multi_class_columns(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, count: int, classes: int
) -> Columns:
    """Each row's `actual` and `predicted` class and its `loss`, `[n]`, and which rows count; of at
    most `MOST_CLASSES` also all of its probabilities, `prediction` `[n, classes]`.

    Raises:
        ValueError: if shapes do not fit together, or a label is no number of a class.
    """
    found = np.asarray(labels, np.float64)
    likely = np.asarray(probabilities)
    if found.shape != (count,) or likely.shape != (count, classes):
        raise ValueError(
            f"`labels` and `predictions` should have shapes ({count},) and ({count}, {classes}). "
            f"Received: {found.shape} and {likely.shape}"
        )
    known = ~np.isnan(found)
    actual = np.zeros(count, np.int32)
    actual[known] = checked_classes(found[known], classes)
    chance = likely[np.arange(count), actual].astype(np.float64)
    loss = -np.log(np.maximum(chance, CLIP))
    loss[np.isnan(likely).any(axis=1)] = math.nan
    predicted = likely.argmax(axis=1).astype(np.int32)
    columns = {"actual": actual, "predicted": predicted, "loss": loss, "known": known}
    return columns | ({"prediction": likely} if classes <= MOST_CLASSES else {})


def flags_of(rows: TaskRows) -> Floats:
    """The classes of rows as flags of 0 and 1, `[n, classes]`; none of classes without scores."""
    classes = rows.columns["prediction"].shape[1] if "prediction" in rows.columns else 0
    return (rows.columns["actual"][:, None] == np.arange(classes)).astype(np.float64)


class MultiClassCounts(Counts):
    """`majority`, `accuracy`, `macro_f1`, `macro_auc` and `log_loss`.

    Args:
        first: the first rows, which decide the bins.
        slices: how many slices there are, all rows among them.
        kind: the classes.
    """

    of_labels = ("majority",)

    def __init__(self, first: TaskRows, slices: int, kind: MultiClass) -> None:
        classes = kind.classes
        self._names = kind.names
        super().__init__({"loss": None, "actual": classes, "predicted": classes, "right": classes})
        flags = flags_of(first)
        width = flags.shape[1]
        self._scores = [
            Scores(Bins(first.columns["prediction"][:, c], flags[:, c], slices * width))
            for c in range(width)
        ]

    def add(self, rows: TaskRows) -> None:
        super().add(rows)
        actual, predicted = rows.columns["actual"], rows.columns["predicted"]
        self.sums["loss"].add(rows.places, rows.weights * rows.columns["loss"])
        self.sums["actual"].add(rows.places, rows.weights, actual)
        self.sums["predicted"].add(rows.places, rows.weights, predicted)
        self.sums["right"].add(rows.places, rows.weights * (actual == predicted), actual)
        flags = flags_of(rows)
        for number, scores in enumerate(self._scores):
            bins = scores.bins.of(rows.columns["prediction"][:, number])
            scores.add(rows.places, flags[:, number], bins, rows.weights)

    def merge(self, other: Counts) -> None:
        super().merge(other)
        assert isinstance(other, MultiClassCounts)
        for scores, more in zip(self._scores, other._scores, strict=True):
            scores.merge(more)

    def estimate(
        self,
        column: int,
        value: int,
        resampling: Resampling,
        exact: Sequence[float] | None = None,
    ) -> Estimate:
        """The figures of a slice with their replicates.

        Args:
            column: the slice's column.
            value: its value's number.
            resampling: the replicates.
            exact: each class's AUC, where all rows are at hand; else those of bins are taken.
        """
        found = super().estimate(column, value, resampling)
        figures, replicates = [], []
        for number, scores in enumerate(self._scores):
            negatives, positives = scores.fine(column, value)
            figure = exact[number] if exact else float(roc_area(positives, negatives))
            if not math.isnan(figure):
                drawn = scores.resampled(column, value, resampling)
                figures.append(figure)
                replicates.append(resampled_area(roc_area, figure, drawn).replicates)
        if self._scores:
            clusters = int(self.groups(column, value).sum())
            shape = (resampling.draws.shape[0], len(replicates))
            areas = np.stack(replicates, axis=1) if replicates else np.zeros(shape)
            found.add("macro_auc", float(_mean(np.array(figures))), _mean(areas), clusters)
            if math.isnan(found.figures["log_loss"]):
                found.without_value(("macro_auc",))
        found.figures = {name: found.figures[name] for name in _ORDER if name in found.figures}
        return found

    def table(self, whole: Estimate) -> list[ClassFigures]:
        """What is found of each class of all rows.

        Args:
            whole: their figures.
        """
        sums = totals(self.sums, 0, 0)
        # Without a value where a prediction has none.
        right = sums["right"] + 0 * whole.figures["log_loss"]
        return class_table(self._names, right, sums["actual"], sums["predicted"])

    def formulas(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        loss = ratio(sums["loss"], sums["weight"])
        # A loss that is no number is that of a prediction that is none.
        missing = 0 * loss
        f1 = ratio(2 * sums["right"], sums["actual"] + sums["predicted"])
        defined = ~np.isnan(f1)
        return {
            "majority": ratio(sums["actual"].max(axis=-1), sums["weight"]),
            "accuracy": ratio(sums["right"].sum(axis=-1), sums["weight"]) + missing,
            "macro_f1": ratio(np.nansum(f1, axis=-1), defined.sum(axis=-1)) + missing,
            "log_loss": loss,
        }


def _mean(values: Floats) -> Floats:
    """The mean over the last axis of those that have a value."""
    return ratio(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
