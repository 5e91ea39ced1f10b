"""Pieces of HTML. Every value that comes in is escaped; only `Markup` passes through."""

import re
from collections.abc import Iterable, Sequence
from html import escape

# What XML and HTML do not allow in a text, and no reader could see.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is HTML already."""


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element.

    Args:
        tag: its name.
        children: its content; what is no `Markup` is escaped, None is left out.
        attributes: underscores become hyphens, a trailing one is dropped (`class_`); None is
            left out.

    Example:
        >>> element("p", "1 < 2", class_="note")
        '<p class="note">1 &lt; 2</p>'
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_safe(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{tag}{named}>{join(children)}</{tag}>")


def join(children: Iterable[object]) -> Markup:
    """The children one after the other."""
    return Markup("".join(_render(child) for child in children if child is not None))


def table(header: Sequence[object], rows: Iterable[Sequence[object]], class_: str = "") -> Markup:
    """A table that scrolls sideways on its own where it is too wide; figures stand right."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    )
    content = element(
        "table", element("thead", head), element("tbody", *body), class_=class_ or None
    )
    # Whoever has no pointer must be able to reach it to scroll it.
    return element("div", content, class_="scroll", tabindex=0)


def details(summary: object, *children: object, open_: bool = False) -> Markup:
    """Something to open."""
    return element("details", element("summary", summary), *children, open="" if open_ else None)


def section(title: str, *children: object, id_: str | None = None) -> Markup:
    """A card with a heading, and the name a link finds it by."""
    return element("section", element("h2", title), *children, id_=id_)


def note(*children: object) -> Markup:
    """A sentence that explains what stands beside it."""
    return element("p", *children, class_="soft")


def breakable(name: str) -> Markup:
    """A name that may go on in a next line after each of its underscores."""
    return Markup("_<wbr>".join(_safe(part) for part in name.split("_")))


def bar(label: object, share: float, text: object, tone: str = "") -> Markup:
    """A line with a bar: the label, a bar of `share` of the width, a text."""
    width = f"width:{100 * min(max(share, 0.0), 1.0):.2f}%"
    filled = element("span", element("span", style=width), class_=f"bar {tone}".rstrip())
    return element(
        "div", element("span", label), filled, element("span", text, class_="num"), class_="line"
    )


def _safe(value: object) -> str:
    return escape(_CONTROL.sub("\ufffd", str(value)))


def _render(child: object) -> str:
    return child if isinstance(child, Markup) else _safe(child)
