"""Sums of regression tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.streaming.counts import Columns, Counts, TaskRows


def regression_columns(labels: npt.ArrayLike, predictions: npt.ArrayLike, count: int) -> Columns:
    """`label` and `prediction` `[n]`, and which rows count.

    Raises:
        ValueError: if shapes do not fit together.
    """
    label = np.asarray(labels, np.float64)
    prediction = np.asarray(predictions)
    if prediction.dtype.kind != "f":
        prediction = prediction.astype(np.float64)
    if label.shape != (count,) or prediction.shape != (count,):
        raise ValueError(
            f"`labels` and `predictions` should have shape ({count},). "
            f"Received: {label.shape} and {prediction.shape}"
        )
    return {"label": label, "prediction": prediction, "known": ~np.isnan(label)}


class RegressionCounts(Counts):
    """`rmse` and `mae`."""

    def __init__(self) -> None:
        super().__init__({"squared": None, "absolute": None})

    def add(self, rows: TaskRows) -> None:
        super().add(rows)
        errors = rows.columns["prediction"] - rows.columns["label"]
        self.sums["squared"].add(rows.places, rows.weights * errors**2)
        self.sums["absolute"].add(rows.places, rows.weights * np.abs(errors))

    def formulas(self, sums: Mapping[str, Floats]) -> dict[str, Floats]:
        return {
            "rmse": np.sqrt(ratio(sums["squared"], sums["weight"])),
            "mae": ratio(sums["absolute"], sums["weight"]),
        }
