"""JSON lines: Arrow's parser and the reading line by line give the same rows."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_tables import read_log

from pipelines.components.base import PipelineError
from pipelines.preprocess.layout import Column

GOOD = {"u": "u1", "i": "i1", "t": 10, "click": 1, "price": 2.5, "tag": "a"}


def write(path, *rows) -> None:
    """Writes rows, those that are texts as they are."""
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def row(**changes) -> dict:
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    "line",
    [
        '{"u": "u2", "i": "i1"',
        "u2,i1,10",
        '["u2"]',
        "null",
        "12",
        '{"u": "u2"} {"u": "u3"}',
        '{"u": "u2",}',
        "{'u': 'u2'}",
        "\0\0\0\0",
        '{"u": ' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_a_line_that_is_no_object_is_rejected_alone(tmp_path, line):
    write(tmp_path / "log.jsonl", row(), "", line, row(u="u3"))

    log = read_log(tmp_path, "log.jsonl")

    assert log.column("u") == ["u1", "u3"]
    assert log.reasons == [(3, "not a JSON object", None)]
    assert log.letters[0]["raw"] == line
    assert log.letters[0]["file"].endswith("log.jsonl")


def test_line_numbers_and_blocks(tmp_path):
    rows = [row(u=f"u{n}", t=n) for n in range(20)]
    lines = [json.dumps(r) for r in rows]
    lines[7], lines[13] = "{", json.dumps(row(t="soon"))
    write(tmp_path / "log.jsonl", *lines)

    for block_bytes in (1, 100, 1 << 20):
        log = read_log(tmp_path, "log.jsonl", block_bytes=block_bytes)
        assert log.column("t") == [n for n in range(20) if n not in (7, 13)]
        assert sorted(log.reasons) == [
            (8, "not a JSON object", None),
            (14, "unparsable time", "t"),
        ]


def test_numbers_are_texts_and_texts_numbers_where_those_are_wanted(tmp_path):
    write(
        tmp_path / "log.jsonl",
        row(u=7, i=2**63, t="10", click="1", price="2.5", tag=1.5),
        row(u="7", i="9223372036854775808", t=10, click=True, price=2.5, tag="1.5"),
        row(u=7.0, i=9223372036854775808, t=10.5, click=1.0, price="2.50", tag="1.5"),
    )

    log = read_log(tmp_path, "log.jsonl")

    assert log.letters == []
    for name, value in (("u", "7"), ("i", str(2**63)), ("t", 10), ("click", 1.0), ("price", 2.5)):
        assert log.column(name) == [value] * 3
    assert log.column("tag") == ["1.5"] * 3


def test_what_is_no_single_value_is_rejected_with_its_column(tmp_path):
    write(
        tmp_path / "log.jsonl",
        row(),
        row(tag={"id": 1}),
        row(tag=["a", "b"]),
        row(price=[1]),
        row(price=[[1]]),
        row(tag="\ud83d"),
        row(price="cheap"),
    )

    log = read_log(tmp_path, "log.jsonl")

    assert log.column("price") == [2.5, 1.0]
    assert sorted(log.reasons) == [
        (2, "an object or a list within a list", "tag"),
        (3, "several values where one is right", "tag"),
        (5, "an object or a list within a list", "price"),
        (6, "not UTF-8", "tag"),
        (7, "not a number", "price"),
    ]


def test_missing_keys_nulls_and_nan_are_missing_values(tmp_path):
    lacking = {name: GOOD[name] for name in ("u", "i", "t", "click")}
    write(
        tmp_path / "log.jsonl", row(), lacking, row(price=None, tag=None), row(price=float("nan"))
    )

    log = read_log(tmp_path, "log.jsonl")

    assert log.column("price") == [2.5, None, None, None]
    assert log.column("tag") == ["a", "", "", "a"]


@pytest.mark.parametrize("value", [[["a"]], {"id": "a"}, [{"id": "a"}]])
def test_a_column_without_a_value_that_can_be_used(tmp_path, value):
    write(tmp_path / "log.jsonl", *[row(tag=value)] * 3, row())

    for kinds in ({}, LISTS):
        log = read_log(tmp_path, "log.jsonl", kinds)
        reasons = [(n, "an object or a list within a list", "tag") for n in (1, 2, 3)]
        assert (log.rows.num_rows, log.reasons) == (1, reasons)


LISTS = {
    "tag": Column("tag", "texts", "test", separator="|"),
    "price": Column("price", "numbers", "test", separator=","),
}


def test_lists(tmp_path):
    write(
        tmp_path / "log.jsonl",
        row(tag=["a", "b"], price=[1, 2.5]),
        row(tag=[], price=[]),
        row(tag=None, price=None),
        row(tag=["a", None], price=[0.5]),
    )
    expected = [["a", "b"], [], [], ["a", ""]], [[1.0, 2.5], [], [], [0.5]]

    log = read_log(tmp_path, "log.jsonl", LISTS)
    assert (log.column("tag"), log.column("price")) == expected

    with (tmp_path / "log.jsonl").open("a") as file:
        for mixed in (row(tag="x|y", price="3, 4"), row(tag=[1, "b"], price=["5"]), row(tag=2)):
            file.write(json.dumps(mixed) + "\n")
    log = read_log(tmp_path, "log.jsonl", LISTS)
    assert log.column("tag") == [*expected[0], ["x", "y"], ["1", "b"], ["2"]]
    assert log.column("price") == [*expected[1], [3.0, 4.0], [5.0], [2.5]]


def test_what_is_no_list_of_numbers_is_rejected(tmp_path):
    write(
        tmp_path / "log.jsonl",
        row(price=[1.0]),
        row(price=[1.0, None]),
        row(price=[1.0, "x"]),
        row(price=[[1.0]]),
    )

    log = read_log(tmp_path, "log.jsonl", LISTS)

    assert log.column("price") == [[1.0]]
    assert sorted(log.reasons) == [
        (2, "missing number in a list", "price"),
        (3, "not a number", "price"),
        (4, "an object or a list within a list", "price"),
    ]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(-1e6, 1e6, width=32),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)


WRITTEN = {"": None, "NULL": None, " 2.5 ": 2.5, "1e3": 1000.0, "x": None}
"""Texts in place of prices, and the numbers they mean."""
prices = st.one_of(
    scalars.filter(lambda value: not isinstance(value, str)), st.sampled_from([*WRITTEN])
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(scalars, prices), min_size=1, max_size=12), st.sampled_from([1, 1 << 20]))
def test_blocks_do_not_change_what_is_read(tmp_path_factory, pairs, block_bytes):
    """A line alone has one type and goes through Arrow; together they are mixed and do not."""
    data = tmp_path_factory.mktemp("json")
    write(data / "log.jsonl", *(row(tag=a, price=b) for a, b in pairs))

    log = read_log(data, "log.jsonl", block_bytes=block_bytes)

    tags, numbers = [], []
    for tag, price in pairs:
        number, right = as_number(price)
        if right:
            tags.append(as_text(tag))
            numbers.append(number)
    assert log.rows.num_rows + len(log.letters) == len(pairs)
    assert {reason for _, reason, _ in log.reasons} <= {"not a number"}
    assert log.column("tag") == tags
    assert log.column("price") == numbers


def as_text(value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float):
        return shortest(value)
    return str(value)


def shortest(value: float) -> str:
    """Digits as Arrow prints them, which are Python's but for where the exponent begins."""
    return pa.scalar(value).cast(pa.string()).as_py()


