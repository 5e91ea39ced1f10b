"""Tables whose cells are the darker the larger their number is."""

from collections.abc import Iterable, Sequence

from pipelines.report.html import Markup, element
from pipelines.report.numbers import known, shown


def heat_map(
    rows: Iterable[tuple[object, Sequence[object]]],
    columns: Sequence[object],
    title: object = "",
    places: int = 2,
    diverging: bool = False,
) -> Markup:
    """A heat map that is a table, so that its numbers can be read and copied.

    Args:
        rows: each row's label and its numbers, from 0 to 1; a dash where there is none.
        columns: the columns' names.
        title: what the first column holds.
        places: decimals.
        diverging: numbers go from -1 to 1, and the two signs have two colours.

    Returns:
        The table in a box of its own, which scrolls sideways.
    """
    head = element("tr", *(element("th", cell, scope="col") for cell in (title, *columns)))
    body = (
        element(
            "tr", element("th", label, scope="row"), *(_cell(v, places, diverging) for v in row)
        )
        for label, row in rows
    )
    content = element("table", element("thead", head), element("tbody", *body), class_="heat")
    return element("div", content, class_="scroll", tabindex=0)


def _cell(value: object, places: int, diverging: bool) -> Markup:
    number = known(value)
    if number is None:
        return element("td", shown(value))
    strength = min(abs(number), 1.0)
    tone = "minus" if number < 0 else None
    text = shown(float(number), places, signed=diverging)
    return element("td", text, style=f"--w:{100 * strength:.0f}%", class_=tone)
