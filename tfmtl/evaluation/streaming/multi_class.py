"""Sums of multi-class tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.multi_class import CLIP, checked_classes
from tfmtl.evaluation.streaming.counts import Columns, Counts, TaskRows


def multi_class_columns(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, count: int, classes: int
) -> Columns:
    """Each row's `actual` and `predicted` class and its `loss`, `[n]`, and which rows count.

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
    return {"actual": actual, "predicted": predicted, "loss": loss, "known": known}


class MultiClassCounts(Counts):
    """`majority`, `accuracy`, `macro_f1` and `log_loss`."""

    of_labels = ("majority",)

    def __init__(self, classes: int) -> None:
        super().__init__({"loss": None, "actual": classes, "predicted": classes, "right": classes})

    def add(self, rows: TaskRows) -> None:
        super().add(rows)
        actual, predicted = rows.columns["actual"], rows.columns["predicted"]
        self.sums["loss"].add(rows.places, rows.weights * rows.columns["loss"])
        self.sums["actual"].add(rows.places, rows.weights, actual)
        self.sums["predicted"].add(rows.places, rows.weights, predicted)
        self.sums["right"].add(rows.places, rows.weights * (actual == predicted), actual)

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
