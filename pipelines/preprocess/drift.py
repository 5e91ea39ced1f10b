"""How far two distributions of a column are apart, as TensorFlow Data Validation measures it.

Of texts, the L-infinity distance of the shares of the values in the two rank histograms,

    max_v |p(v) - q(v)|.

Of numbers, the Jensen-Shannon divergence in bits of two histograms,

    (KL(p || m) + KL(q || m)) / 2,  m = (p + q) / 2,  KL(p || m) = sum_i p_i log2(p_i / m_i),

over the buckets between all edges of both. Within a bucket, values count as spread evenly; a bucket
without width is a value by itself. Both distances lie between 0 and 1.
"""

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb


def infinity_norm(first: pb.RankHistogram, second: pb.RankHistogram) -> tuple[float, str]:
    """The L-infinity distance, and the value whose share differs most, the least of several."""
    p, q = _shares(first), _shares(second)
    differences = {value: abs(p.get(value, 0.0) - q.get(value, 0.0)) for value in sorted({*p, *q})}
    if not differences:
        return 0.0, ""
    # Of two values, the last bits of equal differences may differ.
    value = max(differences, key=lambda value: round(differences[value], 12))
    return differences[value], value


def jensen_shannon(first: pb.Histogram, second: pb.Histogram) -> float:
    """The Jensen-Shannon divergence of two histograms, none of them empty."""
    edges = np.unique(_edges(first) + _edges(second))
    points = sorted({*_points(first), *_points(second)})
    p, q = _masses(first, edges, points), _masses(second, edges, points)
    middle = (p + q) / 2
    return float(np.clip((_divergence(p, middle) + _divergence(q, middle)) / 2, 0.0, 1.0))


def texts_jensen_shannon(first: pb.RankHistogram, second: pb.RankHistogram) -> float:
    """The Jensen-Shannon divergence of texts."""
    p, q = _shares(first), _shares(second)
    values = sorted({*p, *q})
    one = np.array([p.get(value, 0.0) for value in values])
    other = np.array([q.get(value, 0.0) for value in values])
    middle = (one + other) / 2
    return float(np.clip((_divergence(one, middle) + _divergence(other, middle)) / 2, 0.0, 1.0))


def share_of(ranks: pb.RankHistogram, value: str) -> float:
    """Share of a value among those that are ranked."""
    return _shares(ranks).get(value, 0.0)


def _shares(ranks: pb.RankHistogram) -> dict[str, float]:
    total = sum(bucket.sample_count for bucket in ranks.buckets)
    return {bucket.label: bucket.sample_count / total for bucket in ranks.buckets}


def _edges(histogram: pb.Histogram) -> list[float]:
    return [
        edge
        for bucket in histogram.buckets
        if bucket.low_value < bucket.high_value
        for edge in (bucket.low_value, bucket.high_value)
    ]


def _points(histogram: pb.Histogram) -> list[float]:
    return [b.low_value for b in histogram.buckets if b.low_value == b.high_value]


def _masses(histogram: pb.Histogram, edges: np.ndarray, points: list[float]) -> np.ndarray:
    """Shares of a histogram between all edges, then at all points."""
    between = np.zeros(max(len(edges) - 1, 0))
    at = dict.fromkeys(points, 0.0)
    for bucket in histogram.buckets:
        low, high = bucket.low_value, bucket.high_value
        if low == high:
            at[low] += bucket.sample_count
        else:
            first, last = np.searchsorted(edges, [low, high])
            widths = np.diff(edges[first : last + 1])
            between[first:last] += bucket.sample_count * widths / (high - low)
    masses = np.concatenate([between, np.array(list(at.values()))])
    return masses / masses.sum()


def _divergence(p: np.ndarray, middle: np.ndarray) -> float:
    known = p > 0
    return float((p[known] * np.log2(p[known] / middle[known])).sum())
