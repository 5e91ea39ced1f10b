"""Smaller variants of the model: what they lose, how large they are, how fast they answer."""

from pipelines.console.variants import notes, variants_grid
from pipelines.report.facts import Facts
from pipelines.report.html import Markup, element, note, section, table
from pipelines.report.shapes import mapping


def variants(facts: Facts) -> Markup | None:
    """A row a variant beside the full model."""
    told = mapping(facts.summary("Compressor").get("variants"))
    grid = variants_grid(told)
    if not grid:
        return None
    text = note(
        "Metrics are of the test rows, in brackets the change to the full model. The milliseconds "
        "are the median of answers by turns, to 100 candidates where the model ranks."
    )
    lines = (element("p", line, class_="soft") for line in notes(told))
    return section("Variants", text, table(grid[0], grid[1:]), *lines, id_="variants")
