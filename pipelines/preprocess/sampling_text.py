"""The table of the training rows before and after sampling, out of Transform's summary."""

from collections.abc import Mapping
from typing import Any

from pipelines.console.accounting import Grid, text_of

BEFORE, AFTER = "before", "after"
NEGATIVES, EVENED, REPEATED = "left_out_negatives", "left_out_to_even", "repeated"
"""Names of the counts of rows left out as negatives, left out to even the groups, and repeated."""


def changes_of(summary: Mapping[str, Any]) -> dict[str, int]:
    """How sampling changed the number of rows: what was left out is -, what was repeated +."""
    changes = {
        "negatives left out": -summary[NEGATIVES],
        f"left out to even the {summary['by']}s": -summary[EVENED],
        f"repeated to even the {summary['by']}s": summary[REPEATED],
    }
    return {name: rows for name, rows in changes.items() if rows}


def table_of(summary: Mapping[str, Any]) -> Grid:
    """The table of training rows before and after.

    Args:
        summary: as `summarise_sampling` makes it.

    Returns:
        A line a scenario before and one after: rows, their share of all, and for each task the
        positives and their share of the known labels.
    """
    scenarios = summary["scenarios"]
    tasks = list(next(iter(scenarios.values()))[BEFORE]["positives"])
    header = ["scenario", "rows", "share"]
    for task in tasks:
        header += [task, "rate"]
    lines = []
    totals = {
        when: max(sum(s[when]["rows"] for s in scenarios.values()), 1) for when in (BEFORE, AFTER)
    }
    for name, scenario in scenarios.items():
        for when in (BEFORE, AFTER):
            counts = scenario[when]
            share = f"{counts['rows'] / totals[when]:.1%}"
            line = [f"{name}, {when}", f"{counts['rows']:,}", share]
            for task in tasks:
                positives, known = counts["positives"][task], counts["known"][task]
                line += [f"{positives:,}", f"{positives / known:.2%}" if known else "-"]
            lines.append(line)
    return header, lines


def notes_of(summary: Mapping[str, Any]) -> list[str]:
    """The rates of sampling, in words."""
    rates = {name: s["keep_rate"] for name, s in summary["scenarios"].items()}
    notes = []
    if any(rate < 1 for rate in rates.values()):
        each = ", ".join(f"{name} {rate:.4g}" for name, rate in rates.items())
        notes.append(f"share of the negatives that is kept: {each}")
    if summary["repeat"]:
        each = ", ".join(f"{name} {factor:.4g}" for name, factor in summary["repeat"].items())
        notes.append(f"rows come so many times, by {summary['by']}: {each}")
    return notes


def lines_of(summary: Mapping[str, Any]) -> list[str]:
    """The table and the rates as lines of text."""
    return [*text_of(table_of(summary)), *notes_of(summary)]
