"""Stores that cannot be used as they are: newer, older, empty, damaged, not to be written to."""

import os
import sqlite3
import subprocess
import sys

import pytest

from pipelines.components.base import PipelineError
from pipelines.metadata import Store, StoreError, reading

OLD_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, state TEXT NOT NULL,
    config TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE executions (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), component TEXT NOT NULL,
    fingerprint TEXT NOT NULL, state TEXT NOT NULL, started REAL NOT NULL, ended REAL,
    summary TEXT, error TEXT);
INSERT INTO runs VALUES (1, 1.0, 2.0, 'COMPLETE', 'name: shop', 'logs');
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.sqlite"


def write_old(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(OLD_TABLES)
    db.close()


def test_a_newer_store_is_left_alone_and_said_to_be_newer(path):
    with Store(path) as store:
        store.start_run("name: shop", path.parent)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    before = path.read_bytes()
    for opened in (lambda: Store(path), lambda: reading(path).__enter__()):
        with pytest.raises(StoreError) as caught:
            opened()
        assert str(caught.value) == (
            f"{path} was written by a newer tfmtl (schema 7, this one knows 1); "
            "install that version, or choose another --output"
        )
    assert path.read_bytes() == before


def test_the_writer_moves_an_older_store_aside_and_begins_anew(path):
    write_old(path)
    with Store(path) as store:
        assert store.last_run() is None
        assert store.start_run("name: shop", path.parent) == 1
    with sqlite3.connect(path.with_name("metadata.schema-0.sqlite")) as db:
        assert db.execute("SELECT data FROM runs").fetchall() == [("logs",)]
    db.close()
    with reading(path) as reader:
        assert reader.last_run().number == 1


def test_what_was_still_in_the_older_stores_log_is_moved_with_it(path):
    """A run of an earlier version that was killed leaves its last words in the log."""
    program = (
        "import sqlite3, sys, os, signal\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA journal_mode = WAL')\n"
        "db.executescript(sys.argv[2])\n"
        "db.execute(\"INSERT INTO runs VALUES (2, 3.0, NULL, 'RUNNING', '', 'late')\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), OLD_TABLES], check=False, timeout=60)
    assert path.with_name("metadata.sqlite-wal").stat().st_size > 0
    Store(path).__exit__(None, None, None)
    with sqlite3.connect(path.with_name("metadata.schema-0.sqlite")) as db:
        assert db.execute("SELECT data FROM runs ORDER BY id").fetchall() == [("logs",), ("late",)]
    db.close()


def test_a_reader_of_an_older_store_says_what_becomes_of_it(path):
    write_old(path)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught, reading(path):
        pass
    assert str(caught.value) == (
        f"{path} was written by an earlier tfmtl (schema 0, this one reads 1); the next "
        "`tfmtl run` begins a new store and keeps this one as metadata.schema-0.sqlite"
    )
    assert path.read_bytes() == before
    assert not path.with_name("metadata.schema-0.sqlite").exists()


@pytest.mark.parametrize("content", [b"{ no such thing", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_store_is_one_line_that_says_what_to_do(path, content):
    path.write_bytes(content)
    for opened in (lambda: Store(path), lambda: reading(path).__enter__()):
        with pytest.raises(
            PipelineError, match=r"metadata\.sqlite is damaged \(.*\); move it away"
        ):
            opened()
    assert path.read_bytes() == content


def test_damage_that_shows_only_later(path):
    with Store(path) as store:
        for _ in range(40):
            store.start_run("name: shop\n" + "x" * 15_000, path.parent)
    whole = path.read_bytes()
    path.write_bytes(whole[:20_000] + b"\xee" * (len(whole) - 20_000))
    with pytest.raises(StoreError, match="is damaged"), reading(path) as reader:
        reader.runs()
    with Store(path) as store, pytest.raises(StoreError, match="is damaged"):
        store.start_run("name: shop", path.parent)


def test_a_start_that_was_killed_leaves_an_empty_store_that_is_filled(path):
    path.write_bytes(b"")
    with (
        pytest.raises(StoreError, match=r"is empty; the next `tfmtl run` writes it"),
        reading(path),
    ):
        pass
    with Store(path) as store:
        assert store.start_run("name: shop", path.parent) == 1


def test_a_store_that_is_a_directory(path):
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"), reading(path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_to_is_read_all_the_same(path):
    with Store(path) as store:
        store.start_run("name: shop", path.parent)
    path.parent.chmod(0o500)
    try:
        with reading(path) as reader:
            assert reader.last_run().number == 1
    finally:
        path.parent.chmod(0o700)
