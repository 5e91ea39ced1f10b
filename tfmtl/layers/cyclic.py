"""Times as places on circles."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

_DAY = 86_400
_FIRST, _END = -62_135_596_800, 253_402_300_800
"""The years 1 to 9999."""
_MINUTES, _WEEK = 1440, 7


class _Date(NamedTuple):
    """Days of the proleptic Gregorian calendar, int64 `[n]`.

    Attributes:
        month_day: days since the month began.
        month_length: days of the month.
        year_day: days since the year began.
        year_length: days of the year.
    """

    month_day: tf.Tensor
    month_length: tf.Tensor
    year_day: tf.Tensor
    year_length: tf.Tensor


class CyclicTime(keras.layers.Layer):
    """Sine and cosine of where a time is in the day, the week, the month and the year.

    `(sin 2 pi t, cos 2 pi t)` with `t` the share of the period that is over: of `hour` in minutes
    of the day, of `weekday` in days since Monday, of `month_day` and `year_day` in days of the
    month and the year, as long as they are. What is missing is (0, 0), the middle of the circle.

    Sines are looked up in tables, so that no bit depends on how a processor computes them or on a
    row's place in its batch.

    Args:
        parts: `hour`, `weekday`, `month_day`, `year_day`, in the order of the result.
        utc_offset: hours by which local time is ahead of UTC.

    Call arguments:
        times: unix seconds, float64 `[n]`; NaN, infinity and other years than 1 to 9999 are
            missing. float32 would be minutes off.

    Returns:
        float32 `[n, 2 * parts]`.

    Example:
        >>> CyclicTime(["hour"])(tf.constant([6 * 3600.0], tf.float64)).numpy()  # 6 o'clock
        array([[1., 0.]], dtype=float32)
    """

    def __init__(
        self, parts: Sequence[str], utc_offset: float = 0.0, name: str | None = None
    ) -> None:
        super().__init__(name=name, dtype="float32", trainable=False, autocast=False)
        self.parts = list(parts)
        self.shift = round(utc_offset * 3600)

    def call(self, times: tf.Tensor) -> tf.Tensor:
        times = tf.cast(times, tf.float64)
        known = (times >= _FIRST) & (times < _END)
        seconds = tf.cast(tf.floor(tf.where(known, times, 0.0)), tf.int64) + self.shift
        days = tf.math.floordiv(seconds, _DAY)
        date = _date(days)
        minutes = tf.math.floordiv(tf.math.floormod(seconds, _DAY), _DAY // _MINUTES)
        found = {
            "hour": lambda: tf.gather(_circle(_MINUTES), minutes),
            "weekday": lambda: tf.gather(_circle(_WEEK), tf.math.floormod(days + 3, _WEEK)),
            "month_day": lambda: _on_circles(date.month_day, date.month_length, (28, 29, 30, 31)),
            "year_day": lambda: _on_circles(date.year_day, date.year_length, (365, 366)),
        }
        vectors = tf.concat([found[part]() for part in self.parts], axis=1)
        return tf.where(known[:, None], vectors, 0.0)


def _circle(steps: int) -> np.ndarray:
    """Sine and cosine of each step around a circle, float32 `[steps, 2]`."""
    angles = 2 * np.pi * np.arange(steps) / steps
    return np.stack([np.sin(angles), np.cos(angles)], axis=1).round(12).astype(np.float32)


def _on_circles(places: tf.Tensor, lengths: tf.Tensor, known: Sequence[int]) -> tf.Tensor:
    """Places on circles of several lengths, whose tables lie one below the other."""
    starts = np.cumsum([0, *known[:-1]])
    first = tf.gather(tf.constant(starts, tf.int64), lengths - known[0])
    return tf.gather(np.concatenate([_circle(length) for length in known]), first + places)


def _date(days: tf.Tensor) -> _Date:
    """The date of days since 1970, by H. Hinnant's `civil_from_days`: years begin in March, so
    that the leap day is their last, and 400 years are an era."""
    shifted = days + 719_468
    era_day = tf.math.floormod(shifted, 146_097)
    year = (era_day - era_day // 1460 + era_day // 36_524 - era_day // 146_096) // 365
    march_day = era_day - (365 * year + year // 4 - year // 100)
    month = (5 * march_day + 2) // 153  # 0 is March, 10 January, 11 February
    leap_end = _is_leap(year + 1)  # the February that ends this March year
    begins = (153 * month + 2) // 5
    ends = tf.where(month == 11, 365 + leap_end, (153 * (month + 1) + 2) // 5)
    before_march = month >= 10
    own_leap = tf.where(before_march, leap_end, _is_leap(year))
    year_day = tf.where(before_march, march_day - 306, march_day + 59 + own_leap)
    return _Date(march_day - begins, ends - begins, year_day, 365 + own_leap)


def _is_leap(year: tf.Tensor) -> tf.Tensor:
    """1 where a year of an era is a leap year, else 0."""
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return tf.cast(leap, tf.int64)
