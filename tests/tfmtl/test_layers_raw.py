"""Raw values to ids and numbers by hand: hashes, crosses, ranges, circles, vectors, weights."""

import calendar
import datetime
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.layers.cyclic import CyclicTime
from tfmtl.layers.fitting import Weights, fitted
from tfmtl.layers.hashing import HashBuckets, HashedCross
from tfmtl.layers.lookup import VocabularyLookup
from tfmtl.layers.pooling import combined
from tfmtl.layers.ranges import Ranges
from tfmtl.layers.vectors import Vectors

NAN, INF = math.nan, math.inf


def test_strings_are_hashed_as_tensorflow_documents() -> None:
    # https://www.tensorflow.org/api_docs/python/tf/strings/to_hash_bucket_fast gives 0, 2 and 2.
    found = HashBuckets(3)(tf.constant(["Hello", "TensorFlow", "2.x", ""]))
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [1, 3, 3, 0]


def test_a_salt_stands_before_the_string() -> None:
    salted = HashBuckets(1000, salt="Tensor")(tf.constant(["Flow", ""])).numpy().tolist()
    assert salted == [HashBuckets(1000)(tf.constant(["TensorFlow"])).numpy()[0], 0]


def test_a_cross_depends_on_where_one_string_ends() -> None:
    cross = HashedCross(2**30)
    parts = [("ab", "c"), ("a", "bc"), ("ab", "c"), ("1:a", "b"), ("a", ""), ("", "a")]
    first, second = (tf.constant(column) for column in zip(*parts, strict=True))
    ids = cross(first, second).numpy().tolist()
    assert ids[0] == ids[2]
    assert len(set(ids[:4])) == 3
    assert ids[4:] == [0, 0]
    joined = tf.strings.to_hash_bucket_fast(["2:ab:1:c"], 2**30).numpy()[0]
    assert ids[0] == 1 + joined


@pytest.mark.parametrize("known", [["red", "blue"], []])
def test_unknown_strings_share_buckets(tmp_path: Path, known: list[str]) -> None:
    path = tmp_path / "colours.txt"
    path.write_text("".join(f"{value}\n" for value in known))
    lookup = VocabularyLookup(path, len(known), oov_buckets=3)
    values = tf.constant(["blue", "", "Hello", "TensorFlow", "red"])
    blue, red = (5, 4) if known else (1 + bucket("blue"), 1 + bucket("red"))
    assert lookup(values).numpy().tolist() == [blue, 0, 1, 3, red]


def bucket(text: str) -> int:
    return int(tf.strings.to_hash_bucket_fast([text], 3).numpy()[0])


def test_ranges_begin_with_their_boundary() -> None:
    values = tf.constant([[-5.0, 0.0, 0.5], [1.0, 1e30, NAN], [INF, -INF, 0.99]])
    found = Ranges([0.0, 1.0])(values)
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [[1, 2, 2], [3, 3, 0], [0, 0, 2]]
    assert Ranges([])(tf.constant([7.0, NAN])).numpy().tolist() == [1, 0]


def test_a_boundary_is_compared_in_float32() -> None:
    assert Ranges([0.1])(tf.constant([0.1], tf.float32)).numpy().tolist() == [2]


def parts_of(time: float, offset: float) -> list[float]:
    """Sines and cosines by Python's calendar."""
    local = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=math.floor(time))
    local += datetime.timedelta(hours=offset)
    month = calendar.monthrange(local.year, local.month)[1]
    year = 366 if calendar.isleap(local.year) else 365
    turns = [
        (local.hour * 60 + local.minute) / 1440,
        local.weekday() / 7,
        (local.day - 1) / month,
        (local.timetuple().tm_yday - 1) / year,
    ]
    return [f(2 * math.pi * turn) for turn in turns for f in (math.sin, math.cos)]


