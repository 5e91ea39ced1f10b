"""Shrunken means of items' ratings: the formulas worked by hand, and their limits."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.commands.common import load_config
from pipelines.preprocess.labels import task_labels
from pipelines.preprocess.quality import add_quality, qualities
from tfmtl.config import BinaryTask, ConfigError


def test_by_hand() -> None:
    """Items a: 1, 3; b: 5, 5, 5; c: none.

    Within: (1 + 1 + 0) / (5 - 2) = 2/3. Between: the mean of all is 3.8, so that the mean square is
    2 * 1.8^2 + 3 * 1.2^2 = 10.8 and n_0 = 5 - (4 + 9) / 5 = 2.4: t^2 = (10.8 - 2/3) / 2.4.
    """
    items, ratings = np.array([0, 1, 1, 0, 1]), np.array([1.0, 5.0, 5.0, 3.0, 5.0])
    found = qualities(items, ratings, 3, interval=0.9)
    within, between = 2 / 3, (10.8 - 2 / 3) / 2.4
    precise = [1 / (between + within / 2), 1 / (between + within / 3)]
    middle = (precise[0] * 2 + precise[1] * 5) / sum(precise)
    for item, (count, mean) in enumerate([(2, 2.0), (3, 5.0), (0, 0.0)]):
        variance = 1 / (1 / between + count / within)
        expected = variance * (middle / between + count * mean / within)
        reach = 1.6448536269514722 * math.sqrt(variance)
        np.testing.assert_allclose(found.mean[item], expected)
        np.testing.assert_allclose(found.low[item], expected - reach)
        np.testing.assert_allclose(found.high[item], expected + reach)
    assert found.high[2] - found.low[2] > found.high[0] - found.low[0]


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 2,000 items with known means and few ratings each."""
    random = np.random.default_rng(0)
    truth = random.normal(3.5, 0.6, 2000)
    items = np.repeat(np.arange(2000), random.integers(1, 8, 2000))
    ratings = random.normal(truth[items], 1.0)
    found = qualities(items, ratings, 2000, interval=0.8)
    held = np.mean((found.low < truth) & (truth < found.high))
    assert abs(held - 0.8) < 0.03
    plain = np.bincount(items, ratings) / np.bincount(items)
    assert np.mean(np.square(found.mean - truth)) < 0.7 * np.mean(np.square(plain - truth))


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ([(0, 3.0)], [3.0, 3.0]),  # one rating: of whom it speaks is not known
        ([(0, 2.0), (1, 4.0)], [3.0, 3.0]),  # one each: whether items differ is not known
        ([(0, 2.0), (0, 4.0), (1, 2.0), (1, 4.0)], [3.0, 3.0]),  # they do not
        ([(0, 1.0), (0, 1.0), (1, 5.0), (1, 5.0)], [1.0, 5.0]),  # ratings do not
        ([], [math.nan, math.nan]),
    ],
)
def test_where_nothing_varies(ratings: list[tuple[int, float]], expected: list[float]) -> None:
    items = np.array([item for item, _ in ratings], np.int64)
    found = qualities(items, np.array([value for _, value in ratings], float), 2, 0.9)
    np.testing.assert_allclose(found.mean, expected)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=40),
    st.floats(0.05, 0.99),
)
def test_always_within_the_scale_and_in_order(rows: list[tuple[int, int]], share: float) -> None:
    items, ratings = (np.array(part) for part in zip(*rows, strict=True))
    found = qualities(items, ratings.astype(float), 6, share, (1.0, 5.0))
    assert np.all((found.low >= 1) & (found.high <= 5))
    assert np.all((found.low <= found.mean + 1e-9) & (found.mean <= found.high + 1e-9))


def test_the_catalogue_knows_training_rows_only(tmp_path: Path) -> None:
    config = load_config("ratings", ["serving.quality={of: rating}"])
    pq.write_table(pa.table({"key": ["a", "b"]}), tmp_path / "catalogue.parquet")
    for split, ratings in {"train": [1.0, 2.0, 5.0, 4.0, None], "test": [5.0] * 5}.items():
        (tmp_path / split).mkdir()
        rows = {"meta/item": pa.array([0, 0, 1, 1, 0], pa.int32()), "label/rating": ratings}
        pq.write_table(pa.table(rows), tmp_path / split / "part-00000.parquet")
    add_quality(config, tmp_path)
    catalogue = pq.read_table(tmp_path / "catalogue.parquet")
    expected = qualities(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 5.0, 4.0]), 2, 0.9, (1, 5))
    assert catalogue.column_names[1:] == ["raw/quality", "raw/quality_low", "raw/quality_high"]
    np.testing.assert_allclose(catalogue["raw/quality"], expected.mean, rtol=1e-6)
    np.testing.assert_allclose(catalogue["raw/quality_low"], expected.low, rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["serving.quality={of: best}"], r"serving\.quality\.of: 'best' is no task of kind"),
        (["serving.quality={of: rating, interval: 1}"], r"serving\.quality\.interval: "),
        (
            ["serving.quality={of: rating}", "tasks.quality={kind: binary, label: good}"],
            r"serving\.quality: it makes a column 'quality' of items",
        ),
        (["serving.recommend.returns=[price]"], r"returns\[0\]: 'price' is no column of items"),
        (["serving.recommend.filters=[quality]"], r"filters\[0\]: 'quality' is no column of items"),
    ],
)
def test_what_does_not_fit(changes: list[str], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        load_config("ratings", changes)


def test_sentiment_is_derived_from_a_rating() -> None:
    config = load_config(
        "ratings", ["tasks.good={kind: binary, label: rating, positive_from: 3.5}"]
    )
    task: Any = config.tasks["good"]
    assert isinstance(task, BinaryTask)
    ratings = pa.array([5.0, 3.5, 3.4, None, 1.0], pa.float32())
    rows = pa.RecordBatch.from_arrays([ratings], names=["rating"])
    expected = [1, 1, 0, math.nan, 0]
    np.testing.assert_array_equal(task_labels(rows, task, config), np.array(expected, np.float32))
    assert config.label_columns["rating"] is config.tasks["rating"]


def test_a_number_is_not_read_as_0_and_1() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.good\.label: 'rating' is a number elsewhere"):
        load_config("ratings", ["tasks.good={kind: binary, label: rating}"])
