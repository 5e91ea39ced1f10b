"""Distances between distributions, worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.preprocess.drift import infinity_norm, jensen_shannon, texts_jensen_shannon


def ranks(**counts: float) -> pb.RankHistogram:
    result = pb.RankHistogram()
    for label, count in counts.items():
        result.buckets.add(label=label, sample_count=count)
    return result


def histogram(*buckets: tuple[float, float, float]) -> pb.Histogram:
    result = pb.Histogram()
    for low, high, count in buckets:
        result.buckets.add(low_value=low, high_value=high, sample_count=count)
    return result


def test_the_infinity_norm_is_the_largest_difference_of_shares():
    # 3/4 against 1/10, 1/4 against 5/10, 0 against 4/10.
    before, after = ranks(a=3, b=1), ranks(a=1, b=5, c=4)

    assert infinity_norm(before, after) == (pytest.approx(0.65), "a")
    assert infinity_norm(after, before) == (pytest.approx(0.65), "a")
    assert infinity_norm(before, ranks(a=30, b=10))[0] == 0.0


def test_jensen_shannon_of_the_same_buckets():
    # p = (1/2, 1/2), q = (1, 0), m = (3/4, 1/4).
    expected = (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25) + math.log2(1 / 0.75)) / 2

    found = jensen_shannon(histogram((0, 1, 5), (1, 2, 5)), histogram((0, 1, 8), (1, 2, 0)))

    assert found == pytest.approx(expected)


def test_jensen_shannon_divides_buckets_at_the_edges_of_both():
    # Evenly spread on [0, 4] and on [2, 6]: (1/2, 1/2, 0) and (0, 1/2, 1/2) over [0, 2, 4, 6].
    expected = 2 * (0.5 * math.log2(0.5 / 0.25)) / 2

    assert jensen_shannon(histogram((0, 4, 7)), histogram((2, 6, 3))) == pytest.approx(expected)


def test_jensen_shannon_takes_a_bucket_without_width_for_a_value():
    # Half of the numbers are exactly 1, the others spread over [0, 2]; or all are exactly 1.
    expected = (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25) + math.log2(4 / 3)) / 2

    found = jensen_shannon(histogram((0, 2, 5), (1, 1, 5)), histogram((1, 1, 4)))

    assert found == pytest.approx(expected)


def test_nothing_in_common_is_one_and_the_same_is_none():
    assert jensen_shannon(histogram((0, 1, 5)), histogram((2, 3, 1))) == pytest.approx(1)
    assert jensen_shannon(histogram((0, 1, 5)), histogram((0, 1, 1))) == 0
    assert texts_jensen_shannon(ranks(a=2), ranks(b=1)) == pytest.approx(1)
    assert texts_jensen_shannon(ranks(a=1, b=1), ranks(a=1)) == pytest.approx(0.3113, abs=1e-4)


spans = st.lists(
    st.tuples(st.integers(-9, 9), st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=6
)


def dense(buckets) -> np.ndarray:
    """Masses of unit-wide cells, then of the integers: a reference without common edges."""
    cells, points = np.zeros(30), np.zeros(30)
    for low, width, count in buckets:
        if width:
            cells[low + 10 : low + 10 + width] += count / width
        else:
            points[low + 10] += count
    masses = np.concatenate([cells, points])
    return masses / masses.sum()


@settings(deadline=None)
@given(spans, spans)
def test_jensen_shannon_equals_that_on_unit_cells(one, other):
    p, q = dense(one), dense(other)
    m = (p + q) / 2
    expected = sum(
        (part[part > 0] * np.log2(part[part > 0] / m[part > 0])).sum() / 2 for part in (p, q)
    )

    found = jensen_shannon(
        *(
            histogram(*((low, low + width, count) for low, width, count in sorted(buckets)))
            for buckets in (one, other)
        )
    )

    assert found == pytest.approx(expected, abs=1e-9)
