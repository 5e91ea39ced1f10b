"""The report's section on the data: where the rows went, and what the examples are like."""

from collections.abc import Iterator

from pipelines.console.accounting import Accounting, Grid, accounting, split_grid, table_grid
from pipelines.preprocess.sampling_text import notes_of, table_of
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, bar, details, element, note, section, table
from pipelines.report.numbers import percent
from pipelines.report.tables import across


def account_of(facts: Facts) -> Accounting | None:
    """The rows of the run; None where nothing was read."""
    return accounting(dict(facts.summary("ExampleGen")), dict(facts.summary("Transform")))


def data(facts: Facts) -> Markup | None:
    """Where the rows went, what sampling did, and how often the labels are 1."""
    account = account_of(facts)
    if account is None:
        return None
    parts = [*_raw(account), *_splits(account), *_sampling(facts), *_labels(facts)]
    return section("Data", note(_sentence(account)), *parts, id_="data")


def _sentence(account: Accounting) -> str:
    rows = account.log
    lost = f"{rows.bad:,} were rejected ({percent(rows.bad / max(rows.read, 1))})"
    return f"Of {rows.read:,} rows of the log {lost if rows.bad else 'none was rejected'}."


def _raw(account: Accounting) -> Iterator[Markup]:
    yield from _grid("Rows of the raw tables", table_grid(account))
    if account.not_found:
        yield element("p", f"negatives: {account.not_found:,} fewer than asked for")
    if account.bad:
        shares = (
            (name, reason, f"{count / max(counts.read, 1):.3%}")
            for name, counts in account.tables.items()
            for reason, count in sorted(counts.rejected.items(), key=lambda item: -item[1])
        )
        yield details("Rejected rows by reason", table(("table", "reason", "share"), shares))
        yield note(f"The rejected rows lie in {account.dead_letters}")


def _splits(account: Accounting) -> Iterator[Markup]:
    if account.splits:
        every = max(sum(rows.written for rows in account.splits.values()), 1)
        yield from _grid("Examples by split", split_grid(account))
        for name, rows in account.splits.items():
            yield bar(name, rows.written / every, f"{rows.written:,}")


def _sampling(facts: Facts) -> Iterator[Markup]:
    found = facts.summary("Transform").get("sampling")
    if found:
        yield from _grid("Training rows before and after sampling", table_of(found))
        yield from (note(text) for text in notes_of(found))


def _labels(facts: Facts) -> Iterator[Markup]:
    means = facts.summary("Transform").get("label_means")
    if means and any(means.values()):
        yield element("h3", "Mean of the labels")
        yield across(means, first="label")
    for task, shares in facts.summary("Transform").get("classes", {}).items():
        yield details(f"Share of each class, {task}", across(shares, first="class"))


def _grid(title: str, grid: Grid) -> Iterator[Markup]:
    yield element("h3", title)
    yield table(*grid)
