"""Quantile sketches: exact where they hold everything, within the stated error where not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.preprocess.quantiles import QuantileSketch, read_sketches, write_sketches

numbers = st.lists(
    st.one_of(st.just(math.nan), st.floats(-1e6, 1e6, width=32)), min_size=0, max_size=40
)


def rank_error(sketch: QuantileSketch, values: np.ndarray, q: np.ndarray) -> float:
    """How far the shares of the values below the sketch's quantiles are from q, at most."""
    ordered, found = np.sort(values), sketch.quantiles(q)
    low = np.searchsorted(ordered, found, "left") / len(values)
    high = np.searchsorted(ordered, found, "right") / len(values)
    return float(np.maximum(0, np.maximum(low - q, q - high)).max())


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=6))
def test_few_numbers_are_kept_as_they_are(parts):
    merged = QuantileSketch.merge(QuantileSketch.of(np.array(p, np.float32)) for p in parts)

    known = np.sort([x for p in parts for x in np.array(p, np.float32) if not math.isnan(x)])
    assert merged.count == len(known)
    assert merged.points.tolist() == known.tolist()
    if len(known):
        q = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
        ranks = np.maximum(np.ceil(q * len(known)).astype(int), 1) - 1
        assert merged.quantiles(q).tolist() == known[ranks].tolist()
        assert (merged.minimum, merged.maximum) == (known[0], known[-1])
    else:
        assert np.isnan(merged.quantiles([0.5])).all()


@pytest.mark.parametrize("spread", ["even", "heavy tail", "few values", "ascending"])
def test_the_error_of_many_parts_is_below_the_stated_bound(spread):
    random = np.random.default_rng(3)
    count, batch = 700_000, 7_000
    values = {
        "even": lambda: random.random(count),
        "heavy tail": lambda: random.pareto(0.7, count),
        "few values": lambda: random.integers(0, 7, count).astype(float),
        "ascending": lambda: np.arange(count, dtype=float),
    }[spread]()
    parts = [QuantileSketch.of(values[i : i + batch]) for i in range(0, count, batch)]

    merged = QuantileSketch.merge(parts)

    # 100 parts are merged in two rounds of at most 64: (1 + 2) / (2 * 2048); the answer itself is
    # a point, which is at most half a stretch from the rank that was asked for.
    bound = 3 / 4096 + 1 / 4096
    assert rank_error(merged, values, np.arange(1, 1000) / 1000) <= bound
    assert (merged.count, len(merged.points)) == (count, 2048)
    assert (merged.minimum, merged.maximum) == (values.min(), values.max())
    bounds = np.quantile(values, [0.2, 0.5, 0.8])
    exact = np.searchsorted(np.sort(values), bounds, "left")
    assert np.abs(merged.below(bounds) - exact).max() / count <= bound


def test_parts_of_unequal_size_count_by_their_size():
    large = QuantileSketch.of(np.linspace(0, 1, 90_000))
    small = QuantileSketch.of(np.linspace(9, 10, 10_000))

    merged = QuantileSketch.merge([small, QuantileSketch(), large])

    assert merged.quantiles([0.45])[0] == pytest.approx(0.5, abs=0.002)
    assert merged.quantiles([0.95])[0] == pytest.approx(9.5, abs=0.01)


def test_the_same_parts_in_the_same_order_give_the_same_bytes(tmp_path):
    values = np.random.default_rng(1).normal(size=300_000).astype(np.float32)

    for name in ("one", "two"):
        parts = [QuantileSketch.of(values[i : i + 9_999]) for i in range(0, 300_000, 9_999)]
        write_sketches(
            {"x": QuantileSketch.merge(parts), "none": QuantileSketch()}, tmp_path / name
        )

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = read_sketches(tmp_path / "one")
    assert found["none"].count == 0
    assert found["x"].count == 300_000
    assert found["x"].quantiles([0.5])[0] == pytest.approx(np.median(values), abs=0.01)
