"""Sums and histograms of binary tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import (
    calibration_error,
    equal_mass,
    precision_area,
    ratio,
    roc_area,
)
from tfmtl.evaluation._rows import Floats, Ints
from tfmtl.evaluation.binary import ECE_BINS, check_unit, clipped_losses
from tfmtl.evaluation.slices import CalibrationPoint, Curves
from tfmtl.evaluation.streaming.bins import Bins
from tfmtl.evaluation.streaming.bootstrap import interval
from tfmtl.evaluation.streaming.counts import Columns, Counts, Resampling, TaskRows
from tfmtl.evaluation.streaming.estimates import Estimate
from tfmtl.evaluation.streaming.regression import regression_columns
from tfmtl.evaluation.streaming.scores import Area, Resampled, Scores, resampled_area
from tfmtl.evaluation.streaming.sorting import ByScore
from tfmtl.evaluation.streaming.tally import Places, Tally

_ROC_POINTS = 100

_ORDER = (
    "rows",
    "positives",
    "auc",
    "pr_auc",
    "log_loss",
    "normalized_entropy",
    "ece",
    "calibration",
    "precision",
    "recall",
    "f1",
)


def binary_columns(labels: npt.ArrayLike, predictions: npt.ArrayLike, count: int) -> Columns:
    """`label` and `prediction` `[n]`, and which rows count.

    Raises:
        ValueError: if shapes do not fit together, or a value is not in [0, 1].
    """
    found = regression_columns(labels, predictions, count)
    check_unit("labels", found["label"])
    check_unit("predictions", found["prediction"][found["known"]])
    return found


class BinaryCounts(Counts):
    """Every metric of `binary` but `gauc`, and the curves.

    Args:
        first: the first rows, which decide the bins.
        slices: how many slices there are, all rows among them.
        threshold: from this probability on the event is predicted.
    """

    whole = ("rows", "positives")

    def __init__(self, first: TaskRows, slices: int, threshold: float | None = None) -> None:
        named = ("positives", "labels", "promised", "loss")
        decided = () if threshold is None else ("right", "predicted")
        super().__init__(dict.fromkeys((*named, *decided)))
        self._threshold = threshold
        labels, predictions = first.columns["label"], first.columns["prediction"]
        self._scores = Scores(Bins(predictions, labels, slices))
        self._promised = Tally(1, self._scores.bins.fine)
        self._rows = Tally(1, self._scores.bins.fine)

    def add(self, rows: TaskRows) -> None:
        super().add(rows)
        places, weights = rows.places, rows.weights
        labels, predictions = rows.columns["label"], rows.columns["prediction"]
        self.sums["positives"].add(places, (labels > 0).astype(np.float64))
        self.sums["labels"].add(places, weights * labels)
        self.sums["promised"].add(places, weights * predictions)
        self.sums["loss"].add(places, weights * clipped_losses(labels, predictions))
        if self._threshold is not None:
            predicted = weights * (predictions >= self._threshold)
            self.sums["predicted"].add(places, predicted)
            self.sums["right"].add(places, predicted * labels)
        bins = self._scores.bins.of(predictions)
        self._scores.add(places, labels, bins, weights)
        self._promised.add(places, weights * predictions, bins)
        everything = Places(places.groups, places.values[:1])
        self._rows.add(everything, np.ones(weights.size), bins)

    def merge(self, other: Counts) -> None:
        super().merge(other)
        assert isinstance(other, BinaryCounts)
        self._scores.merge(other._scores)
        self._promised.merge(other._promised)
        self._rows.merge(other._rows)

    def formulas(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        loss, rate = ratio(sums["loss"], sums["weight"]), ratio(sums["labels"], sums["weight"])
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
        found = {
            "log_loss": loss,
            "normalized_entropy": ratio(loss, entropy),
            "calibration": ratio(sums["promised"], sums["labels"]),
        }
        if self._threshold is not None:
            right = sums["right"] + 0 * loss
            found["precision"] = ratio(right, sums["predicted"])
            found["recall"] = ratio(right, sums["labels"])
            found["f1"] = ratio(2 * right, sums["predicted"] + sums["labels"])
        return found

    def estimate(
        self, column: int, value: int, resampling: Resampling, exact: ByScore | None = None
    ) -> Estimate:
        """The figures of a slice with their replicates.

        Args:
            column: the slice's column.
            value: its value's number.
            resampling: the replicates.
            exact: sums by distinct score, where all rows are at hand; else those of bins are used.
        """
        found = super().estimate(column, value, resampling)
        clusters = int(self.groups(column, value).sum())
        drawn = self._scores.resampled(column, value, resampling)
        if exact is None:
            negatives, positives = self._scores.fine(column, value)
            promised = self._promised.of(column, value)[0]
            exact = ByScore(negatives, positives, promised)
        roc = resampled_area(roc_area, float(roc_area(exact.positives, exact.negatives)), drawn)
        precision = resampled_area(
            precision_area, float(precision_area(exact.positives, exact.negatives)), drawn
        )
        error = self._error(exact, drawn, self._means(column, value)[drawn.bins])
        for metric, area in {"auc": roc, "pr_auc": precision, "ece": error}.items():
            found.add(metric, area.figure, area.replicates, clusters)
        if math.isnan(found.figures["log_loss"]):
            found.without_value(("auc", "pr_auc", "ece", "calibration"))
        found.figures = {name: found.figures[name] for name in _ORDER if name in found.figures}
        return found

    def curves(self, resampling: Resampling) -> Curves:
        """Calibration in bins of equal mass, and at most 100 points of the ROC curve."""
        negatives, positives = self._scores.fine(0, 0)
        clusters = int(self.groups(0, 0).sum())
        drawn = self._scores.resampled(0, 0, resampling)
        promised = self._promised.of(0, 0)[0]
        if not drawn.bins.size or not np.isfinite(promised).all():
            return {"calibration": [], "roc": []}
        return {
            "calibration": self._calibration(drawn, promised, clusters),
            "roc": _roc(negatives, positives),
        }

    def _error(self, exact: ByScore, drawn: Resampled, means: Floats) -> Area:
        """Expected calibration error.

        The mean of absolute values is larger in a replicate than in the figure, by about as much as
        in the figure than in truth: replicates are reflected at the figure.
        """
        mass = exact.negatives + exact.positives
        figure = float(
            calibration_error(
                exact.promised - exact.positives, equal_mass(mass, ECE_BINS), mass.sum()
            )
        )
        bins = equal_mass(drawn.negatives + drawn.positives, ECE_BINS)

        def error(negatives: npt.NDArray, positives: npt.NDArray) -> Floats:
            mass = negatives + positives
            return calibration_error(mass * means - positives, bins, mass.sum(axis=-1))

        binned = float(error(drawn.negatives, drawn.positives))
        replicates = error(drawn.drawn_negatives, drawn.drawn_positives)
        return Area(figure, figure + binned - replicates)

    def _means(self, column: int, value: int) -> Floats:
        """Mean prediction of a slice by coarse bin `[b]`, `nan` for one without rows."""
        coarse = self._scores.bins.coarse_of_fine
        negatives, positives = self._scores.fine(column, value)
        promised = np.bincount(coarse, self._promised.of(column, value)[0], self._coarse)
        return ratio(promised, np.bincount(coarse, negatives + positives, self._coarse))

    @property
    def _coarse(self) -> int:
        return self._scores.bins.coarse

    def _calibration(
        self, drawn: Resampled, promised: Floats, clusters: int
    ) -> list[CalibrationPoint]:
        coarse = self._scores.bins.coarse_of_fine
        promises = np.bincount(coarse, promised, self._coarse)[drawn.bins]
        rows = np.bincount(coarse, self._rows.of(0, 0)[0], self._coarse)[drawn.bins]
        bins = equal_mass(drawn.negatives + drawn.positives, ECE_BINS)
        starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])

        def sums(values: npt.NDArray) -> npt.NDArray:
            return np.add.reduceat(values, starts, axis=-1)

        mass = sums(drawn.negatives) + sums(drawn.positives)
        observed = ratio(sums(drawn.positives), mass)
        replicates = ratio(
            sums(drawn.drawn_positives), sums(drawn.drawn_positives) + sums(drawn.drawn_negatives)
        )
        found: list[CalibrationPoint] = []
        for number in range(starts.size):
            low, high = interval(replicates[:, number], clusters) or (None, None)
            found.append(
                {
                    "predicted": float(sums(promises)[number] / mass[number]),
                    "observed": float(observed[number]),
                    "low": low,
                    "high": high,
                    "rows": int(sums(rows)[number]),
                }
            )
        return found


def _roc(negatives: Floats, positives: Floats) -> list[list[float]]:
    """Points at about equal distances along the curve, from [0, 0] to [1, 1]; none of one class."""
    if not (negatives.sum() > 0 and positives.sum() > 0):
        return []
    false = np.r_[0, np.cumsum(negatives[::-1]) / negatives.sum()]
    true = np.r_[0, np.cumsum(positives[::-1]) / positives.sum()]
    wanted = np.linspace(0, 2, _ROC_POINTS)
    chosen: Ints = np.unique(np.searchsorted(false + true, wanted).clip(max=false.size - 1))
    points = np.stack([false[chosen], true[chosen]], axis=1).clip(max=1)
    points[-1] = 1
    return [[float(x), float(y)] for x, y in points]
