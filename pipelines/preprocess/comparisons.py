"""Compares two datasets' statistics: drift between two runs, skew between two splits."""

from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipelines.preprocess.drift import (
    infinity_norm,
    jensen_shannon,
    share_of,
    texts_jensen_shannon,
)
from pipelines.preprocess.findings import Distance, Finding
from pipelines.preprocess.schemas import is_checked
from pipelines.preprocess.statistics_proto import (
    Column,
    Statistics,
    by_name,
    common_of,
    histogram_of,
)
from tfmtl.config import AnomalyKind


def compare(
    kind: AnomalyKind,
    before: Statistics,
    after: Statistics,
    schema: schema_pb2.Schema,
    names: tuple[str, str],
    fewest: int,
) -> tuple[list[Finding], list[Distance]]:
    """Measures how far the columns of two datasets are apart.

    Args:
        kind: `drift` or `skew`, which says which comparators of the schema count.
        before: statistics that are compared with.
        after: statistics that are compared.
        schema: the allowed distances.
        names: what the two datasets are called.
        fewest: rows with a value that a column needs in both.

    Returns:
        What is further apart than allowed, and all distances. Columns that are not in both
        datasets, or with fewer values, have none.
    """
    findings, distances = [], []
    columns, others = by_name(before), by_name(after)
    for feature in schema.feature:
        one, other = columns.get(feature.name), others.get(feature.name)
        if one is None or other is None or not is_checked(feature):
            continue
        if min(common_of(column).num_non_missing for column in (one, other)) < max(fewest, 1):
            continue
        if one.WhichOneof("stats") != other.WhichOneof("stats"):
            continue
        comparator = feature.drift_comparator if kind == "drift" else feature.skew_comparator
        for distance, note in _distances(kind, feature.name, comparator, one, other):
            distances.append(distance)
            if distance.value > distance.threshold:
                findings.append(_finding(distance, note, names))
    return findings, distances


def _distances(
    kind: AnomalyKind,
    name: str,
    comparator: schema_pb2.FeatureComparator,
    one: Column,
    other: Column,
) -> Iterator[tuple[Distance, str]]:
    text = one.WhichOneof("stats") == "string_stats"
    if text and comparator.HasField("infinity_norm"):
        ranks = one.string_stats.rank_histogram, other.string_stats.rank_histogram
        value, differs = infinity_norm(*ranks)
        shares = [f"{share_of(own, differs):.1%}" for own in ranks]
        note = f"; '{differs}' went from {shares[0]} to {shares[1]}"
        yield Distance(name, kind, "L_INFTY", value, comparator.infinity_norm.threshold), note
    if comparator.HasField("jensen_shannon_divergence"):
        wanted = comparator.jensen_shannon_divergence
        if text:
            value = texts_jensen_shannon(
                one.string_stats.rank_histogram, other.string_stats.rank_histogram
            )
            note = ""
        else:
            quantiles = wanted.source.type == schema_pb2.HistogramSelection.QUANTILES
            source = statistics_pb2.Histogram.HistogramType.Value(
                "QUANTILES" if quantiles else "STANDARD"
            )
            known = [histogram_of(column, source) for column in (one, other)]
            if known[0] is None or known[1] is None:
                return
            value = jensen_shannon(known[0], known[1])
            means = one.num_stats.mean, other.num_stats.mean
            note = f"; the mean went from {means[0]:.4g} to {means[1]:.4g}"
        yield Distance(name, kind, "JENSEN_SHANNON_DIVERGENCE", value, wanted.threshold), note


def _finding(distance: Distance, note: str, names: tuple[str, str]) -> Finding:
    measure = {
        "L_INFTY": ("L-infinity distance", "COMPARATOR_L_INFTY_HIGH"),
        "JENSEN_SHANNON_DIVERGENCE": (
            "Jensen-Shannon divergence",
            "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        ),
    }[distance.type]
    return Finding(
        distance.column,
        distance.kind,
        measure[1],
        f"High {distance.kind}",
        f"column '{distance.column}': {distance.kind} from {names[0]} to {names[1]}, "
        f"{measure[0]} {distance.value:.3g} is above {distance.threshold:g}{note}",
    )
