"""CSV blocks: cut anywhere, they give the rows of the whole file."""

import bz2
import csv
import gzip
import io
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.components.base import PipelineError
from pipelines.preprocess.blocks import scan
from pipelines.preprocess.layout import Column
from pipelines.preprocess.raw_files import RawFile
from pipelines.preprocess.raw_rows import RawRows
from pipelines.preprocess.reading import read as read_block

_PACKERS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def raw_file(path: Path, names: tuple[str, ...] = ("a", "b"), **changes: object) -> RawFile:
    columns = tuple(Column(name, "text", "test") for name in names)
    known = {"header": 0, "header_lines": 0, **changes}
    stat = path.stat()
    return RawFile("log", 0, str(path), stat.st_size, stat.st_mtime, "csv", names, columns, **known)


def raws(path: Path, block_bytes: int, **changes: object) -> list[RawRows]:
    blocks = scan(raw_file(path, **changes), block_bytes).blocks
    return [raw for block in blocks for _, raw in read_block(block, block_bytes)]


def read(path: Path, block_bytes: int = 1 << 20, **changes: object) -> tuple[list, list, list]:
    """Rows, their line numbers and (line, reason, raw) of the rejected ones."""
    rows, lines, rejected = [], [], []
    for raw in raws(path, block_bytes, **changes):
        rows += [tuple(row.values()) for row in raw.columns.to_pylist()]
        lines += raw.lines.tolist()
        rejected += [(r["line"], r["reason"], r["raw"]) for r in raw.rejected.to_pylist()]
    return rows, lines, rejected


fields = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=20), st.integers(1, 60))
def test_blocks_give_the_rows_of_the_csv_module(tmp_path_factory, rows, block_bytes):
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    path.write_bytes(text.getvalue().encode())

    assert read(path, block_bytes)[0] == rows


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["1,2", "x", "é,ü", "", "1,2,3", "\r", "a,b\r"]), max_size=20),
    st.integers(1, 30),
    st.booleans(),
)
def test_blocks_equal_the_whole_file(tmp_path_factory, lines, block_bytes, ended):
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    path.write_bytes(("\n".join(lines) + "\n" * ended).encode())

    assert read(path, block_bytes) == read(path)


def test_lines_count_from_one_with_the_header_and_blank_lines(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"a,b\n1,2\n\n3,4\nbad\n5,6")

    rows, lines, rejected = read(path, 5, header=4, header_lines=1)

    assert rows == [("1", "2"), ("3", "4"), ("5", "6")]
    assert lines == [2, 4, 6]
    assert rejected == [(5, "wrong number of fields", "bad")]


def test_a_line_break_in_quotes_belongs_to_the_field(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'1,"two\nlines"\nbad\n3,4\n')

    rows, lines, rejected = read(path, 4)

    assert rows == [("1", "two\nlines"), ("3", "4")]
    assert lines == [1, 4]
    assert rejected == [(3, "wrong number of fields", "bad")]


def test_lines_that_are_not_utf8_are_rejected_alone(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"1,ok\n2,caf\xe9\n3,\xff\xfe\n4,caf\xc3\xa9\n")

    rows, lines, rejected = read(path)

    assert rows == [("1", "ok"), ("4", "café")]
    assert lines == [1, 4]
    assert rejected == [(2, "not UTF-8", "2,caf�"), (3, "not UTF-8", "3,��")]


def test_a_record_over_two_lines_that_is_not_utf8_is_rejected_whole(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'1,"a\n\xff"\n2,b\n')

    rows, lines, rejected = read(path)

    assert (rows, lines) == ([("2", "b")], [3])
    assert rejected == [(1, "not UTF-8", '1,"a\n�"')]


def test_latin1_is_read_as_declared(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"1|caf\xe9\n")

    assert read(path, encoding="latin-1", delimiter="|")[0] == [("1", "café")]


