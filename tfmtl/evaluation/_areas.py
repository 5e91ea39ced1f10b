"""Areas and calibration errors of sums by score.

Rows of one score, or of one bin of scores, are summed first; whatever then says how good an order
is reads sums only. So the same few lines give the exact figure (a place for each distinct score),
the figure of a histogram, and a thousand resampled figures at once (a leading axis).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._rows import Floats, Ints


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    """`part / whole`, `nan` where `whole` is not above zero.

    Example:
        >>> ratio([1.0, 1.0], [2.0, 0.0]).tolist()
        [0.5, nan]
    """
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    undefined = np.full(np.broadcast_shapes(part.shape, whole.shape), math.nan)
    found: Floats = np.divide(part, whole, out=undefined, where=whole > 0)
    return found


def roc_area(positives: Floats, negatives: Floats) -> Floats:
    """How often a positive scores above a negative, a tie counting half.

    `sum_b P_b (N_<b + N_b / 2) / (P N)`, over scores `b` from the lowest.

    Args:
        positives: weight of the positives by score, ascending, `[..., b]`.
        negatives: that of the negatives `[..., b]`.

    Returns:
        `[...]`, `nan` without both classes.

    Example:
        >>> float(roc_area(np.array([0.0, 1.0]), np.array([1.0, 1.0])))
        0.75
    """
    upto = np.cumsum(negatives, axis=-1, dtype=np.float64)
    won = np.einsum("...b,...b->...", positives, upto - negatives / 2)
    return ratio(won, positives.sum(axis=-1, dtype=np.float64) * _last(upto))


def precision_area(positives: Floats, negatives: Floats) -> Floats:
    """Average precision, `sum_t (R_t - R_{t-1}) P_t`, the thresholds `t` from the highest score.

    Args:
        positives: weight of the positives by score, ascending, `[..., b]`.
        negatives: that of the negatives `[..., b]`.

    Returns:
        `[...]`, `nan` without both classes.

    Example:
        >>> float(precision_area(np.array([1.0, 1.0]), np.array([1.0, 0.0])))
        0.8333333333333333
    """
    hits = np.cumsum(positives[..., ::-1], axis=-1, dtype=np.float64)
    shown = np.cumsum(negatives[..., ::-1], axis=-1, dtype=np.float64)
    all_hits, all_others = _last(hits).copy(), _last(shown).copy()
    shown += hits
    precision = np.divide(hits, shown, out=hits, where=shown > 0)
    found = np.einsum("...b,...b->...", positives[..., ::-1], precision)
    return ratio(np.where(all_others > 0, found, math.nan), all_hits)


def equal_mass(mass: Floats, bins: int) -> Ints:
    """Bins of about equal mass, for places in their order.

    Args:
        mass: weight by score, ascending, `[b]`.
        bins: how many.

    Returns:
        Each place's bin `[b]`, 0 to `bins - 1`, ascending; some may be without a place.

    Example:
        >>> equal_mass(np.array([1.0, 1.0, 2.0]), 2).tolist()
        [0, 0, 1]
    """
    middles = np.cumsum(mass) - mass / 2
    total = mass.sum()
    return np.floor(middles * bins / total if total > 0 else middles).astype(np.intp)


def calibration_error(gaps: Floats, bins: Ints, whole: Floats) -> Floats:
    """Expected calibration error, `sum_b |gap_b| / whole`.

    Args:
        gaps: weighted sum of prediction less label by score, ascending, `[..., b]`.
        bins: each score's bin, ascending, `[b]`.
        whole: the weight of all rows `[...]`.

    Returns:
        `[...]`.
    """
    if not bins.size:
        return ratio(np.zeros(gaps.shape[:-1]), whole)
    starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    return ratio(np.abs(np.add.reduceat(gaps, starts, axis=-1)).sum(axis=-1), whole)


def _last(values: Floats) -> Floats:
    return values[..., -1] if values.shape[-1] else np.zeros(values.shape[:-1])
