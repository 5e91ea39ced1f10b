"""A whole HTML page that needs nothing else."""

from pipelines.report.html import Markup, element, join
from pipelines.report.style import STYLE


def document(title: str, *children: object) -> str:
    """A page as text, from the doctype on.

    Args:
        title: what the browser's tab says.
        children: what the page shows, from the top.
    """
    head = join(
        (
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            element("title", title),
            # A browser asks for /favicon.ico where a page names no icon.
            Markup('<link rel="icon" href="data:,">'),
            element("style", Markup(STYLE)),
        )
    )
    body = element("body", element("main", *children))
    return f"<!doctype html>\n{element('html', element('head', head), body, lang='en')}\n"
