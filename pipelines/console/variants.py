"""Variants of a model beside the full one: what they lose, how large they are, how fast."""

from collections.abc import Mapping, Sequence
from typing import Any

Grid = list[list[str]]
"""Rows of cells, the first of them the heading."""


def variants_grid(told: Mapping[str, Any]) -> Grid:
    """One row for the full model and one a variant.

    Args:
        told: what `variants.json` holds.

    Returns:
        Variant, what was pushed, megabytes of the weights and of the SavedModel, milliseconds (the
        median), and each task's main metric with the change to the full model's.
    """
    if not told:
        return []
    metrics = list(
        dict.fromkeys(
            (task, name)
            for one in told.values()
            for task, by_name in one["metrics"].items()
            for name in by_name
        )
    )
    heading = ["variant", "pushed", "weights MB", "SavedModel MB", "p50 ms"]
    heading += [f"{task} {name}" for task, name in metrics]
    first = next(iter(told.values()))
    beside: Mapping[str, Any] = next((one for one in told.values() if "latency" in one), {})
    full = [
        "full model",
        "",
        _megabytes(first["full_bytes"]),
        _megabytes(beside.get("full_saved_model_bytes")),
        _milliseconds(beside.get("full_latency")),
    ]
    full += [
        _figure(first["metrics"].get(task, {}).get(name, {}).get("full")) for task, name in metrics
    ]
    return [heading, full, *(_row(name, one, metrics) for name, one in told.items())]


def table_lines(told: Mapping[str, Any]) -> list[str]:
    """The grid as lines of text, and below it why variants were not pushed."""
    grid = variants_grid(told)
    if not grid:
        return []
    widths = [max(len(row[place]) for row in grid) for place in range(len(grid[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in grid
    ]
    return [*lines, *notes(told)]


def notes(told: Mapping[str, Any]) -> list[str]:
    """Which rows variants were left with, and why they were not pushed."""
    found = []
    for name, one in told.items():
        if one["kept"]:
            kept = ", ".join(
                f"{after:,} of {before:,} of {vocabulary}"
                for vocabulary, (before, after) in one["kept"].items()
            )
            found.append(f"{name} has kept {kept}")
        if one["reason"] is not None:
            found.append(f"{name} was not pushed: {one['reason']}")
    return found


def _row(name: str, one: Mapping[str, Any], metrics: Sequence[tuple[str, str]]) -> list[str]:
    cells = [
        name,
        "no" if one["version"] is None else f"version {one['version']}",
        f"{_megabytes(one['bytes'])} ({_share(one['bytes'], one['full_bytes'])})",
        _megabytes(one.get("saved_model_bytes")),
        _milliseconds(one.get("latency")),
    ]
    if "saved_model_bytes" in one:
        cells[3] += f" ({_share(one['saved_model_bytes'], one['full_saved_model_bytes'])})"
    for task, metric in metrics:
        both = one["metrics"].get(task, {}).get(metric)
        cells.append(_changed(both) if both else "-")
    return cells


def _megabytes(size: float | None) -> str:
    return "-" if size is None else f"{size / 1e6:,.2f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _milliseconds(latency: Mapping[str, Any] | None) -> str:
    return "-" if latency is None else f"{latency['p50']:.2f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _changed(both: Mapping[str, float]) -> str:
    return f"{both['variant']:.4f} ({both['variant'] - both['full']:+.4f})"
