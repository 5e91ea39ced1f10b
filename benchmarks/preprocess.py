"""How fast raw logs become training data, and training data batches; how much memory it takes.

    python -m benchmarks.preprocess [--only speed --only reading] [--quick] [--json FILE]

What is compared is run in turns, in processes of its own; figures are medians. polars runs in an
environment of its own, which the first run makes below ~/.cache/tfmtl-benchmarks.
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
from benchmarks.preprocess_of import memory, reading, speed

SECTIONS = {"speed": speed, "memory": memory, "reading": reading}
"""In this order: reading is done in this process, and a command's peak memory counts what the
process that starts it holds."""


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
