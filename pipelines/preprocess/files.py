"""Finds the files of the raw tables and checks that they have the columns that are asked for."""

import codecs
import csv
import glob
import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems

from pipelines.components.base import PipelineError
from pipelines.preprocess.json_reading import first_types
from pipelines.preprocess.layout import Column, Table, source_key, table_sources
from pipelines.preprocess.opening import compressed, one_line, open_raw
from pipelines.preprocess.pieces import RECORD_BYTES
from pipelines.preprocess.raw_files import RawFile, format_of
from pipelines.preprocess.tfrecord_reading import first_tfrecord_types
from pipelines.preprocess.time_units import with_units
from pipelines.preprocess.wanted import resolve
from tfmtl.config import Config, TableSource

_FIRST_BYTES = 1 << 16
"""Bytes of JSON lines in which their keys are looked for."""


def find_files(config: Config, data: Path) -> list[RawFile]:
    """Lists the files of all raw tables.

    Args:
        config: the configuration.
        data: directory that the configuration's paths are relative to.

    Raises:
        PipelineError: a file is missing, empty, not of its format, or lacks a column.
    """
    found: dict[Table, list[RawFile]] = {}
    for table, source in table_sources(config).items():
        key = source_key(config, table)
        found[table] = list_files(source, data, key, table)
    names = {
        table: list(dict.fromkeys(name for file in files for name in file.names))
        for table, files in found.items()
    }
    wanted = resolve(config, names)
    now = int(time.time())
    files = []
    for table, listed in found.items():
        check_columns(listed, wanted[table], names[table])
        with_columns = [replace(file, wanted=tuple(wanted[table])) for file in listed]
        source, joined = table_sources(config)[table], table in config.source.keyed
        files += with_units(with_columns, source, None if joined else now)
    return files


def list_files(source: TableSource, data: Path, key: str, table: Table) -> list[RawFile]:
    """Lists the files of one table, with the names of their columns.

    Args:
        source: the table.
        data: directory that its path is relative to.
        key: what errors call it.
        table: name of the table.

    Raises:
        PipelineError: a file is missing, empty or not of its format.
    """
    return [_describe(source, key, table, listed) for listed in _match(source, data, key)]


def _match(source: TableSource, data: Path, key: str) -> list[FileMetadata]:
    pattern = str(Path(glob.escape(str(data))) / source.path)
    # Beam's "**/" stands for one directory at least.
    patterns = dict.fromkeys([pattern, pattern.replace("**/", "")])
    found = (file for match in FileSystems.match(list(patterns)) for file in match.metadata_list)
    listed = list({str(file.path): file for file in found}.values())
    if not listed or (len(listed) == 1 and Path(listed[0].path).is_dir()):
        listed = FileSystems.match([FileSystems.join(pattern, "*")])[0].metadata_list
    files = [
        file
        for file in listed
        if not _hidden(Path(file.path), data / source.path) and not Path(file.path).is_dir()
    ]
    if not files:
        is_dir = (data / source.path).is_dir()
        deeper = f" For files in its subdirectories write {source.path}/**." if is_dir else ""
        raise PipelineError(
            f"{key}.path: there is no file {data / source.path}; is --data right?{deeper}"
        )
    if not any(file.size_in_bytes for file in files):
        empty = min(str(file.path) for file in files)
        raise PipelineError(f"{key}.path: {empty} is empty (0 bytes)")
    return sorted((file for file in files if file.size_in_bytes), key=lambda file: str(file.path))


def _hidden(path: Path, pattern: Path) -> bool:
    """Whether a part of a path that the pattern does not name begins with `.` or `_`."""
    named = set(pattern.parts)
    return any(part[0] in "._" for part in path.parts if part not in named)


