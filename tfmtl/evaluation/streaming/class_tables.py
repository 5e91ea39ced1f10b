"""What is found of each class or label of a task."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats
from tfmtl.evaluation.slices import ClassFigures


def class_table(
    names: Sequence[str],
    right: Floats,
    actual: Floats,
    predicted: Floats,
    thresholds: Sequence[float] = (),
    areas: Sequence[float] = (),
) -> list[ClassFigures]:
    """Precision `TP / (TP + FP)`, recall `TP / (TP + FN)` and F1 of each class.

    A class that no row has is without recall, one that is predicted of none without precision, one
    of both kinds without F1.

    Args:
        names: of the classes, in the order of the predictions; numbers where there are none.
        right: weights of the rows that have a class and are predicted to, `[classes]`.
        actual: weights of the rows that have it.
        predicted: weights of the rows that are predicted to.
        thresholds: probability from which each label is predicted, of labels that have one.
        areas: each label's average precision.
    """
    figures: dict[str, Floats | Sequence[float]] = {
        "precision": ratio(right, predicted),
        "recall": ratio(right, actual),
        "f1": ratio(2 * right, actual + predicted),
        **({"pr_auc": areas} if len(areas) else {}),
    }
    table: list[ClassFigures] = []
    for place in range(len(right)):
        row: ClassFigures = {
            "name": names[place] if names else str(place),
            "support": float(actual[place]),
            "predicted": float(predicted[place]),
        }
        for figure, values in figures.items():
            value = float(values[place])
            row[figure] = value if math.isfinite(value) else None  # type: ignore[literal-required]
        if len(thresholds):
            row["threshold"] = float(thresholds[place])
        table.append(row)
    return table
