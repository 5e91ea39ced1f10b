"""How good the models are on published data, and on a shop whose truth is known.

    python -m benchmarks.quality --data DIR [--only adult --only shop] [--quick] [--json FILE]

Every model is trained once a seed; the tables show means over seeds, their spread, and in percent
the change against models of one task. DIR holds the published data sets, one a directory.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.figures import Bar, Row, print_bars, write
from benchmarks.quality_of import (
    adult,
    beauty,
    budgets,
    cold_start,
    crowdflower,
    fashion,
    lora,
    ml100k,
    open_bandit,
    ratings,
    shop,
    student,
    taobao,
)
from benchmarks.quality_of.experiments import Table

SECTIONS = {
    "adult": adult,
    "ml100k": ml100k,
    "open_bandit": open_bandit,
    "shop": shop,
    "beauty": beauty,
    "student": student,
    "budgets": budgets,
    "ratings": ratings,
    "crowdflower": crowdflower,
    "fashion": fashion,
    "lora": lora,
    "cold_start": cold_start,
    "taobao": taobao,
}
SEEDS = (1, 2, 3)


def main(
    data: Annotated[Path, typer.Option(help="Directory of the published data sets.")],
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(SECTIONS)}.")] = None,
    work: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("out/quality"),
    quick: Annotated[bool, typer.Option(help="One seed.")] = False,
    json: Annotated[Path | None, typer.Option(help="Where the figures are written.")] = None,
) -> None:
    """Trains and measures all models."""
    console = Console(width=180, highlight=False)
    rows: list[Row] = []
    bars: list[Bar] = []
    for name in only or SECTIONS:
        folder = work / name
        folder.mkdir(parents=True, exist_ok=True)
        table, reached = SECTIONS[name].measured(data, folder, SEEDS[:1] if quick else SEEDS)
        console.print(grid(table))
        print_bars(reached, console)
        rows += [
            Row(f"{name}, {model}, {metric}", value, metric.split()[1])
            for model, metrics in table.means.items()
            for metric, value in metrics.items()
        ]
        bars += reached
    if json:
        write(json, rows, bars)


def grid(table: Table) -> Grid:
    """A table of means, spreads and changes for people to read."""
    metrics = list(dict.fromkeys(m for means in table.means.values() for m in means))
    shown = Grid("", *metrics, title=table.title, caption="; ".join(table.notes) or None)
    for column in shown.columns[1:]:
        column.justify = "right"
    for model, means in table.means.items():
        shown.add_row(model, *(_cell(table, model, means, metric) for metric in metrics))
    return shown


def _cell(table: Table, model: str, means: dict[str, float], metric: str) -> str:
    if metric not in means:
        return ""
    text = f"{means[metric]:.4f} ±{table.spreads[model][metric]:.4f}"
    base = table.baselines.get(metric)
    if base is None or means is table.baselines:
        return text
    return f"{text} {100 * (means[metric] / base - 1):+.1f} %"


if __name__ == "__main__":
    typer.run(main)
