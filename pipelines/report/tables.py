"""Tables of figures."""

from collections.abc import Mapping

from pipelines.console.figures import Figures, figure
from pipelines.report.html import Markup, table


def across(
    columns: Mapping[str, Figures], first: str = "metric", transposed: bool = False
) -> Markup:
    """A table of figures: a column a task and a row a metric, or the other way round."""
    names = list(dict.fromkeys(metric for figures in columns.values() for metric in figures))
    if transposed:
        rows = ([n or "(missing)", *(figure(f.get(m)) for m in names)] for n, f in columns.items())
        return table((first, *names), rows)
    by_metric = ([m, *(figure(f.get(m)) for f in columns.values())] for m in names)
    return table((first, *columns), by_metric)
