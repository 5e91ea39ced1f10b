"""How good items are by their ratings: shrunken means with credible intervals.

A rating of item i is `x_ij ~ N(theta_i, s^2)`, and the items' means `theta_i ~ N(m, t^2)`, so that
with n_i ratings of mean x_i

    theta_i | x  ~  N((m / t^2 + n_i x_i / s^2) v_i, v_i),   1 / v_i = 1 / t^2 + n_i / s^2

The variances are those of the analysis of variance with unequal groups, `m` the mean of the items'
means, each weighted by its precision `1 / (t^2 + s^2 / n_i)`: empirical Bayes.

References: Gelman et al., "Bayesian data analysis", 3rd ed. (2013), section 5.4; Searle, Casella
and McCulloch, "Variance components" (1992), section 3.6.
"""

from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipelines.preprocess.catalogue import raw
from pipelines.preprocess.writing import write_parquet
from tfmtl.config import BinaryTask, Config, RegressionTask
from tfmtl.config.quality import QUALITY
from tfmtl.preprocessing import columns


class Known(NamedTuple):
    """What is known of items: float64 `[items]` each."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Prior(NamedTuple):
    """Mean and variance of the items' means, and the variance of an item's ratings."""

    mean: float
    between: float
    within: float


def add_quality(config: Config, output: Path) -> None:
    """Adds to Transform's catalogue what the training rows say of its items; nothing where the
    configuration wants none."""
    spec = config.serving.quality
    if spec is None:
        return
    path = output / "catalogue.parquet"
    catalogue = pq.read_table(path)
    label = columns.label(spec.of)
    rows = ds.dataset(output / columns.SPLITS[0], format="parquet").to_table(
        columns=[columns.ITEM, label],
        filter=ds.field(label).is_valid() & (ds.field(columns.ITEM) >= 0),
    )
    items, labels = rows[columns.ITEM].to_numpy(), rows[label].to_numpy().astype(np.float64)
    task = config.tasks[spec.of]
    assert isinstance(task, BinaryTask | RegressionTask)
    bounds = (0.0, 1.0) if isinstance(task, BinaryTask) else task.range
    known = qualities(items, labels, len(catalogue), spec.interval, bounds)
    for name, values in zip(QUALITY, known, strict=True):
        catalogue = catalogue.append_column(raw(name), pa.array(values.astype(np.float32)))
    write_parquet(catalogue, path)


def qualities(
    items: np.ndarray,
    labels: np.ndarray,
    count: int,
    interval: float,
    bounds: tuple[float, float] | None = None,
) -> Known:
    """What ratings say of items.

    Args:
        items: the item that each rating is of, int `[n]`, from 0.
        labels: the ratings, float64 `[n]`.
        count: how many items there are.
        interval: probability of the interval.
        bounds: ends beyond which nothing can be.

    Returns:
        Of every item. Without a rating at all nothing is known: NaN.
    """
    sizes = np.bincount(items, minlength=count).astype(np.float64)
    sums = np.bincount(items, labels, minlength=count)
    prior = prior_of(items, labels, sizes, sums)
    if prior.between == 0:  # nothing says that items differ
        mean, variance = np.full(count, prior.mean), np.zeros(count)
    elif prior.within == 0:  # one rating says all
        mean = np.where(sizes > 0, sums / np.maximum(sizes, 1), prior.mean)
        variance = np.where(sizes > 0, 0.0, prior.between)
    else:
        variance = 1 / (1 / prior.between + sizes / prior.within)
        mean = variance * (prior.mean / prior.between + sums / prior.within)
    reach = NormalDist().inv_cdf((1 + interval) / 2) * np.sqrt(variance)
    known = (mean, mean - reach, mean + reach)
    return Known(*(values if bounds is None else np.clip(values, *bounds) for values in known))


def prior_of(items: np.ndarray, labels: np.ndarray, sizes: np.ndarray, sums: np.ndarray) -> Prior:
    """The prior that the ratings of all items make likely.

    Args:
        items: as of `qualities`.
        labels: as of `qualities`.
        sizes: ratings of each item.
        sums: their sums.
    """
    if not len(labels):
        return Prior(np.nan, 0.0, 0.0)
    rated, total = sizes > 0, len(labels)
    groups, overall = int(rated.sum()), labels.mean()
    means = sums[rated] / sizes[rated]
    inside = np.square(labels - (sums / np.maximum(sizes, 1))[items]).sum()
    if groups == total or groups == 1:  # not to be told apart, whether items or ratings differ
        return Prior(float(overall), 0.0, float(labels.var()))
    within = inside / (total - groups)
    square = np.sum(sizes[rated] * np.square(means - overall)) / (groups - 1)
    size = (total - np.square(sizes).sum() / total) / (groups - 1)
    between = max(0.0, (square - within) / size)
    spread = between + within / sizes[rated]
    weights = 1 / spread if spread.min() > 0 else np.ones(groups)
    return Prior(float(np.average(means, weights=weights)), float(between), float(within))
