"""Which unit a table's times have, and until when they may be: the same for all of its files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from pipelines.preprocess.list_values import single_values
from pipelines.preprocess.raw_files import RawFile
from pipelines.preprocess.reading import first_rows
from pipelines.preprocess.times import UNITS, count_units
from pipelines.preprocess.values import is_list
from tfmtl.config import TableSource

_DAY = 86_400


def with_units(files: Sequence[RawFile], source: TableSource, now: int | None) -> list[RawFile]:
    """Says of the columns of times in which unit they are and which time is the last one right.

    By default a unit is the one that most of the first rows of all files are in by their size,
    which does not depend on the files' order.

    Args:
        files: all files of one table.
        source: the table.
        now: present unix time, a day after which times are of the future; None if they may be.
    """
    columns = {column.name for file in files for column in file.wanted if column.kind == "time"}
    if not columns:
        return list(files)
    if source.time_unit == "auto":
        units = _found_units(files, columns)
    else:
        units = dict.fromkeys(columns, str(source.time_unit))
    latest = None if now is None else now + _DAY
    if source.max_time is not None:
        latest = int(source.max_time.replace(tzinfo=source.max_time.tzinfo or UTC).timestamp())
    return [
        replace(
            file,
            wanted=tuple(
                replace(column, unit=units[column.name], latest=latest)
                if column.kind == "time"
                else column
                for column in file.wanted
            ),
        )
        for file in files
    ]


def _found_units(files: Sequence[RawFile], columns: set[str]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in columns}
    for file in files:
        times = tuple(column for column in file.wanted if column.name in columns)
        rows = first_rows(replace(file, wanted=times))
        if rows is None:
            continue
        for name in columns:
            values = rows.columns.column(name)
            counts[name] += count_units(
                single_values(values)[0] if is_list(values.type) else values
            )
    order = list(UNITS)
    return {
        name: max(order, key=lambda unit: (found[unit], -order.index(unit)))
        for name, found in counts.items()
    }
