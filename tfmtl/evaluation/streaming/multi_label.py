"""Sums and histograms of multi-label tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import precision_area, ratio
from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.binary import clipped_losses
from tfmtl.evaluation.multi_label import check_labels
from tfmtl.evaluation.slices import ClassFigures
from tfmtl.evaluation.streaming.bins import Bins
from tfmtl.evaluation.streaming.class_tables import class_table
from tfmtl.evaluation.streaming.counts import Columns, Counts, Resampling, TaskRows
from tfmtl.evaluation.streaming.estimates import Estimate
from tfmtl.evaluation.streaming.kinds import MultiLabel
from tfmtl.evaluation.streaming.scores import Scores, resampled_area
from tfmtl.evaluation.streaming.tally import totals


def multi_label_columns(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, count: int, width: int
) -> Columns:
    """`label` and `prediction` `[n, labels]`, and which rows count.

    Raises:
        ValueError: if shapes do not fit together, or a label is not 0, 1 or NaN.
    """
    label, prediction = np.asarray(labels, np.float32), np.asarray(probabilities)
    if label.shape != (count, width) or prediction.shape != (count, width):
        raise ValueError(
            f"`labels` and `predictions` should have shape ({count}, {width}). "
            f"Received: {label.shape} and {prediction.shape}"
        )
    check_labels(label)
    known = np.asarray(~np.isnan(label).all(axis=1))
    return {"label": label, "prediction": prediction, "known": known}


class MultiLabelCounts(Counts):
    """`micro_f1`, `macro_f1`, `pr_auc` and `log_loss`.

    Args:
        first: the first rows, which decide the bins.
        slices: how many slices there are, all rows among them.
        kind: the labels.
    """

    def __init__(self, first: TaskRows, slices: int, kind: MultiLabel) -> None:
        labels, predictions = first.columns["label"], first.columns["prediction"]
        width = labels.shape[1]
        super().__init__(
            {"known": None, "loss": None, "right": width, "actual": width, "predicted": width}
        )
        self._names, self._thresholds = kind.names, kind.thresholds
        self._scores = [
            Scores(Bins(predictions[:, i], labels[:, i], slices * width)) for i in range(width)
        ]

    def add(self, rows: TaskRows) -> None:
        super().add(rows)
        for number, scores in enumerate(self._scores):
            known = ~np.isnan(rows.columns["label"][:, number])
            labels = rows.columns["label"][known, number].astype(np.float64)
            predictions = rows.columns["prediction"][known, number]
            places, weights = rows.places.of(known), rows.weights[known]
            actual, predicted = labels == 1, predictions >= self._thresholds[number]
            codes = np.full(labels.size, number)
            self.sums["known"].add(places, weights)
            self.sums["loss"].add(places, weights * clipped_losses(labels, predictions))
            self.sums["right"].add(places, weights * (actual & predicted), codes)
            self.sums["actual"].add(places, weights * actual, codes)
            self.sums["predicted"].add(places, weights * predicted, codes)
            scores.add(places, labels, scores.bins.of(predictions), weights)

    def merge(self, other: Counts) -> None:
        super().merge(other)
        assert isinstance(other, MultiLabelCounts)
        for scores, more in zip(self._scores, other._scores, strict=True):
            scores.merge(more)

    def table(self, whole: Estimate) -> list[ClassFigures]:
        """What is found of each label of all rows.

        Args:
            whole: their figures.
        """
        sums = totals(self.sums, 0, 0)
        # Without a value where a prediction has none.
        missing = 0 * whole.figures["log_loss"]
        counted = (sums["right"] + missing, sums["actual"], sums["predicted"])
        areas = [area + missing for area in whole.areas]
        return class_table(self._names, *counted, self._thresholds, areas)

    def _areas(self, column: int, value: int) -> list[float]:
        """Each label's average precision, of bins."""
        sums = (scores.fine(column, value) for scores in self._scores)
        return [float(precision_area(positives, negatives)) for negatives, positives in sums]

    def formulas(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        loss = ratio(sums["loss"], sums["known"])
        # A loss that is no number is that of a prediction that is none.
        missing = 0 * loss
        either = sums["actual"] + sums["predicted"]
        f1 = ratio(2 * sums["right"], either)
        micro = ratio(2 * sums["right"].sum(axis=-1), either.sum(axis=-1))
        return {"micro_f1": micro + missing, "macro_f1": _mean(f1) + missing, "log_loss": loss}

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
            exact: each label's average precision, where all rows are at hand; else those of bins
                are taken.
        """
        found = super().estimate(column, value, resampling)
        figures, replicates = [], []
        found.areas = exact or self._areas(column, value)
        for figure, scores in zip(found.areas, self._scores, strict=True):
            if not math.isnan(figure):
                drawn = scores.resampled(column, value, resampling)
                figures.append(figure)
                replicates.append(resampled_area(precision_area, figure, drawn).replicates)
        clusters = int(self.groups(column, value).sum())
        shape = (resampling.draws.shape[0], len(replicates))
        drawn_areas = np.stack(replicates, axis=1) if replicates else np.zeros(shape)
        found.add("pr_auc", float(_mean(np.array(figures))), _mean(drawn_areas), clusters)
        if math.isnan(found.figures["log_loss"]):
            found.without_value(("pr_auc",))
        return found


def _mean(values: Floats) -> Floats:
    """The mean over the last axis of those that have a value."""
    return ratio(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