def _describe(source: TableSource, key: str, table: Table, listed: FileMetadata) -> RawFile:
    path = str(listed.path)
    file = RawFile(
        table,
        0,
        path,
        int(listed.size_in_bytes),
        float(listed.last_updated_in_seconds or 0),
        format_of(path) if source.format == "auto" else source.format,
    )
    if file.format == "parquet":
        return replace(file, names=_parquet_names(path))
    if file.format == "tfrecord":
        return _with_types(file, source, _tfrecord_types(path))
    file = replace(file, encoding=_checked_encoding(source, key), delimiter=source.delimiter)
    with open_raw(path) as opened:
        first = opened.readline(RECORD_BYTES)
        mark = len(codecs.BOM_UTF8) if first.startswith(codecs.BOM_UTF8) else 0
        if file.encoding == "utf-8":
            file = replace(file, header=mark)
        if file.format == "jsonl":
            first += opened.read(_FIRST_BYTES)
    if file.format == "jsonl":
        return _with_types(file, source, _json_types(path, first[file.header :], file.encoding))
    return _csv(file, source, key, first)


def _csv(file: RawFile, source: TableSource, key: str, first: bytes) -> RawFile:
    if len(first) == RECORD_BYTES:
        raise PipelineError(
            f"{file.path}: its first line has over {RECORD_BYTES:,} bytes; is it a CSV?"
        )
    names = tuple(source.columns or ())
    if source.has_header:
        text = first[file.header :].decode(file.encoding, errors="replace").rstrip("\r\n")
        named = tuple(next(csv.reader(io.StringIO(text), delimiter=source.delimiter), []))
        if names and len(named) != len(names):
            raise PipelineError(
                f"{key}.columns: {len(names)} names for the {len(named)} columns of {file.path}"
            )
        names = names or named
        file = replace(file, header=len(first), header_lines=1)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        where = f"{key}.columns" if source.columns is not None else file.path
        raise PipelineError(f"{where}: column '{min(twice)}' is named twice; rename one of them")
    return replace(file, names=names)


def _with_types(file: RawFile, source: TableSource, types: dict[str, pa.DataType]) -> RawFile:
    known = {**dict.fromkeys(source.columns or (), pa.null()), **types}
    return replace(file, names=tuple(known), types=tuple(known.values()))


def _json_types(path: str, first: bytes, encoding: str) -> dict[str, pa.DataType]:
    types = first_types(first, encoding)
    if not types:
        hint = " (make lines of a list with jq -c '.[]')" if first.lstrip()[:1] == b"[" else ""
        raise PipelineError(
            f"{path}: none of its first lines is a JSON object; expected one a line{hint}"
        )
    return types


def _tfrecord_types(path: str) -> dict[str, pa.DataType]:
    if compressed(path) and not path.endswith(".gz"):
        raise PipelineError(f"{path}: TFRecord is read as it is or as .gz; unpack it")
    types = first_tfrecord_types(path)
    if not types:
        raise PipelineError(f"{path}: none of its first records is a tf.Example with a value")
    return types


def _checked_encoding(source: TableSource, key: str) -> str:
    try:
        encoding = codecs.lookup(source.encoding).name
    except LookupError:
        raise PipelineError(
            f"{key}.encoding: '{source.encoding}' is no encoding known here; try utf-8 or latin-1"
        ) from None
    if encoding == "utf-8-sig":
        return "utf-8"
    if "\n".encode(encoding) != b"\n":
        raise PipelineError(
            f"{key}.encoding: {source.encoding} cannot be read, a line break must be one byte; "
            f"convert the file to utf-8"
        )
    return encoding


def _parquet_names(path: str) -> tuple[str, ...]:
    try:
        with FileSystems.open(path) as file:
            return tuple(pq.read_schema(file).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise PipelineError(
            f"{path}: no readable Parquet file, it may be truncated: {one_line(error)}"
        ) from None


def check_columns(files: Sequence[RawFile], wanted: Sequence[Column], known: list[str]) -> None:
    """Checks that files have the columns that are asked for.

    Args:
        files: files of one table.
        wanted: the columns.
        known: names of the columns of all of them together.

    Raises:
        PipelineError: one lacks a column.
    """
    for file in files:
        fixed = file.format in ("csv", "parquet")
        names = file.names if fixed else known
        for column in wanted:
            if column.name in names:
                continue
            hint = ""
            if len(names) == 1 and file.format == "csv":
                hint = f"; is the delimiter {file.delimiter!r} right?"
            if not fixed:
                hint = " in its first rows; if later ones have more, name it in the table's columns"
            raise PipelineError(
                f"{column.asked_by}: there is no column '{column.name}' in {file.path}, "
                f"it has {', '.join(names)}{hint}"
            )
