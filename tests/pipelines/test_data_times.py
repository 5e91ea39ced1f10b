"""Times: units, ISO 8601, what is out of range, and what is of the future."""

import calendar
import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_tables import log_config, read_log

from pipelines.preprocess import files
from pipelines.preprocess.times import count_units, times_of
from tfmtl.config import ConfigError

T = 1_725_235_235
"""2024-09-02 00:00:35 UTC."""
SCALES = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@pytest.mark.parametrize("unit", SCALES)
def test_numbers_of_a_unit(unit):
    value = T * SCALES[unit] + SCALES[unit] - 1

    for values in (pa.array([value]), pa.array([str(value)]), pa.array([str(value), "soon"])):
        times = times_of(values, unit)
        assert times.seconds[0] == T
        assert not times.outside[0]


@pytest.mark.parametrize("unit", SCALES)
@pytest.mark.parametrize("other", SCALES)
def test_a_number_of_another_unit_is_out_of_range(unit, other):
    times = times_of(pa.array([T * SCALES[other]]), unit)

    assert times.outside.tolist() == [unit != other]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-09-02", T - 35),
        ("2024-09-02 00", T - 35),
        ("2024-09-02T00:00", T - 35),
        ("2024-09-02 00:00:35", T),
        (" 2024-09-02T00:00:35.999999Z ", T),
        ("2024-09-02 00:00:35 UTC", T),
        ("2024-09-02T02:00:35+02:00", T),
        ("2024-09-01T18:30:35.5-0530", T),
        ("2024-09-02T02:00:35+02", T),
        ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("1970-01-01", 0),
    ],
)
def test_iso_8601(text, seconds):
    assert times_of(pa.array([text]), "ns").seconds.tolist() == [seconds]
    among = times_of(pa.array(["x", text, "", str(T), "2024-09-02", "2024-09-02T00:00:35Z"]), "s")
    assert among.seconds.tolist() == [0, seconds, 0, T, T - 35, T]
    assert among.missing.tolist() == [False, False, True, False, False, False]
    assert among.unreadable.tolist() == [True, False, False, False, False, False]


@pytest.mark.parametrize(
    "text",
    ["2024-13-01", "2024-02-30", "2023-02-29", "2024-09-02T24:01", "2024-9-2", "02.09.2024", "soon",
     "2024-09-02T00:00:35+25:00", "2024-09-02 00:61", "2024-00-01", "12:00", "1e400", "0x10"],
)  # fmt: skip
def test_what_is_no_time(text):
    times = times_of(pa.array([text, "2024-09-02"]), "s")

    assert times.unreadable.tolist() == [True, False]


@pytest.mark.parametrize("text", ["1969-12-31", "2100-01-01", "-1", "4102444800"])
def test_what_is_before_1970_or_after_2099(text):
    times = times_of(pa.array([text, "1"]), "s")

    assert times.outside.tolist() == [True, False]


@given(
    st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2099, 12, 31)),
    st.integers(-840, 840),
)
def test_any_day_in_any_zone(moment, minutes):
    moment = moment.replace(microsecond=0)
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    text = moment.replace(tzinfo=zone).isoformat()
    seconds = calendar.timegm(moment.timetuple()) - 60 * minutes

    # Beside a time without a zone, so that each is read by its parts.
    times = times_of(pa.array([text, "2024-09-02"]), "s")

    expected = seconds if 0 <= seconds < 4_102_444_800 else 0
    assert times.seconds.tolist() == [expected, T - 35]


def test_units_are_counted_by_size():
    texts = pa.array([str(T), str(T * 1000), f"{T * 1000 + 1}", "2024-09-02", "", "soon"])

    assert +count_units(texts) == {"s": 1, "ms": 2}
    assert +count_units(pa.array([T * 10**9])) == {"ns": 1}


def write(path, *times, user="u") -> None:
    rows = [f"{user},i,{time},1,,\n" for time in times]
    path.write_text("u,i,t,click,price,tag\n" + "".join(rows))


def test_the_unit_is_one_for_all_files_and_does_not_depend_on_their_order(tmp_path):
    for n, names in enumerate([("a", "b"), ("b", "a")]):
        (tmp_path / str(n)).mkdir()
        write(tmp_path / str(n) / f"{names[0]}.csv", T, user="v")
        write(tmp_path / str(n) / f"{names[1]}.csv", T * 1000, T * 1000 + 5000)

    logs = [read_log(tmp_path, str(n)) for n in (0, 1)]

    for log in logs:
        assert log.column("t") == [T, T + 5]
        assert log.reasons == [(2, "time out of range", "t")]
    assert logs[0].rows == logs[1].rows


@pytest.mark.parametrize(("unit", "kept"), [("s", [T]), ("ms", [T + 1]), ("us", []), ("auto", [T])])
def test_a_declared_unit(tmp_path, unit, kept):
    write(tmp_path / "log.csv", T, (T + 1) * 1000)

    log = read_log(tmp_path, "log.csv", time_unit=unit)

    assert log.column("t") == kept
    assert {reason for _, reason, _ in log.reasons} == {"time out of range"}


def test_a_time_of_the_future(tmp_path, monkeypatch):
    monkeypatch.setattr(files.time, "time", lambda: T + 0.5)
    write(tmp_path / "log.csv", T, T + 86_400, T + 86_401)

    log = read_log(tmp_path, "log.csv")

    assert log.column("t") == [T, T + 86_400]
    assert log.reasons == [(4, "time in the future", "t")]


@pytest.mark.parametrize("latest", [T, "2024-09-02T00:00:35", "2024-09-02T02:00:35+02:00"])
def test_a_declared_latest_time(tmp_path, latest):
    write(tmp_path / "log.csv", T, T + 1)

    log = read_log(tmp_path, "log.csv", max_time=latest)

    assert log.reasons == [(3, "time in the future", "t")]


def test_a_latest_time_that_is_none():
    with pytest.raises(ConfigError, match=r"source\.impressions\.max_time: .* got 'soon'"):
        log_config("log.csv", max_time="soon")
