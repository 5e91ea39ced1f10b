"""Metrics of multi-class tasks: whether the right class was found, and how sure the model was.

Every function takes `labels` `[n]`, the number of each row's class, `probabilities` `[n, classes]`
and `weights` `[n]` or None. A row whose label is NaN is a row without a label and is left out, as
is a row of weight zero. The predicted class is the likeliest, of several the first. Where a metric
has no value (no rows, or a prediction that is NaN) it is `nan`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Flags, Floats, Ints, row_weights
from tfmtl.evaluation.binary import auc

# About the distance from 1 to the nearest float32, below which a model cannot say how sure it is.
CLIP = 1e-7


def counted_classes(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Ints, Floats, Floats, Flags]:
    """The rows a metric counts: labels `[m]`, probabilities `[m, classes]` and weights `[m]` of
    those with a label and a weight above zero, and which were kept, `[n]`.

    Raises:
        ValueError: if shapes do not fit together, or a label is no number of a class.
    """
    found = np.asarray(labels, np.float64)
    likely = np.asarray(probabilities, np.float64)
    if found.ndim != 1 or likely.ndim != 2 or len(found) != len(likely):
        raise ValueError(
            "`labels` and `probabilities` should have shapes [n] and [n, classes]. "
            f"Received: {found.shape} and {likely.shape}"
        )
    row_weight = row_weights(weights, len(found))
    kept = ~np.isnan(found) & (row_weight > 0)
    return checked_classes(found[kept], likely.shape[1]), likely[kept], row_weight[kept], kept


def checked_classes(labels: Floats, classes: int) -> Ints:
    """Labels `[n]` as numbers of classes.

    Raises:
        ValueError: if a label is no number of a class.
    """
    found = labels.astype(np.intp)
    wrong = (found != labels) | (found < 0) | (found >= classes)
    if wrong.any():
        raise ValueError(
            f"`labels` should be numbers of classes, 0 to {classes - 1}. "
            f"Received: {labels[wrong][0]:g}"
        )
    return found


def accuracy(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Share of the rows whose class is the predicted one.

    Example:
        >>> accuracy([0, 1, 1], [[.9, .1], [.6, .4], [.2, .8]], weights=[1, 1, 2])
        0.75
    """
    y, p, w, _ = counted_classes(labels, probabilities, weights)
    if not y.size or np.isnan(p).any():
        return math.nan
    return float(np.average(p.argmax(axis=1) == y, weights=w))


def majority(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Share of the rows of the most frequent class: the accuracy of always naming it.

    Example:
        >>> majority([0, 1, 1, 1], [[.5, .5]] * 4)
        0.75
    """
    y, _, w, _ = counted_classes(labels, probabilities, weights)
    return float(np.bincount(y, w).max() / w.sum()) if y.size else math.nan


def macro_f1(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean over the classes of `F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c)`, rare ones counting alike.

    A class that is neither the label nor the prediction of any row has no F1 and is left out, so
    that a slice is not blamed for classes it does not have.

    Example:
        >>> round(macro_f1([0, 1, 1], [[.9, .1, 0], [.6, .4, 0], [.2, .8, 0]]), 4)
        0.6667
    """
    y, p, w, _ = counted_classes(labels, probabilities, weights)
    if not y.size or np.isnan(p).any():
        return math.nan
    predicted, classes = p.argmax(axis=1), p.shape[1]
    right = np.bincount(y, w * (predicted == y), classes)
    either = np.bincount(y, w, classes) + np.bincount(predicted, w, classes)
    return float(np.mean(2 * right[either > 0] / either[either > 0]))


def macro_auc(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean over the classes of the AUC of each against all others, rare ones counting alike.

    A class that is the label of no row, or of every one, has no AUC and is left out.

    Example:
        >>> macro_auc([0, 1, 1], [[.6, .3, .1], [.7, .2, .1], [.2, .7, .1]])
        0.5
    """
    y, p, w, _ = counted_classes(labels, probabilities, weights)
    if not y.size or np.isnan(p).any():
        return math.nan
    areas = [auc((y == c).astype(np.float64), p[:, c], w) for c in np.unique(y)]
    defined = [area for area in areas if not math.isnan(area)]
    return float(np.mean(defined)) if defined else math.nan


def log_loss(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean cross entropy in nats, `-sum_i w_i ln p_i,y_i / sum_i w_i`.

    Probabilities are clipped at 1e-7.

    Example:
        >>> round(log_loss([1, 0], [[.5, .5], [.25, .75]]), 4)
        1.0397
    """
    y, p, w, _ = counted_classes(labels, probabilities, weights)
    if not y.size or np.isnan(p).any():
        return math.nan
    likely = p[np.arange(y.size), y]
    return float(np.average(-np.log(np.maximum(likely, CLIP)), weights=w))
