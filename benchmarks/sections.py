"""The parts of a benchmark, measured one after the other, printed and written."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Bar, Row, machine, print_bars, write

Only = Annotated[list[str] | None, typer.Option(help="Name of a part; may be given repeatedly.")]
Quick = Annotated[bool, typer.Option(help="Fewer rows and rounds.")]
Json = Annotated[Path | None, typer.Option(help="Where the figures are written.")]


class Section(Protocol):
    """A module that measures something."""

    def measured(self, work: Path, quick: bool) -> tuple[list[Row], list[Bar]]:
        """Figures and bars; `work` is an empty directory."""


def run_sections(
    sections: Mapping[str, Section], only: Sequence[str] | None, quick: bool, json: Path | None
) -> None:
    """Measures the parts asked for, in the order in which they are declared.

    Args:
        sections: all parts by name.
        only: names of those to measure; all where none is given.
        quick: whether to measure them small.
        json: where the figures are written; nowhere where it is not given.
    """
    unknown = next((name for name in only or () if name not in sections), None)
    if unknown is not None:
        raise typer.BadParameter(
            f"there is no part '{unknown}'; there is {', '.join(sections)}", param_hint="--only"
        )
    console = Console(width=120, highlight=False)
    console.print(machine())
    rows: list[Row] = []
    bars: list[Bar] = []
    for name in [name for name in sections if not only or name in only]:
        with tempfile.TemporaryDirectory() as directory:
            found, reached = sections[name].measured(Path(directory), quick)
        grid = Table("figure", "value", "unit", box=None, pad_edge=False, title=name)
        for row in found:
            grid.add_row(
                row.name, f"{row.value:,.4g}" if row.value < 1e4 else f"{row.value:,.0f}", row.unit
            )
        console.print(grid)
        print_bars(reached, console)
        rows += found
        bars += reached
    if json:
        write(json, rows, bars)