@pytest.mark.parametrize("offset", [0.0, 8.0, -3.5, 5.75])
def test_cyclic_parts_are_those_of_the_calendar(offset: float) -> None:
    random = np.random.default_rng(0)
    turns = [
        datetime.datetime(year, month, day, 23, 59, 59)
        for year in (1600, 1899, 1900, 1970, 1999, 2000, 2024, 2100, 2399)
        for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))
    ]
    epoch = datetime.datetime(1970, 1, 1)
    known = [(t - epoch).total_seconds() for t in turns]
    known += [t + 1 for t in known]
    times = np.array([*known, *random.uniform(-5e10, 2e11, 500)])
    layer = CyclicTime(["hour", "weekday", "month_day", "year_day"], offset)
    found = layer(tf.constant(times))
    assert found.dtype == tf.float32
    expected = np.array([parts_of(time, offset) for time in times])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_seconds_are_not_lost() -> None:
    # 1970-01-01 has no float32 near 2023-11-14 22:13:59 that is within 64 seconds of it.
    second = 1_699_999_999 // 60 * 60 + 59.999
    layer = CyclicTime(["hour"])
    pair = layer(tf.constant([second, second + 0.002], tf.float64)).numpy()
    assert (pair[0] != pair[1]).any()


def test_what_is_no_time_is_the_middle_of_the_circle() -> None:
    times = tf.constant([NAN, INF, -INF, 1e300, -1e18, 0.0], tf.float64)
    found = CyclicTime(["weekday"])(times).numpy()
    assert found[:5].tolist() == [[0, 0]] * 5
    thursday = [math.sin(2 * math.pi * 3 / 7), math.cos(2 * math.pi * 3 / 7)]
    np.testing.assert_allclose(found[5], thursday, rtol=1e-6)


def test_a_vector_with_a_gap_is_missing() -> None:
    values = tf.constant([[1.0, -2.0], [NAN, 1.0], [1.0, INF]])
    assert Vectors(2)(values).numpy().tolist() == [[1, -2], [0, 0], [0, 0]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        Vectors(3)(values)


def test_lists_are_cut_off_or_filled_up() -> None:
    texts = tf.constant([["a", "b", "c"]])
    assert fitted(texts, 2).numpy().tolist() == [[b"a", b"b"]]
    assert fitted(texts, 4).numpy().tolist() == [[b"a", b"b", b"c", b""]]
    assert fitted(tf.zeros([2, 0], tf.string), 1).numpy().tolist() == [[b""]] * 2
    np.testing.assert_equal(fitted(tf.constant([[1.0]]), 2).numpy(), [[1.0, NAN]])


def test_weights_of_a_bag() -> None:
    found = Weights()(tf.constant([[0.5, NAN, -1.0], [INF, 0.0, 2.0]]))
    assert found.numpy().tolist() == [[0.5, 1.0, 0.0], [1.0, 0.0, 2.0]]


ROWS = [[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]]
IDS = [[5, 6, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("combiner", "weights", "expected"),
    [
        ("sum", None, [4.0, 6.0]),
        ("mean", None, [2.0, 3.0]),
        ("sqrtn", None, [4 / math.sqrt(2), 6 / math.sqrt(2)]),
        ("sum", [1.0, 3.0, 7.0], [10.0, 14.0]),
        ("mean", [1.0, 3.0, 7.0], [2.5, 3.5]),
        ("sqrtn", [1.0, 3.0, 7.0], [10 / math.sqrt(10), 14 / math.sqrt(10)]),
        ("mean", [0.0, 0.0, 1.0], [0.0, 0.0]),
        ("sqrtn", [0.0, 0.0, 1.0], [0.0, 0.0]),
    ],
)
def test_a_bag_is_combined(
    combiner: str, weights: list[float] | None, expected: list[float]
) -> None:
    given = None if weights is None else tf.constant([weights, weights])
    found = combined(tf.constant(ROWS), tf.constant(IDS), given, combiner)
    np.testing.assert_allclose(found, [expected, [0.0, 0.0]], rtol=1e-6)