def as_number(value) -> tuple[float | None, bool]:
    """A price as a number, and whether it is one."""
    if isinstance(value, str):
        return WRITTEN[value], value != "x"
    return None if value is None else float(np.float32(value)), True


def test_a_list_in_place_of_lines_is_an_error_that_helps(tmp_path):
    (tmp_path / "log.json").write_text(json.dumps([GOOD, GOOD]))

    with pytest.raises(
        PipelineError, match=r"log\.json: none of its first lines is a JSON obj.*jq"
    ):
        read_log(tmp_path, "log.json")


def test_a_key_that_only_later_rows_have(tmp_path):
    lacking = {name: value for name, value in GOOD.items() if name != "tag"}
    write(tmp_path / "log.jsonl", *[lacking] * 2000, row(tag="late"))

    with pytest.raises(PipelineError, match=r"no column 'tag' .* name it in the table's columns"):
        read_log(tmp_path, "log.jsonl")

    assert read_log(tmp_path, "log.jsonl", columns=["tag"]).column("tag")[-2:] == ["", "late"]


def test_another_encoding_and_a_byte_order_mark(tmp_path):
    text = json.dumps(row(tag="café"), ensure_ascii=False) + "\n"
    (tmp_path / "latin.jsonl").write_bytes(text.encode("latin-1"))
    (tmp_path / "marked.jsonl").write_bytes(
        b"\xef\xbb\xbf" + text.encode() + text.encode("latin-1")
    )

    assert read_log(tmp_path, "latin.jsonl", encoding="latin-1").column("tag") == ["café"]
    log = read_log(tmp_path, "marked.jsonl")
    assert log.column("tag") == ["café"]
    assert log.reasons == [(2, "not UTF-8", None)]
