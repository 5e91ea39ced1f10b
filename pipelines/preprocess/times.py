"""Times as people write them to whole seconds since 1970: numbers of a unit, or ISO 8601."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.values import (
    distinct_texts,
    is_text,
    numbers_of,
    texts_of,
    trimmed_or_missing,
)

LATEST = 4_102_444_800
"""The year 2100. One time from there on would move the whole split, which is counted from the end
of the log."""
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Parts of a second. A number below `LATEST` is of seconds, below a thousand times as much of
milliseconds, and so on: only one unit makes a time between 1970-02-17 and 2100 of a number."""

_INTEGER = r"^(\d{1,18}|[1-8]\d{18})$"
_ISO = (
    r"^(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?)?"
    r" ?(?:[Zz]|UTC|(?P<sign>[+-])(?P<ahead>\d\d)(?::?(?P<minutes>\d\d))?)?)?$"
)


class Times(NamedTuple):
    """Times, and what is wrong with those that are none.

    Attributes:
        seconds: int64 seconds since 1970, 0 where there is no time.
        missing: which are missing.
        unreadable: which are neither numbers nor ISO 8601.
        outside: which are before 1970, from 2100 on, or of another unit.
    """

    seconds: np.ndarray
    missing: np.ndarray
    unreadable: np.ndarray
    outside: np.ndarray


def times_of(values: pa.Array, unit: str) -> Times:
    """Reads times.

    Args:
        values: numbers of the unit, texts of such or ISO 8601 (UTC where no zone is given), or
            Arrow's times, which have a unit of their own.
        unit: `s`, `ms`, `us` or `ns`.
    """
    kind = values.type
    if pa.types.is_date(kind):
        values, kind = values.cast(pa.timestamp("s")), pa.timestamp("s")
    if pa.types.is_timestamp(kind):
        return _integers(values.cast(pa.int64()), kind.unit, earliest=0)
    if pa.types.is_integer(kind):
        return _integers(values, unit)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _floats(values, unit)
    texts, bad = texts_of(values)
    return _texts(texts if bad is None else pc.if_else(pa.array(bad), "?", texts), unit)


def count_units(values: pa.Array) -> Counter[str]:
    """How many of the values are numbers of which unit, by their size."""
    if pa.types.is_temporal(values.type):
        return Counter()
    if is_text(values.type):
        values = values.filter(pc.invert(_is_iso(pc.utf8_trim_whitespace(values))))
    counts: Counter[str] = Counter()
    for unit in UNITS:
        times = times_of(values, unit)
        counts[unit] = int((~(times.missing | times.unreadable | times.outside)).sum())
    return counts


def _texts(texts: pa.Array, unit: str) -> Times:
    try:
        return _integers(texts.cast(pa.int64()), unit)
    except pa.ArrowInvalid:
        codes, distinct = distinct_texts(texts)
        return Times(*(part[codes] for part in _of_any_texts(distinct, unit)))


def _of_any_texts(texts: pa.StringArray, unit: str) -> Times:
    integer = pc.match_substring_regex(texts, _INTEGER)
    times = _integers(pc.if_else(integer, texts, None).cast(pa.int64()), unit)
    others = np.flatnonzero(~integer.to_numpy(False))
    trimmed = trimmed_or_missing(texts.take(pa.array(others)))
    iso = _is_iso(trimmed).to_numpy(False)
    _place(times, others[iso], _of_iso(trimmed.filter(pa.array(iso))))
    _place(times, others[~iso], _floats(trimmed.filter(pa.array(~iso)), unit))
    return times


def _place(times: Times, at: np.ndarray, some: Times) -> None:
    for whole, part in zip(times, some, strict=True):
        whole[at] = part


def _integers(values: pa.Array, unit: str, earliest: int | None = None) -> Times:
    missing = pc.is_null(values).to_numpy(False)
    numbers = pc.fill_null(values, 0).to_numpy(False)
    return _checked(numbers // UNITS[unit], missing, np.zeros(len(values), bool), unit, earliest)


def _floats(values: pa.Array, unit: str) -> Times:
    found, missing, unreadable = numbers_of(values)
    return _checked(np.floor(found / UNITS[unit]), missing, unreadable, unit)


def _checked(
    seconds: np.ndarray,
    missing: np.ndarray,
    unreadable: np.ndarray,
    unit: str,
    earliest: int | None = None,
) -> Times:
    if earliest is None:
        earliest = 0 if unit == "s" else LATEST // 1000
    given = ~(missing | unreadable)
    outside = given & ((seconds < earliest) | (seconds >= LATEST))
    whole = np.where(given & ~outside, seconds, 0).astype(np.int64)
    return Times(whole, missing.copy(), unreadable, outside)


def _is_iso(texts: pa.Array) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(texts, _ISO), False)


def _of_iso(texts: pa.Array) -> Times:
    none = np.zeros(len(texts), bool)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _integers(texts.cast(kind).cast(pa.int64()), "us", earliest=0)
        except pa.ArrowInvalid:
            continue
    seconds, unreadable = _by_parts(texts)
    return _checked(seconds, none, unreadable, "s")


def _by_parts(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of ISO 8601 with several zones, and which texts are no day or time."""
    parts = pc.extract_regex(texts, _ISO)

    def part(name: str, default: int) -> np.ndarray:
        digits = pc.struct_field(parts, name)
        digits = pc.if_else(pc.equal(digits, ""), None, digits)
        return pc.fill_null(digits.cast(pa.int64()), default).to_numpy(False)

    month = (part("year", 1970) - 1970) * 12 + part("month", 1) - 1
    first = month.astype("M8[M]").astype("M8[D]").astype(np.int64)
    following = (month + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    day, hour, minute, second = (
        part("day", 1),
        part("hour", 0),
        part("minute", 0),
        part("second", 0),
    )
    ahead = part("ahead", 0) * 3600 + part("minutes", 0) * 60
    sign = np.where(pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), "-"), False), -1, 1)
    right = (part("month", 1) >= 1) & (part("month", 1) <= 12)
    right &= (day >= 1) & (day <= following - first)
    right &= (hour <= 23) & (minute <= 59) & (second <= 60) & (ahead <= 14 * 3600)
    seconds = (first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second - sign * ahead
    return np.where(right, seconds, 0), ~right
