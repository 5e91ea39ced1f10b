"""AUC within groups of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfmtl.evaluation._areas import ratio
from tfmtl.evaluation._rows import Floats, run_flags


def group_areas(
    groups: npt.NDArray, scores: npt.NDArray, positives: Floats, negatives: Floats
) -> tuple[Floats, Floats]:
    """AUC `[g]` of each group, `nan` for one without both classes, and the groups' weights `[g]`.

    In each run of tied rows, every positive beats the negatives of the runs before it in its group
    and half of the negatives of its own.

    Args:
        groups: numbers `[n]`, the rows of a group one after another.
        scores: floats `[n]`, ascending in each group.
        positives: weight of each row as a positive `[n]`.
        negatives: as a negative.
    """
    if not groups.size:
        return np.zeros(0), np.zeros(0)
    group_of_row = np.cumsum(run_flags(groups)) - 1
    starts = np.flatnonzero(run_flags(groups, scores))
    hits, others = np.add.reduceat(positives, starts), np.add.reduceat(negatives, starts)
    group = group_of_row[starts]
    all_hits, all_others = np.bincount(group, hits), np.bincount(group, others)
    earlier_groups = np.cumsum(all_others) - all_others
    below = np.cumsum(others) - others - earlier_groups[group]
    won = np.bincount(group, hits * (below + others / 2))
    return ratio(won, all_hits * all_others), np.asarray(all_hits + all_others, np.float64)
