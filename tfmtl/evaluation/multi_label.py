"""Metrics of multi-label tasks: which labels were found, and how well each orders the rows.

Every function takes `labels` `[n, labels]` of 0 and 1, `probabilities` `[n, labels]` and `weights`
of the rows `[n]` or None. A label that is NaN is missing and left out, as is a row of weight zero.
Where a metric has no value (no label that it could be measured on, or a prediction that is NaN) it
is `nan`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation import binary
from tfmtl.evaluation._rows import Flags, Floats, row_weights


def counted_labels(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats, Flags]:
    """The rows a metric counts: labels and probabilities `[m, labels]` and weights `[m]` of those
    with a known label and a weight above zero, and which were kept, `[n]`.

    Raises:
        ValueError: if shapes do not fit together, or a label is not 0 or 1.
    """
    found = np.asarray(labels, np.float64)
    likely = np.asarray(probabilities, np.float64)
    if found.ndim != 2 or found.shape != likely.shape:
        raise ValueError(
            "`labels` and `probabilities` should have the same shape [n, labels]. "
            f"Received: {found.shape} and {likely.shape}"
        )
    known = ~np.isnan(found)
    check_labels(found)
    row_weight = row_weights(weights, len(found))
    kept = known.any(axis=1) & (row_weight > 0)
    return found[kept], likely[kept], row_weight[kept], kept


def check_labels(labels: npt.NDArray) -> None:
    """Says what is wrong with labels.

    Raises:
        ValueError: if one is not 0, 1 or NaN.
    """
    known = labels[~np.isnan(labels)]
    if not ((known == 0) | (known == 1)).all():
        raise ValueError(
            f"`labels` should be 0, 1 or NaN. Received values from {known.min():g} "
            f"to {known.max():g}"
        )


def micro_f1(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    threshold: npt.ArrayLike = 0.5,
) -> float:
    """`2 TP / (2 TP + FP + FN)` over all labels of all rows together; frequent labels count most.

    Args:
        threshold: from this probability on, a label is predicted; one for all, or `[labels]`.

    Example:
        >>> round(micro_f1([[1, 0], [1, 1]], [[.9, .8], [.7, .2]]), 4)
        0.6667
    """
    right, either = _hits(labels, probabilities, weights, threshold)
    return _ratio(float(2 * right.sum()), float(either.sum()))


def macro_f1(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    threshold: npt.ArrayLike = 0.5,
) -> float:
    """Mean over the labels of each one's F1, rare labels counting alike.

    A label that no row has and none is predicted to have has no F1 and is left out, so that a
    slice is not blamed for labels it does not have.

    Args:
        threshold: from this probability on, a label is predicted; one for all, or `[labels]`.

    Example:
        >>> macro_f1([[1, 0], [1, 1]], [[.9, .8], [.7, .2]])
        0.5
    """
    right, either = _hits(labels, probabilities, weights, threshold)
    if np.isnan(either).any() or not (either > 0).any():
        return math.nan
    return float(np.mean(2 * right[either > 0] / either[either > 0]))


def pr_auc(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean average precision: the mean over the labels of `binary.pr_auc`.

    A label that all known rows have, or none, has no average precision and is left out.

    Example:
        >>> round(pr_auc([[1, 0], [0, 1], [1, 1]], [[.9, .8], [.7, .9], [.2, .3]]), 4)
        0.8333
    """
    y, p, w, _ = counted_labels(labels, probabilities, weights)
    if np.isnan(p).any():
        return math.nan
    areas = np.array([binary.pr_auc(y[:, i], p[:, i], w) for i in range(y.shape[1])])
    return _ratio(float(np.nansum(areas)), float((~np.isnan(areas)).sum()))


def log_loss(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean binary cross entropy in nats over the labels that are known, clipped as in `binary`.

    Example:
        >>> round(log_loss([[1, 0], [1, float("nan")]], [[.5, .5], [.5, .9]]), 4)
        0.6931
    """
    y, p, w, _ = counted_labels(labels, probabilities, weights)
    return binary.log_loss(y.ravel(), p.ravel(), np.repeat(w, y.shape[1]))


def _hits(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    weights: npt.ArrayLike | None,
    threshold: npt.ArrayLike,
) -> tuple[Floats, Floats]:
    """`TP` and `2 TP + FP + FN` of each label, `[labels]`; `nan` where a prediction is."""
    y, p, w, _ = counted_labels(labels, probabilities, weights)
    if np.isnan(p).any():
        undefined = np.full(y.shape[1], math.nan)
        return undefined, undefined
    weight = w[:, None] * ~np.isnan(y)
    actual, predicted = y == 1, p >= np.asarray(threshold)
    right = (weight * (actual & predicted)).sum(axis=0)
    either = (weight * actual).sum(axis=0) + (weight * predicted).sum(axis=0)
    return right, either


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan
