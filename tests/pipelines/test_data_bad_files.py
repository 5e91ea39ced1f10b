"""Files that are bad as a whole, or hold what no parser should have to hold."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import run_components, shop_config, write_shop
from raw_tables import log_config, read_log

from pipelines.components.base import PipelineError
from pipelines.preprocess import parsing, pieces, text_records
from pipelines.preprocess.blocks import scan
from pipelines.preprocess.files import find_files
from pipelines.preprocess.reading import read

HEADER = "u,i,t,click,price,tag\n"
LINE = "u1,i1,10,1,2.5,a\n"
ROOT = Path(__file__).parents[2]


def small_records(monkeypatch, size: int) -> None:
    """Makes lines of more than some bytes too long."""
    monkeypatch.setattr(pieces, "RECORD_BYTES", size)
    monkeypatch.setattr(text_records, "RECORD_BYTES", size)


class TestFilesThatChange:
    @pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz", "parquet"])
    def test_between_listing_and_scanning(self, tmp_path, ending):
        path = self.write(tmp_path, ending)
        (file,) = find_files(log_config(path.name), tmp_path)
        self.touch(path)

        with pytest.raises(PipelineError, match=rf"log\.{ending}: changed while it was read"):
            scan(file)

    @pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz", "parquet"])
    def test_between_two_blocks(self, tmp_path, ending):
        path = self.write(tmp_path, ending)
        (file,) = find_files(log_config(path.name), tmp_path)
        first, *others = scan(file, 20).blocks
        parts = read(first, 20)
        next(parts)
        self.touch(path)

        with pytest.raises(PipelineError, match=rf"log\.{ending}: changed while it was read"):
            list(read(others[0]) if others else parts)

    def test_a_file_that_grows_or_goes(self, tmp_path):
        path = self.write(tmp_path, "csv")
        (file,) = find_files(log_config(path.name), tmp_path)
        with path.open("a") as log:
            log.write(LINE)
        os.utime(path, (file.modified, file.modified))

        with pytest.raises(PipelineError, match=r"it has 124 bytes, 107 before\); run again"):
            scan(file)
        path.unlink()
        with pytest.raises((PipelineError, OSError)):
            scan(file)

    @pytest.mark.parametrize("step", ["scan", "read"])
    def test_the_run_stops_with_one_line(self, tmp_path, monkeypatch, step):
        write_shop(tmp_path)
        log = tmp_path / "log.csv"
        original = getattr(parsing, step)

        def and_someone_writes(*args):
            self.touch(log)
            return original(*args)

        monkeypatch.setattr(parsing, step, and_someone_writes)

        with pytest.raises(PipelineError) as caught:
            run_components(shop_config(), tmp_path, tmp_path / "run", 1)

        assert str(caught.value).startswith(f"{log}: changed while it was read (")
        assert "\n" not in str(caught.value)

    @staticmethod
    def write(directory: Path, ending: str) -> Path:
        path = directory / f"log.{ending}"
        row = dict(zip(HEADER.strip().split(","), LINE.strip().split(","), strict=True))
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist([row] * 5), path, row_group_size=2)
        elif ending == "jsonl":
            path.write_text((json.dumps(row) + "\n") * 5)
        else:
            data = (HEADER + LINE * 5).encode()
            path.write_bytes(gzip.compress(data) if ending == "csv.gz" else data)
        return path

    @staticmethod
    def touch(path: Path) -> None:
        stat = path.stat()
        os.utime(path, (stat.st_atime, stat.st_mtime + 1))


class TestGzip:
    def test_a_bad_tail_stops_the_run_and_names_the_byte(self, tmp_path):
        packed = gzip.compress((HEADER + LINE * 1000).encode())
        path = tmp_path / "log.csv.gz"

        for name, bad in {
            "truncated": packed[:-20],
            "wrong checksum": packed[:-8] + bytes(4) + packed[-4:],
            "other bytes behind it": packed + b"these are no member of it",
        }.items():
            path.write_bytes(bad)
            with pytest.raises(PipelineError) as caught:
                read_log(tmp_path, "log.csv.gz")
            message = str(caught.value)
            assert message.startswith(f"{path}: damaged or truncated before byte "), name
            assert 0 < int(message.split("before byte ")[1].split()[0].replace(",", "")) <= len(bad)
            assert "\n" not in message


class TestLongLines:
    @pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl"])
    @pytest.mark.parametrize("block_bytes", [7, 64, 1 << 20])
    @pytest.mark.parametrize("size", [101, 130, 1000])
    def test_a_line_too_long_is_rejected_alone(
        self, tmp_path, monkeypatch, ending, block_bytes, size
    ):
        row = dict(zip(HEADER.strip().split(","), LINE.strip().split(","), strict=True))
        good = json.dumps(row) + "\n" if ending == "jsonl" else LINE
        small_records(monkeypatch, 100)
        data = ("" if ending == "jsonl" else HEADER) + good + "x" * size + "\n" + good * 2
        path = tmp_path / f"log.{ending}"
        path.write_bytes(gzip.compress(data.encode()) if ending == "csv.gz" else data.encode())

        log = read_log(tmp_path, path.name, block_bytes=block_bytes)

        assert log.rows.num_rows == 3
        first = 2 if ending == "jsonl" else 3
        assert log.reasons == [(first, "line too long", None)]
        assert set(log.letters[0]["raw"]) == {"x"}
        assert len(log.letters[0]["raw"]) <= 1000

    def test_the_longest_line_is_one(self, tmp_path, monkeypatch):
        small_records(monkeypatch, len(LINE) - 1)
        (tmp_path / "log.csv").write_text(HEADER + LINE * 3)

        assert read_log(tmp_path, "log.csv", block_bytes=5).rows.num_rows == 3

    def test_a_line_too_long_at_the_end(self, tmp_path, monkeypatch):
        small_records(monkeypatch, 50)
        (tmp_path / "log.csv").write_text(HEADER + LINE + "x" * 5000)

        log = read_log(tmp_path, "log.csv", block_bytes=16)

        assert (log.rows.num_rows, log.reasons) == (1, [(3, "line too long", None)])

    def test_a_quote_that_nothing_closes_loses_its_own_line(self, tmp_path, monkeypatch):
        small_records(monkeypatch, 60)
        (tmp_path / "log.csv").write_text(HEADER + LINE + '"' + LINE + LINE * 50)

        log = read_log(tmp_path, "log.csv", block_bytes=32)

        assert (log.rows.num_rows, log.reasons) == (51, [(3, "unclosed quote", None)])

    @pytest.mark.slow
    @pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl"])
    def test_a_line_of_200_mb_is_never_held(self, tmp_path, ending):
        path = tmp_path / f"log.{ending}"
        row = dict(zip(HEADER.strip().split(","), LINE.strip().split(","), strict=True))
        good = (json.dumps(row) + "\n" if ending == "jsonl" else LINE).encode()
        with gzip.open(path, "wb", 1) if ending == "csv.gz" else path.open("wb") as file:
            file.write((b"" if ending == "jsonl" else HEADER.encode()) + good)
            for _ in range(200):
                file.write(b"x" * (1 << 20))
            file.write(b"\n" + good)
        script = f"""
import resource, sys
from pathlib import Path
sys.path[:0] = {[str(ROOT), str(ROOT / "tests/pipelines")]!r}
from raw_tables import read_log
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log = read_log(Path({str(tmp_path)!r}), {path.name!r})
print(log.rows.num_rows, [letter["reason"] for letter in log.letters])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

        result, megabytes = run.stdout.splitlines()[-2:]
        assert result == "2 ['line too long']"
        assert int(megabytes) < 120


class TestMixedTypes:
    def test_parquet_files_of_one_table_with_other_types(self, tmp_path):
        names = HEADER.strip().split(",")
        kinds = {
            "a": ["u1", "7", 10, 1, 2.5, "a"],
            "b": [1, 7, "10", "1", "2.5", 1.5],
            "c": [1.0, 7.0, 10.0, True, "cheap", None],
        }
        (tmp_path / "log").mkdir()
        for name, values in kinds.items():
            table = pa.table({n: [v] for n, v in zip(names, values, strict=True)})
            pq.write_table(table, tmp_path / "log" / f"{name}.parquet")

        log = read_log(tmp_path, "log")

        assert sorted(log.column("u")) == ["1", "u1"]
        assert log.column("i") == ["7", "7"]
        assert log.column("t") == [10, 10]
        assert log.column("price") == [2.5, 2.5]
        assert sorted(log.column("tag")) == ["1.5", "a"]
        assert log.reasons == [(1, "not a number", "price")]
        assert log.letters[0]["file"].endswith("c.parquet")
        assert json.loads(log.letters[0]["raw"])["price"] == "cheap"

    def test_texts_and_numbers_in_a_column_of_a_csv(self, tmp_path):
        (tmp_path / "log.csv").write_text(HEADER + LINE + LINE.replace("2.5", "cheap"))

        log = read_log(tmp_path, "log.csv")

        assert log.column("price") == [2.5]
        assert log.reasons == [(3, "not a number", "price")]

    def test_a_column_of_parquet_that_holds_no_values(self, tmp_path):
        names = HEADER.strip().split(",")
        values = ["u1", "i1", 10, 1, 2.5, {"a": 1}]
        table = pa.table({n: [v] for n, v in zip(names, values, strict=True)})
        pq.write_table(table, tmp_path / "log.parquet")

        with pytest.raises(PipelineError, match=r"log\.parquet: column 'tag' is of type struct"):
            read_log(tmp_path, "log.parquet")


class TestOddBytes:
    def test_nul_bytes(self, tmp_path):
        lines = [LINE, LINE.replace("a\n", "a\0\n"), "\0" * 64 + "\n", LINE.replace("2.5", "\0")]
        (tmp_path / "log.csv").write_text(HEADER + "".join(lines))

        log = read_log(tmp_path, "log.csv")

        assert log.rows.num_rows == 1
        assert sorted(log.reasons) == [
            (3, "NUL byte", "tag"),
            (4, "wrong number of fields", None),
            (5, "not a number", "price"),
        ]

    def test_texts_of_parquet_that_are_not_utf8(self, tmp_path):
        names = HEADER.strip().split(",")
        rows = [["u1", "i1", 10, 1, 2.5, tag] for tag in (b"a", b"caf\xe9", "café".encode())]
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        for n, kind in enumerate((pa.binary(), pa.string())):
            tags = pa.array(columns["tag"], pa.binary())
            tags = pa.Array.from_buffers(kind, 3, tags.buffers())
            pq.write_table(pa.table({**columns, "tag": tags}), tmp_path / f"{n}.parquet")

            log = read_log(tmp_path, f"{n}.parquet")

            assert log.column("tag") == ["a", "café"]
            assert log.reasons == [(2, "not UTF-8", "tag")]
            assert json.loads(log.letters[0]["raw"])["tag"] == "caf\ufffd"

    def test_random_bytes_are_rejected_and_counted(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes()
        (tmp_path / "log.csv").write_bytes(HEADER.encode() + noise + b"\n" + LINE.encode())

        log = read_log(tmp_path, "log.csv", block_bytes=512)

        assert log.column("u")[-1] == "u1"
        assert {reason for _, reason, _ in log.reasons} <= {
            "not UTF-8",
            "unclosed quote",
            "wrong number of fields",
        }
