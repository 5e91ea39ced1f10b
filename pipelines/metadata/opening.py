"""Opens the store's file, or says in one line why it cannot be used."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pipelines.components.base import PipelineError
from pipelines.metadata.reader import Reader
from pipelines.metadata.tables import SCHEMA, TABLES

_SECONDS_TO_WAIT = 30


class StoreError(PipelineError):
    """A store that cannot be used. One line that says what to do."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns SQLite's word for a damaged file into one that names the file and the remedy."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            # A full disk, a lock, a wrong statement: they say nothing of the file.
            raise
        raise StoreError(
            f"{path} is damaged ({error}); move it away and run again: finished steps are kept, "
            "the history of earlier runs is in that file alone"
        ) from error


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection for the one who writes. The store is made where there is none.

    A store of an earlier schema is moved aside, as nothing but the history depends on it.

    Raises:
        StoreError: the file is damaged, or of a later version.
    """
    with translated(path):
        db = _connect(str(path))
        try:
            if _is_earlier(db, path):
                db = _moved_aside(db, path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            if not _has_tables(db):
                # One transaction, the version last: a killed start leaves an empty file.
                db.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")
        except BaseException:
            db.close()
            raise
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that leaves the file as it is.

    Raises:
        StoreError: the file is damaged, or of another version.
    """
    with translated(path):
        address = f"{path.resolve().as_uri()}?mode=ro"
        try:
            db = _connect(address)
            empty = not _has_tables(db)
        except sqlite3.OperationalError:
            # A directory that cannot be written to has no place for the log's index.
            db = _connect(f"{address}&immutable=1")
            empty = not _has_tables(db)
        try:
            if empty:
                raise StoreError(f"{path} is empty; the next `tfmtl run` writes it")
            if _is_earlier(db, path):
                raise StoreError(
                    f"{path} was written by an earlier tfmtl (schema {_version(db)}, this one "
                    f"reads {SCHEMA}); the next `tfmtl run` begins a new store and keeps this one "
                    f"as {_aside(path, db).name}"
                )
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The store of a run directory, to read from while a run may be writing.

    Raises:
        StoreError: the file is damaged, or of another version.
    """
    try:
        with translated(path), closing(open_to_read(path)) as db:
            yield Reader(db)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address, isolation_level=None, timeout=_SECONDS_TO_WAIT, uri=address.startswith("file:")
    )


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _is_earlier(db: sqlite3.Connection, path: Path) -> bool:
    found = _version(db)
    if found > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer tfmtl (schema {found}, this one knows {SCHEMA}); "
            "install that version, or choose another --output"
        )
    return found < SCHEMA and _has_tables(db)


def _aside(path: Path, db: sqlite3.Connection) -> Path:
    return path.with_name(f"{path.stem}.schema-{_version(db)}{path.suffix}")


def _moved_aside(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Gives an earlier store another name, and opens a new one."""
    aside = _aside(path, db)
    # Without the write-ahead log it is one file, which one rename moves.
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    path.rename(aside)
    return _connect(str(path))
