"""Casting: every way in which a value can be wrong has its own reason."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.preprocess.casting import cast, rejecter
from pipelines.preprocess.layout import Column
from pipelines.preprocess.values import texts_of


def cast_one(column: Column, values: pa.Array) -> tuple[list, list]:
    """The kept values, and (line, reason) of the rejected ones."""
    rows = pa.RecordBatch.from_arrays([values], [column.name])
    numbers = np.arange(len(values))
    reject = rejecter("log", "file", numbers + 1, lambda i: f"row {i}")
    kept, letters = cast(rows, (column,), numbers, reject)
    rejected = zip(
        letters.column("line").to_pylist(), letters.column("reason").to_pylist(), strict=True
    )
    return kept.column(column.name).to_pylist(), list(rejected)


TEXT = Column("c", "text", "test")
KEY = Column("c", "text", "test", missing="missing user")
SCENARIO = Column("c", "text", "test", allowed=("ads", "feed"), unknown="unknown scenario")
TIME = Column("c", "time", "test", missing="missing time")
NUMBER = Column("c", "number", "test")
BINARY = Column("c", "label", "test", binary=True)
RATING = Column("c", "label", "test", range=(1.0, 5.0))
WEIGHT = Column("c", "weight", "test")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (TEXT, "", ""),
        (TEXT, " x ", " x "),
        (KEY, "u", "u"),
        (SCENARIO, "ads", "ads"),
        (TIME, "12", 12),
        (TIME, " 12.9 ", 12),
        (NUMBER, "", None),
        (NUMBER, "nan", None),
        (NUMBER, "NULL", None),
        (NUMBER, "-1.5e3", -1500.0),
        (BINARY, "1", 1.0),
        (BINARY, "0.0", 0.0),
        (BINARY, "", None),
        (RATING, "5", 5.0),
        (WEIGHT, "0", 0.0),
    ],
)
def test_good_values_are_kept(column, value, expected):
    assert cast_one(column, pa.array([value])) == ([expected], [])
    # The same beside a value that makes the fast cast of the whole column fail.
    kept, _ = cast_one(column, pa.array([value, "?"]))
    assert kept[0] == expected


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (KEY, "", "missing user"),
        (SCENARIO, "checkout", "unknown scenario"),
        (SCENARIO, "", "unknown scenario"),
        (TIME, "", "missing time"),
        (TIME, "yesterday", "unparsable time"),
        (TIME, "-5", "time out of range"),
        (TIME, "1726444797000", "time out of range"),
        (TIME, "4102444800", "time out of range"),
        (NUMBER, "cheap", "not a number"),
        (NUMBER, "inf", "not a number"),
        (NUMBER, "1e39", "not a number"),
        (BINARY, "yes", "label is not a number"),
        (BINARY, "2", "label is not 0 or 1"),
        (BINARY, "0.5", "label is not 0 or 1"),
        (RATING, "5.5", "label is out of range"),
        (RATING, "0", "label is out of range"),
        (WEIGHT, "-1", "weight is negative"),
        (WEIGHT, "heavy", "weight is not a number"),
    ],
)
def test_bad_values_are_rejected_with_their_reason(column, value, reason):
    good = {"text": "ads", "time": "5"}.get(column.kind, "1")

    kept, rejected = cast_one(column, pa.array([good, value]))

    assert rejected == [(2, reason)]
    assert len(kept) == 1


def test_a_row_has_its_first_fault_only():
    rows = pa.RecordBatch.from_arrays([pa.array([""]), pa.array(["x"])], ["u", "n"])
    columns = (Column("u", "text", "test", missing="missing user"), Column("n", "number", "test"))
    reject = rejecter("log", "file.csv", np.array([7]), lambda i: ",x")

    kept, letters = cast(rows, columns, np.array([0]), reject)

    assert kept.num_rows == 0
    assert letters.to_pylist() == [
        {
            "table": "log",
            "file": "file.csv",
            "line": 7,
            "reason": "missing user",
            "column": "u",
            "raw": ",x",
        }
    ]


def test_numbers_become_texts_as_people_write_them():
    values = pa.array([12.0, 1.5, None])

    assert cast_one(TEXT, values)[0] == ["12", "1.5", ""]


def test_typed_columns_need_no_parsing():
    assert cast_one(NUMBER, pa.array([1, 2]))[0] == [1.0, 2.0]
    assert cast_one(NUMBER, pa.array([math.nan, 2.0]))[0] == [None, 2.0]
    assert cast_one(BINARY, pa.array([True, False]).cast(pa.int8()))[0] == [1.0, 0.0]


TEXTS = Column("c", "texts", "test")
BAG = Column("c", "texts", "test", separator="|")
KEYS = Column("c", "texts", "test", separator="|", missing="missing tags")
NUMBERS = Column("c", "numbers", "test", separator=",")
VECTOR = Column("c", "numbers", "test", separator=" ")


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (TEXTS, pa.array(["a|b", "", None]), [["a|b"], [], []]),
        (
            BAG,
            pa.array(["a|b", " a | b ", "a||b|", "", "  ", "a"]),
            [["a", "b"], ["a", "b"], ["a", "", "b", ""], [], [], ["a"]],
        ),
        (
            BAG,
            pa.array([["a", None], None, [], ["b|c", "d"]]),
            [["a", ""], [], [], ["b", "c", "d"]],
        ),
        (BAG, pa.array([1, None]), [["1"], []]),
        (BAG, pa.array([[1, 2], None]), [["1", "2"], []]),
        (BAG, pa.array([[b"a"], [b"b|c"]]), [["a"], ["b", "c"]]),
        (BAG, pa.array(["a|b", "c", "d|e"])[1:], [["c"], ["d", "e"]]),
        (BAG, pa.array([["a"], ["b"], ["c", "d"]])[1:], [["b"], ["c", "d"]]),
        (
            NUMBERS,
            pa.array(["1,2.5", "[3, 4]", "", "[]", "5"]),
            [[1.0, 2.5], [3.0, 4.0], [], [], [5.0]],
        ),
        (NUMBERS, pa.array([[1.5, 2.0], None]), [[1.5, 2.0], []]),
        (NUMBERS, pa.array([2, None]), [[2.0], []]),
        (NUMBERS, pa.array([["1", "2"]]), [[1.0, 2.0]]),
        (VECTOR, pa.array(["[ 0.5  -1 ]", "0.5 -1"]), [[0.5, -1.0], [0.5, -1.0]]),
    ],
)
def test_lists_are_kept(column, values, expected):
    assert cast_one(column, values) == (expected, [])


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        (KEYS, pa.array(["a", ""]), "missing tags"),
        (BAG, pa.array([["a"], ["b", "c\0"]]), "NUL byte"),
        (BAG, pa.array([[b"a"], [b"\xff"]]), "not UTF-8"),
        (NUMBERS, pa.array(["1", "1,x"]), "not a number"),
        (NUMBERS, pa.array(["1", "1,,2"]), "missing number in a list"),
        (NUMBERS, pa.array([[1.0], [1.0, None]]), "missing number in a list"),
        (NUMBERS, pa.array([[1.0], [1.0, math.nan]]), "missing number in a list"),
        (NUMBERS, pa.array([[1.0], [math.inf]]), "not a number"),
        (TEXT, pa.array([["a"], ["a", "b"]]), "several values where one is right"),
        (NUMBER, pa.array([[1], [1, 2]]), "several values where one is right"),
        (TEXT, pa.array(["a", "b\0"]), "NUL byte"),
        (TEXT, pa.array([b"a", b"\xc3"]), "not UTF-8"),
        (NUMBER, pa.array([b"1", b"\xff"]), "not a number"),
    ],
)
def test_bad_lists_and_bytes_are_rejected_with_their_reason(column, values, reason):
    kept, rejected = cast_one(column, values)

    assert rejected == [(2, reason)]
    assert len(kept) == 1


@given(st.lists(st.binary(max_size=4), max_size=8))
def test_bytes_that_are_not_utf8_are_found_one_by_one(values):
    expected = []
    for value in values:
        try:
            expected.append(value.decode())
        except UnicodeDecodeError:
            expected.append(None)

    texts, bad = texts_of(pa.array(values, pa.binary()))

    assert texts.to_pylist() == expected
    wrong = [text is None for text in expected]
    assert (wrong if bad is not None else [False] * len(values)) == wrong
    assert bad is None or bad.tolist() == wrong


def test_floats_are_texts_whatever_stands_beside_them():
    values = pa.array([12.0, 2.0**40, 1.5, math.nan, 1e-7])

    assert texts_of(values)[0].to_pylist() == ["12", "1099511627776", "1.5", None, "1e-7"]
    assert texts_of(values[:1])[0].to_pylist() == ["12"]
    assert texts_of(pa.array([0.1], pa.float32()))[0].to_pylist() == ["0.1"]
