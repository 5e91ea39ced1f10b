"""Statistics of columns as the protos of `tensorflow-metadata`: datasets, and columns of numbers.

The protos follow TensorFlow Data Validation, whose functions and Facets read them: 10 buckets of
equal width (STANDARD) and 10 of equal counts (QUANTILES), of all values that are there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.quantiles import QuantileSketch

Statistics: TypeAlias = pb.DatasetFeatureStatistics
StatisticsList: TypeAlias = pb.DatasetFeatureStatisticsList
Column: TypeAlias = pb.FeatureNameStatistics

BUCKETS = 10
"""Buckets of a histogram."""


def add_number(
    dataset: Statistics,
    name: str,
    moments: NumberStatistics,
    sketch: QuantileSketch,
    whole: bool = False,
    sizes: np.ndarray | None = None,
) -> Column:
    """Adds a column of numbers to a dataset.

    Args:
        dataset: dataset to add to.
        name: name of the column.
        moments: count, mean, deviation and range.
        sketch: the numbers' order; of no number where there are no histograms.
        whole: whether the numbers are integers.
        sizes: of a column of lists, how many rows have 0, 1, 2 ... values.
    """
    kind = pb.FeatureNameStatistics.INT if whole else pb.FeatureNameStatistics.FLOAT
    feature = dataset.features.add(type=kind)
    feature.path.step.append(name)
    numeric = feature.num_stats
    set_common(numeric.common_stats, moments.count, moments.missing, sizes)
    if moments.count:
        numeric.mean, numeric.std_dev = moments.mean, moments.deviation
        numeric.num_zeros = moments.zeros
        numeric.min, numeric.max = moments.minimum, moments.maximum
    if sketch.count:
        numeric.median = float(sketch.quantiles([0.5])[0])
        numeric.histograms.extend([standard_histogram(sketch), quantiles_histogram(sketch)])
    return feature


def standard_histogram(sketch: QuantileSketch) -> pb.Histogram:
    """Buckets of equal width from the smallest to the largest number; one where they are alike."""
    result = pb.Histogram(type=pb.Histogram.STANDARD)
    low, high = sketch.minimum, sketch.maximum
    edges = np.linspace(low, high, BUCKETS + 1) if low < high else np.array([low, high])
    below = np.concatenate([[0.0], sketch.below(edges[1:-1]), [sketch.count]])
    return _filled(result, edges, np.diff(below))


def quantiles_histogram(sketch: QuantileSketch) -> pb.Histogram:
    """Buckets of equal counts."""
    edges = sketch.quantiles(np.linspace(0, 1, BUCKETS + 1))
    counts = np.full(BUCKETS, sketch.count / BUCKETS)
    return _filled(pb.Histogram(type=pb.Histogram.QUANTILES), edges, counts)


def _filled(result: pb.Histogram, edges: np.ndarray, counts: np.ndarray) -> pb.Histogram:
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        result.buckets.add(low_value=low, high_value=high, sample_count=count)
    return result


def set_common(
    common: pb.CommonStatistics, present: int, missing: int, sizes: np.ndarray | None = None
) -> None:
    """Says how many rows have a value, and how many values.

    Args:
        common: what to fill.
        present: rows with a value, of a column of single values.
        missing: rows without.
        sizes: of a column of lists, how many rows have 0, 1, 2 ... values, which counts then.
    """
    if sizes is None:
        sizes = np.array([missing, present])
    given = np.arange(len(sizes))[1:]
    rows = np.asarray(sizes)[1:]
    common.num_missing = int(sizes[0]) if len(sizes) else 0
    common.num_non_missing = int(rows.sum())
    if not common.num_non_missing:
        return
    found = given[rows > 0]
    common.min_num_values, common.max_num_values = int(found[0]), int(found[-1])
    common.tot_num_values = int((given * rows).sum())
    common.avg_num_values = common.tot_num_values / common.num_non_missing
    reached = np.cumsum(rows)
    wanted = np.ceil(np.linspace(0, 1, BUCKETS + 1) * common.num_non_missing)
    edges = given[np.searchsorted(reached, np.maximum(wanted, 1))].astype(np.float64)
    counts = np.full(BUCKETS, common.num_non_missing / BUCKETS)
    common.num_values_histogram.type = pb.Histogram.QUANTILES
    _filled(common.num_values_histogram, edges, counts)


def common_of(column: Column) -> pb.CommonStatistics:
    """Presence and value counts of a column of any kind."""
    kind = column.WhichOneof("stats")
    return getattr(column, kind).common_stats if kind else pb.CommonStatistics()


def histogram_of(column: Column, kind: int) -> pb.Histogram | None:
    """A number column's histogram of one type, None where it has none."""
    return next((h for h in column.num_stats.histograms if h.type == kind), None)


def column_name(column: Column) -> str:
    """Name of a column, however the statistics' writer gave it."""
    return column.name or ".".join(column.path.step)


def by_name(dataset: Statistics) -> dict[str, Column]:
    """A dataset's columns by name, in their order."""
    return {column_name(column): column for column in dataset.features}


def write_statistics(datasets: Sequence[Statistics], path: Path) -> None:
    """Writes statistics, the same bytes for the same statistics."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(StatisticsList(datasets=datasets).SerializeToString(deterministic=True))


def read_statistics(path: Path) -> StatisticsList:
    """Reads statistics from a file."""
    return StatisticsList.FromString(path.read_bytes())
