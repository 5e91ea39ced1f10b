"""Bootstrap over clusters of rows, and the intervals it gives.

Rows of one user are alike, so users, not rows, are what is drawn anew. A figure that is a function
of sums needs its sums by cluster only: a replicate's sums are `draws @ sums`, with the number of
times each cluster was drawn.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tfmtl.evaluation._rows import Floats

LEVEL = 0.95
"""How often an interval should contain the truth."""

REPLICATES = 1000
"""Times that clusters are drawn; an interval's end is then known to a fiftieth of its length."""

# Of more replicates without a value, those with one say little about the figure.
_MOST_UNDEFINED = 0.05


class Draws:
    """How often each cluster comes in each replicate, the same for all that ask.

    Two models measured with the same draws are compared on the same resampled users, which is what
    makes the interval of their difference narrow.

    Args:
        seed: of the random numbers.
        replicates: how many times clusters are drawn.
    """

    def __init__(self, seed: int, replicates: int = REPLICATES) -> None:
        self._seed, self._replicates = seed, replicates
        self._made: dict[int, Floats] = {}

    def of(self, clusters: int) -> Floats:
        """Multinomial counts `[replicates, clusters]`, each row's sum is `clusters`."""
        if not clusters:
            return np.zeros((self._replicates, 0))
        if clusters not in self._made:
            random = np.random.default_rng([self._seed, clusters])
            counts = random.multinomial(clusters, np.full(clusters, 1 / clusters), self._replicates)
            self._made[clusters] = counts.astype(np.float64)
        return self._made[clusters]


def interval(replicates: Floats, clusters: int, level: float = LEVEL) -> tuple[float, float] | None:
    """The expanded percentile interval of a figure.

    Percentiles of the replicates at `Phi(-+ sqrt(n / (n - 1)) t)`, with `t` that of Student's
    distribution with `n - 1` degrees of freedom: the plain percentiles, which are too narrow where
    clusters are few, made wider as Student's interval is wider than the normal one.

    Args:
        replicates: the figure in each replicate `[r]`; `nan` where it has no value.
        clusters: how many clusters the figure is of.
        level: how often the interval should contain the truth.

    Returns:
        The lower and the upper end; None where no interval can be given: of one cluster, or where
        more than 5 % of the replicates have no value.

    Reference: Hesterberg, What Teachers Should Know About the Bootstrap, 2015
    (https://arxiv.org/abs/1411.5279).

    Example:
        >>> low, high = interval(np.linspace(0, 1, 1001), clusters=100_000)
        >>> round(low, 3), round(high, 3)
        (0.025, 0.975)
    """
    defined = replicates[np.isfinite(replicates)]
    enough = defined.size and defined.size >= (1 - _MOST_UNDEFINED) * replicates.size
    if clusters < 2 or not enough:
        return None
    tail = NormalDist().cdf(-math.sqrt(clusters / (clusters - 1)) * _student(clusters - 1, level))
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)


def _student(degrees: int, level: float) -> float:
    """The quantile of Student's distribution that leaves half of `1 - level` above it.

    Closed forms for 1 and 2 degrees of freedom, else Cornish and Fisher's expansion, exact to .01.
    """
    chance = (1 + level) / 2
    if degrees == 1:
        return math.tan(math.pi * (chance - 0.5))
    if degrees == 2:
        return (2 * chance - 1) * math.sqrt(2 / (4 * chance * (1 - chance)))
    z = NormalDist().inv_cdf(chance)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / degrees**power for power, term in enumerate(terms))
