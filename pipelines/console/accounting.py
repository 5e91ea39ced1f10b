"""What became of the rows, from the raw files to the examples: an account that must add up.

    read - rejected - repeated keys = kept, kept + changes = left     for every raw table
    sum of the splits' examples = left of the log
    examples + changes = written                                      for every split

Changes have a sign: events merged into one row are -, sampled negatives +.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.components.base import PipelineError

LOG = "rows"
"""Name of the log among the tables."""
Grid = tuple[list[str], list[list[str]]]
"""Names of the columns, and the lines of a table."""


@dataclass(frozen=True)
class Rows:
    """The rows of one raw table.

    Attributes:
        read: rows found in the files.
        kept: rows that are good and are not left out for another one with their key.
        rejected: reason -> rows.
        repeated: good rows that are left out, for another one has their key.
        changes: what takes kept rows away (-) or adds some (+).
        left: rows that go on.
    """

    read: int
    kept: int
    rejected: Mapping[str, int]
    repeated: int
    changes: Mapping[str, int]
    left: int

    @property
    def bad(self) -> int:
        """Rows that were rejected."""
        return sum(self.rejected.values())

    def __str__(self) -> str:
        text = f"{self.read:,} read, {self.kept:,} kept, {self.bad:,} rejected"
        return f"{text}, {self.repeated:,} with the key of another row" if self.repeated else text


@dataclass(frozen=True)
class SplitRows:
    """The rows of one split.

    Attributes:
        examples: rows of the log that belong to it.
        changes: what takes rows away (-) or adds some (+): sampling.
        written: rows in the files that training or evaluation reads.
    """

    examples: int
    changes: Mapping[str, int]
    written: int


@dataclass(frozen=True)
class Accounting:
    """The rows of one run.

    Attributes:
        tables: by raw table: `rows` are those of the log, then the tables joined to it.
        splits: by split; none where examples were not made yet.
        not_found: negatives that were to be sampled and for which there was no item.
        dead_letters: where the rejected rows lie, below the run's directory.
    """

    tables: Mapping[str, Rows]
    splits: Mapping[str, SplitRows]
    not_found: int
    dead_letters: str

    @property
    def log(self) -> Rows:
        """The rows of the log."""
        return self.tables[LOG]

    @property
    def bad(self) -> int:
        """Rows of all tables that were rejected."""
        return sum(rows.bad for rows in self.tables.values())

    def as_data(self) -> dict[str, Any]:
        """Plain data, to be kept as JSON."""
        return asdict(self)


def accounting(
    examples: Mapping[str, Any], transformed: Mapping[str, Any] | None = None
) -> Accounting | None:
    """Lists the rows of a run.

    Args:
        examples: summary of ExampleGen.
        transformed: summary of Transform, if it has run.

    Returns:
        The rows by table and split; None where nothing was read.
    """
    if "rows" not in examples:
        return None
    kept = examples["kept"]
    left = examples.get("examples", kept)
    tables = {
        LOG: Rows(examples["rows"], kept, examples["rejected"], 0, _changes_of_log(examples), left)
    }
    found = examples.get("attribution", {})
    # The first is the log.
    for table, side in list(examples.get("tables", {}).items())[1:]:
        lost = found.get("unattributed", 0) if table == "events" else 0
        tables[table] = Rows(
            side["rows"],
            side["kept"],
            side["rejected"],
            side["duplicates"],
            {"events of no impression": -lost} if lost else {},
            found["attributed"] if table == "events" else side["kept"],
        )
    return Accounting(
        tables=tables,
        splits=_splits(transformed or {}),
        not_found=examples.get("events", {}).get("not_found", 0),
        dead_letters=f"artifacts/examples/{examples['dead_letters']['path']}",
    )


def _changes_of_log(examples: Mapping[str, Any]) -> dict[str, int]:
    """What becomes of a log of events: those of one user, item and split become one row."""
    made = examples.get("events", {"merged": 0, "sampled": 0})
    changes = {"events merged": -made["merged"], "sampled negatives": made["sampled"]}
    return {name: rows for name, rows in changes.items() if rows}


def _splits(transformed: Mapping[str, Any]) -> dict[str, SplitRows]:
    written = transformed.get("splits", {})
    found = transformed.get("examples", written)
    changes = transformed.get("changes", {})
    return {s: SplitRows(found[s], changes.get(s, {}), rows) for s, rows in written.items()}


def check(account: Accounting) -> None:
    """Makes sure that no row is lost or counted twice.

    Raises:
        PipelineError: the account does not add up.
    """
    wrong = list(_mistakes(account))
    if wrong:
        raise PipelineError(
            f"the rows do not add up: {'; '.join(wrong)}; this is a mistake of the program, and "
            f"its results cannot be trusted"
        )


def _mistakes(account: Accounting) -> Iterator[str]:
    for name, rows in _named(account).items():
        kept = rows.read - rows.bad - rows.repeated
        if kept != rows.kept:
            yield f"of {name} {kept:,} should be kept, {rows.kept:,} are"
        left = rows.kept + sum(rows.changes.values())
        if left != rows.left:
            yield f"of {name} {left:,} should be left, {rows.left:,} are"
    for name, split in account.splits.items():
        found = split.examples + sum(split.changes.values())
        if found != split.written:
            yield f"of split {name} {found:,} should be written, {split.written:,} were"
    every = sum(split.examples for split in account.splits.values())
    if account.splits and every != account.log.left:
        yield f"the splits should have {account.log.left:,} examples, they have {every:,}"


def _named(account: Accounting) -> dict[str, Rows]:
    return {"the log" if name == LOG else name: rows for name, rows in account.tables.items()}


def table_grid(account: Accounting) -> Grid:
    """The raw tables side by side: read, what was taken away or added, left."""
    tables = account.tables
    reasons = dict.fromkeys(reason for rows in tables.values() for reason in rows.rejected)
    changes = dict.fromkeys(change for rows in tables.values() for change in rows.changes)
    lines = [["read", *(f"{rows.read:,}" for rows in tables.values())]]
    for reason in reasons:
        lost = (-rows.rejected.get(reason, 0) for rows in tables.values())
        lines.append([f"rejected: {reason}", *map(_signed, lost)])
    if any(rows.repeated for rows in tables.values()):
        lines.append(["key of another row", *(_signed(-rows.repeated) for rows in tables.values())])
    for change in changes:
        lines.append([change, *(_signed(rows.changes.get(change, 0)) for rows in tables.values())])
    lines.append(["left", *(f"{rows.left:,}" for rows in tables.values())])
    return ["", *("log" if name == LOG else name for name in tables)], lines


def split_grid(account: Accounting) -> Grid:
    """The splits side by side: examples, what sampling took away or added, written."""
    splits = account.splits
    changes = dict.fromkeys(change for split in splits.values() for change in split.changes)

    def line(name: str, rows: list[int], signed: bool = False) -> list[str]:
        shown = _signed if signed else "{:,}".format
        return [name, *(shown(count) for count in (*rows, sum(rows)))]

    lines = [line("examples", [split.examples for split in splits.values()])]
    for change in changes:
        rows = [split.changes.get(change, 0) for split in splits.values()]
        lines.append(line(change, rows, signed=True))
    lines.append(line("written", [split.written for split in splits.values()]))
    return ["", *splits, "all"], lines


def text_of(grid: Grid) -> list[str]:
    """A table as lines of text: the first column to the left, the others to the right."""
    header, lines = grid
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (header, *lines)
    ]


def _signed(rows: int) -> str:
    return f"{rows:+,}" if rows else ""