@pytest.mark.parametrize("block_bytes", [1, 100])
@pytest.mark.parametrize(
    ("text", "rows", "lost"),
    [
        ('1,a\n2,"oops\n3,b\n4,c\n', ["1,a", "3,b", "4,c"], {2: '2,"oops'}),
        ('1,2\n"3,4\n5,6\n7,8', ["1,2", "5,6", "7,8"], {2: '"3,4'}),
        # A second stray quote does not close the first: what follows it is no field's end.
        ('1,"oops\n2,b\n3,"ah\n4,c\n', ["2,b", "4,c"], {1: '1,"oops', 3: '3,"ah'}),
        # Nor does one that opens a good field, whose own closing quote comes after it.
        ('1,"oops\n2,"b"\n3,c\n', ["2,b", "3,c"], {1: '1,"oops'}),
        ('1,"two\nlines"\n2,"oops\n3,b\n', ["1,two\nlines", "3,b"], {3: '2,"oops'}),
        ('1,"a ""quoted""\nword" \n2,"oops', ['1,a "quoted"\nword '], {3: '2,"oops'}),
    ],
)
def test_a_stray_quote_loses_its_own_line(tmp_path, text, rows, lost, block_bytes):
    path = tmp_path / "log.csv"
    path.write_text(text)

    found, lines, rejected = read(path, block_bytes)

    assert [",".join(row) for row in found] == rows
    assert rejected == [(line, "unclosed quote", raw) for line, raw in lost.items()]
    assert not set(lines) & lost.keys()


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from('ab",\n'), max_size=30), st.sampled_from(["", "\n"]))
def test_no_line_is_lost_whatever_the_quotes(tmp_path_factory, text, end):
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    path.write_text(text + end)

    rows, lines, rejected = read(path, 4)

    # A row holds its own line and one for each line break inside its fields; blank lines are none.
    held = [
        line + more
        for line, row in zip(lines, rows, strict=True)
        for more in range("".join(row).count("\n") + 1)
    ]
    dead = [line for line, _, _ in rejected]
    assert 0 not in [*lines, *dead]
    blank = {n for n, line in enumerate((text + end).split("\n"), 1) if not line}
    assert len(held) == len(set(held))
    assert {*held, *dead} | blank == {*range(1, (text + end).count("\n") + 2)}


def test_inch_marks_do_not_join_lines(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'1,"two\nlines"\n2,12" nails\n3,caf\xe9\n4,15" lid\n5,c\n')

    rows, lines, rejected = read(path)

    assert rows == [("1", "two\nlines"), ("2", '12" nails'), ("4", '15" lid'), ("5", "c")]
    assert lines == [1, 3, 5, 6]
    assert rejected == [(4, "not UTF-8", "3,caf�")]


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_a_truncated_file_is_an_error(tmp_path, ending):
    text = "".join(f"{i},{i * 7919 % 100_003}\n" for i in range(20_000)).encode()
    path = tmp_path / f"log.csv.{ending}"
    packed = _PACKERS[ending](text)
    path.write_bytes(packed)
    assert len(read(path)[0]) == 20_000

    path.write_bytes(packed[: len(packed) // 2])

    with pytest.raises(PipelineError, match=rf"log\.csv\.{ending}: damaged or truncated"):
        read(path)


def test_a_corrupt_gzip_is_an_error(tmp_path):
    path = tmp_path / "log.csv.gz"
    packed = bytearray(gzip.compress(b"1,2\n" * 10_000))
    packed[15:60] = bytes(45)
    path.write_bytes(packed)

    with pytest.raises(PipelineError, match=r"log\.csv\.gz: damaged or truncated"):
        read(path)


@pytest.mark.parametrize("block_bytes", [1, 3, 100])
def test_compressed_files_are_one_block_that_is_read_in_pieces(tmp_path, block_bytes):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"1,2\nx\n") + gzip.compress(b'3,"4\n5"\n6,7'))

    assert len(scan(raw_file(path), block_bytes).blocks) == 1
    rows, lines, rejected = read(path, block_bytes)
    assert (rows, lines) == ([("1", "2"), ("3", "4\n5"), ("6", "7")], [1, 3, 5])
    assert rejected == [(2, "wrong number of fields", "x")]


@pytest.mark.parametrize("block_bytes", [1, 3, 100])
def test_row_numbers_do_not_depend_on_the_blocks(tmp_path, block_bytes):
    path = tmp_path / "log.csv"
    path.write_bytes(b"1,2\n\nx\n3,4\n5,6\n")

    numbers = [raw.numbers for raw in raws(path, block_bytes)]

    assert np.concatenate(numbers).tolist() == [1, 4, 5]
