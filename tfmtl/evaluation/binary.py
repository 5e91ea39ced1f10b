"""Metrics of binary tasks: how well predictions order the labels, and how far they can be trusted.

Every function takes `labels` `[n]` in [0, 1], `predictions` `[n]` and `weights` `[n]` or None.
A row whose label is NaN is a row without a label and is left out, as is a row of weight zero. Where
a metric has no value (no rows, or one class only where it needs both, or a NaN prediction) it is
`nan`. A label between 0 and 1 counts as that share of a positive.

`log_loss`, `normalized_entropy`, `ece` and `calibration` read predictions as probabilities; `auc`,
`pr_auc` and `gauc` take any score.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import calibration_error, equal_mass, precision_area, roc_area
from tfmtl.evaluation._groups import group_areas
from tfmtl.evaluation._rows import Flags, Floats, counted, group_codes, run_flags

# About the distance from 1 to the nearest float32, below which a model cannot say how sure it is.
_CLIP = 1e-7

ECE_BINS = 20
"""Bins of the expected calibration error."""


def auc(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, a tie counting half.

    `sum_ij w_i w_j (1[p_i > p_j] + 1[p_i = p_j] / 2) / sum_ij w_i w_j`, positives i, negatives j.

    Example:
        >>> auc([0, 0, 1, 1], [.1, .4, .4, .8])
        0.875
    """
    labels, predictions, weights, _ = _scored(labels, predictions, weights)
    if np.isnan(predictions).any():
        return math.nan
    hits, others, _ = _by_score(labels, predictions, weights)
    return float(roc_area(hits, others))


def gauc(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    groups: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> float:
    """AUC within each group (each user), averaged by the groups' weights.

    `sum_g W_g AUC_g / sum_g W_g`, over the groups that have both classes; `W_g` is the sum of the
    group's row weights, so its number of impressions when `weights` is None. Unlike `auc`, it is
    blind to what only tells active users from idle ones.

    Args:
        groups: numbers or strings `[n]`.

    Reference: Zhou et al., Deep Interest Network, 2018 (https://arxiv.org/abs/1706.06978).

    Example:
        >>> gauc([0, 1, 0, 1, 1], [.1, .2, .9, .8, .8], ["ann", "ann", "bob", "bob", "bob"])
        0.4
    """
    labels, predictions, weights, kept = _scored(labels, predictions, weights)
    if np.isnan(predictions).any():
        return math.nan
    codes = group_codes(groups, kept.size)[kept]
    order = np.lexsort((predictions, codes))
    by_group, group_weights = group_areas(
        codes[order],
        predictions[order],
        (weights * labels)[order],
        (weights * (1 - labels))[order],
    )
    defined = ~np.isnan(by_group)
    return _ratio((by_group * group_weights)[defined].sum(), group_weights[defined].sum())


def pr_auc(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Average precision: `sum_t (R_t - R_{t-1}) P_t`, the thresholds `t` from the highest score.

    Rows of one score are one threshold. There is no interpolation, which would flatter.

    Example:
        >>> round(pr_auc([0, 0, 1, 1], [.1, .4, .35, .8]), 4)
        0.8333
    """
    labels, predictions, weights, _ = _scored(labels, predictions, weights)
    if np.isnan(predictions).any():
        return math.nan
    hits, others, _ = _by_score(labels, predictions, weights)
    return float(precision_area(hits, others))


def log_loss(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean cross entropy in nats: `-sum_i w_i (y_i ln p_i + (1 - y_i) ln(1 - p_i)) / sum_i w_i`.

    Predictions are clipped to `[1e-7, 1 - 1e-7]`.

    Example:
        >>> round(log_loss([1, 0], [.5, .5]), 4)
        0.6931
    """
    labels, predictions, weights = _probable(labels, predictions, weights)
    return _ratio((weights * clipped_losses(labels, predictions)).sum(), weights.sum())


def clipped_losses(labels: npt.NDArray, predictions: npt.NDArray) -> Floats:
    """Cross entropy of each row in nats `[n]`."""
    clipped = np.clip(predictions.astype(np.float64, copy=False), _CLIP, 1 - _CLIP)
    losses: Floats = -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))
    return losses


def normalized_entropy(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Log loss over that of always predicting the base rate; below 1 when the model knows more.

    `log_loss / -(b ln b + (1 - b) ln(1 - b))`, with `b` the mean label.

    Reference: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, 2014
    (https://doi.org/10.1145/2648584.2648589).

    Example:
        >>> round(normalized_entropy([1, 0, 0, 0], [.25, .25, .25, .25]), 4)
        1.0
    """
    labels, predictions, weights = _probable(labels, predictions, weights)
    rate = _ratio((weights * labels).sum(), weights.sum())
    if not 0 < rate < 1:
        return math.nan
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
    return log_loss(labels, predictions, weights) / entropy


def ece(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    bins: int = ECE_BINS,
) -> float:
    """Expected calibration error: `sum_b W_b / W |mean prediction_b - mean label_b|`.

    The bins hold equal weight, not equal width: clicks are rare, and bins of equal width would put
    nearly every row into the first. Rows of one prediction fall into one bin, so the result does
    not depend on the order of the rows.

    Args:
        bins: how many bins; fewer are filled when there are fewer distinct predictions.

    Reference: Nguyen & O'Connor, Posterior calibration, 2015 (https://arxiv.org/abs/1508.05154).

    Example:
        >>> round(ece([0, 1, 1, 1], [.5, .5, .75, .75]), 4)
        0.125
    """
    labels, predictions, weights = _probable(labels, predictions, weights)
    hits, others, promised = _by_score(labels, predictions, weights)
    mass = hits + others
    return float(calibration_error(promised - hits, equal_mass(mass, bins), mass.sum()))


def calibration(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Mean prediction over mean label: 1 is right, above 1 promises too much. `nan` if no positive.

    Example:
        >>> calibration([1, 0, 0, 0], [.5, .5, .5, .5])
        2.0
    """
    labels, predictions, weights = _probable(labels, predictions, weights)
    return _ratio((weights * predictions).sum(), (weights * labels).sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan


def _scored(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats, Flags]:
    rows = counted(labels, predictions, weights)
    check_unit("labels", rows[0])
    return rows


def _probable(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    labels, predictions, weights, _ = _scored(labels, predictions, weights)
    check_unit("predictions", predictions)
    return labels, predictions, weights


def check_unit(name: str, values: npt.NDArray) -> None:
    """Says what is wrong with values.

    Raises:
        ValueError: if one is not in [0, 1] or NaN.
    """
    if ((values < 0) | (values > 1)).any():
        raise ValueError(
            f"`{name}` should lie in [0, 1]. Received values from {values.min()} to {values.max()}"
        )


def _by_score(
    labels: Floats, predictions: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """By distinct prediction, ascending: weight of positives and negatives, sum of predictions."""
    order = np.argsort(predictions)
    if not order.size:
        return order.astype(np.float64), order.astype(np.float64), order.astype(np.float64)
    starts = np.flatnonzero(run_flags(predictions[order]))
    amounts = weights * labels, weights * (1 - labels), weights * predictions
    hits, others, promised = (np.add.reduceat(amount[order], starts) for amount in amounts)
    return hits, others, promised
