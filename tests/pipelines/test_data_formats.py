"""Formats: the same rows from every one of them, found by ending, in whatever files they lie."""

import bz2
import gzip
import itertools
import json
import lzma
import shutil
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_tables import log_config, read_log

from pipelines.components.base import PipelineError
from pipelines.preprocess.blocks import number, scan
from pipelines.preprocess.files import find_files
from pipelines.preprocess.layout import Column
from tfmtl.config import ConfigError

HEADER = "u,i,t,click,price,tag"
LINES = ("u1,i1,10,1,2.5,a", "u2,7,20,0,,", 'u3,i3,30,,4,"two\nlines"')
ROWS = [
    {"u": "u1", "i": "i1", "t": 10, "click": 1, "price": 2.5, "tag": "a"},
    {"u": "u2", "i": "7", "t": 20, "click": 0, "price": None, "tag": None},
    {"u": "u3", "i": "i3", "t": 30, "click": None, "price": 4.0, "tag": "two\nlines"},
]
CANONICAL = {
    "u": ["u1", "u2", "u3"],
    "i": ["i1", "7", "i3"],
    "t": [10, 20, 30],
    "click": [1.0, 0.0, None],
    "price": [2.5, None, 4.0],
    "tag": ["a", "", "two\nlines"],
}
CSV = "\n".join([HEADER, *LINES]) + "\n"
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)


def assert_canonical(log) -> None:
    assert log.letters == []
    assert {name: log.column(name) for name in CANONICAL} == CANONICAL


def write_parquet(path, **changes) -> None:
    table = pa.Table.from_pylist(ROWS)
    for name, values in changes.items():
        place = table.schema.names.index(name)
        table = table.set_column(place, name, values)
    pq.write_table(table, path)


@pytest.mark.parametrize("ending", ["csv", "txt", "tsv"])
def test_csv_is_what_has_no_other_ending(tmp_path, ending):
    (tmp_path / f"log.{ending}").write_text(CSV)

    assert_canonical(read_log(tmp_path, f"log.{ending}"))


@pytest.mark.parametrize("delimiter", ["\t", "|", ";"])
def test_any_delimiter(tmp_path, delimiter):
    (tmp_path / "log.csv").write_text(CSV.replace(",", delimiter))

    assert_canonical(read_log(tmp_path, "log.csv", delimiter=delimiter))


def test_columns_without_a_header(tmp_path):
    (tmp_path / "log.csv").write_text("\n".join(LINES))

    assert_canonical(read_log(tmp_path, "log.csv", columns=HEADER.split(",")))


def test_columns_in_place_of_a_header(tmp_path):
    (tmp_path / "log.csv").write_text("\n".join(["User,B,C,D,E,F", *LINES]))

    assert_canonical(read_log(tmp_path, "log.csv", columns=HEADER.split(","), header=True))


def test_columns_that_do_not_fit_the_header(tmp_path):
    (tmp_path / "log.csv").write_text(CSV)

    with pytest.raises(PipelineError, match=r"columns: 2 names for the 6 columns of .*log\.csv"):
        read_log(tmp_path, "log.csv", columns=["u", "i"], header=True)


def test_no_header_and_no_columns():
    with pytest.raises(ConfigError, match=r"source\.impressions: header is false, .* give 'colu"):
        log_config("log.csv", header=False)


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "json"])
def test_json_lines_by_their_ending(tmp_path, ending):
    (tmp_path / f"log.{ending}").write_text(JSONL)

    assert_canonical(read_log(tmp_path, f"log.{ending}"))


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        ("gz", gzip.compress),
        ("gz", lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:])),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
    ids=["gzip", "gzip of two members", "bzip2", "xz", "zstd"],
)
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_packed_lines(tmp_path, format, ending, pack):
    text = CSV if format == "csv" else JSONL
    (tmp_path / f"log.{format}.{ending}").write_bytes(pack(text.encode()))

    assert_canonical(read_log(tmp_path, f"log.{format}.{ending}"))


def test_a_declared_format_goes_before_the_ending(tmp_path):
    (tmp_path / "log.csv").write_text(JSONL)

    assert_canonical(read_log(tmp_path, "log.csv", format="jsonl"))


@pytest.mark.parametrize("ending", ["parquet", "pq"])
def test_parquet_by_its_ending(tmp_path, ending):
    write_parquet(tmp_path / f"log.{ending}")

    assert_canonical(read_log(tmp_path, f"log.{ending}"))


