"""What the pipeline's own work costs: the runner beside its components, evaluation with intervals.

    python -m benchmarks.pipeline [--only runner] [--only evaluation] [--quick] [--json FILE]

Each figure is of a process of its own.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Bar, Row, machine, print_bars, write
from benchmarks.pipeline_of import evaluation, running

SECTIONS = {"runner": running, "evaluation": evaluation}


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SECTIONS)}.")] = None,
    quick: Annotated[bool, typer.Option(help="Fewer rows and rounds.")] = False,
    json: Annotated[Path | None, typer.Option(help="Where the figures are written.")] = None,
) -> None:
    """Measures and prints."""
    console = Console(width=120, highlight=False)
    console.print(machine())
    rows: list[Row] = []
    bars: list[Bar] = []
    for name in [name for name in SECTIONS if not only or name in only]:
        with tempfile.TemporaryDirectory() as directory:
            found, reached = SECTIONS[name].measured(Path(directory), quick)
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


if __name__ == "__main__":
    typer.run(main)