@pytest.mark.parametrize(
    "changes",
    [
        {"u": pa.array(["u1", "u2", "u3"]).dictionary_encode(), "tag": pa.nulls(3)},
        {"price": pa.array([Decimal("2.50"), None, Decimal("4.00")]), "tag": pa.nulls(3)},
        {"t": pa.array([10_000, 20_999, 30_000]).cast(pa.timestamp("ms", "UTC"))},
        {"t": pa.array([10.9, 20.0, 30.0]), "u": pa.array([b"u1", b"u2", b"u3"])},
        {
            "click": pa.array([True, False, None]),
            "u": pa.array(["u1", "u2", "u3"]).cast("large_string"),
        },
    ],
    ids=["dictionary", "decimal", "timestamp", "float time", "bool"],
)
def test_types_of_parquet(tmp_path, changes):
    write_parquet(tmp_path / "log.parquet", **changes)

    log = read_log(tmp_path, "log.parquet")

    expected = CANONICAL | ({"tag": ["", "", ""]} if "tag" in changes else {})
    assert log.letters == []
    assert {name: log.column(name) for name in expected} == expected


def test_ids_of_parquet_keep_every_digit(tmp_path):
    ids = pa.array([Decimal(2**60 + 1), Decimal(7), Decimal(8)], pa.decimal128(20, 0))
    write_parquet(tmp_path / "log.parquet", u=ids, i=pa.array([12.0, None, 2.0**40]))

    log = read_log(tmp_path, "log.parquet")

    assert log.column("u") == ["1152921504606846977", "8"]
    assert log.column("i") == ["12", "1099511627776"]
    assert log.reasons == [(2, "missing item", "i")]


def test_lists_of_parquet(tmp_path):
    texts = pa.array([["a", None, "b"], None, []])
    numbers = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2))
    write_parquet(tmp_path / "log.parquet", tag=texts, price=numbers)
    kinds = {
        "tag": Column("tag", "texts", "test"),
        "price": Column("price", "numbers", "test"),
    }

    log = read_log(tmp_path, "log.parquet", kinds)

    assert log.column("tag") == [["a", "", "b"], [], []]
    assert log.column("price") == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_a_glob_a_directory_and_directories_in_it(tmp_path):
    for n, line in enumerate(LINES):
        path = tmp_path / "logs" / f"day={n}" / "part.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"{HEADER}\n{line}\n")
    (tmp_path / "logs" / "_temporary").mkdir()
    (tmp_path / "logs" / "_temporary" / "part.csv").write_text("x")
    (tmp_path / "logs" / "day=0" / "_SUCCESS").write_text("")
    (tmp_path / "logs" / "day=0" / ".part.csv.crc").write_text("x")

    assert read_log(tmp_path, "logs/day=0").column("u") == ["u1"]
    assert read_log(tmp_path, "logs/day=[01]/*.csv").rows.num_rows == 2
    assert sorted(read_log(tmp_path, "logs/**").column("u")) == ["u1", "u2", "u3"]
    assert read_log(tmp_path, "logs/**/*.csv").rows.num_rows == 3
    assert read_log(tmp_path, "logs/day=0/**/*.csv").column("u") == ["u1"]
    with pytest.raises(PipelineError, match=r"no file .* write logs/\*\*\."):
        read_log(tmp_path, "logs")


def test_one_table_of_several_formats(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "0.csv").write_text(f"{HEADER}\n{LINES[0]}\n")
    (logs / "1.jsonl").write_text(JSONL.splitlines()[1])
    pq.write_table(pa.Table.from_pylist(ROWS[2:]), logs / "2.parquet")

    log = read_log(tmp_path, "logs")

    rows = log.rows.sort_by("t").select(list(CANONICAL)).to_pydict()
    assert rows == CANONICAL


def test_numbers_of_rows_go_by_content_and_not_by_name(tmp_path):
    contents = [f"{HEADER}\n{line}\n{line.replace('u', 'w')}\n" for line in LINES]
    found = []
    for n, order in enumerate(itertools.permutations(contents)):
        directory = tmp_path / str(n)
        directory.mkdir()
        for k, content in enumerate(order):
            (directory / f"{k}.csv").write_text(content)
        found.append(read_log(tmp_path, str(n)).rows)

    assert all(rows == found[0] for rows in found)
    assert found[0].num_rows == 6


def test_files_of_one_content_are_all_read(tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    shutil.copy(tmp_path / "a.csv", tmp_path / "b.csv")

    files = find_files(log_config("*.csv"), tmp_path)
    blocks = list(number(scan(file) for file in files))

    assert sorted(block.file.number for block in blocks) == [0, 1]
    assert read_log(tmp_path, "*.csv").rows.num_rows == 6
