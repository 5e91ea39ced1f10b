"""The live line of a running component: a bar, rows done, rows a second, the time so far.

On a terminal the line moves; elsewhere a plain line is printed now and then, for logs.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipelines.components.base import Progress
from pipelines.console.tally import Tally, duration

_NAME_WIDTH = 16
_BAR_WIDTH = 24
_SECONDS_BETWEEN_LINES = 5.0


class Display:
    """Shows one component after the other on a console."""

    def __init__(self, console: Console):
        self.console = console

    @contextmanager
    def running(self, name: str, tally: Tally) -> Iterator[Progress]:
        """Shows a component while the block runs.

        Args:
            name: the component's name.
            tally: keeps what the component reports.

        Yields:
            The callback for the component's reports.
        """
        if not self.console.is_terminal:
            yield _spoken(tally, lambda text: self.line(name, "", text))
            return
        with Live(_Line(name, tally), console=self.console, transient=True, refresh_per_second=5):
            yield tally.update

    def line(self, name: str, state: str, text: str, style: str = "") -> None:
        """Prints what there is to say about a component, on one line."""
        parts = ("  ", name.ljust(_NAME_WIDTH), " ", (state.ljust(7), style), text)
        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def below(self, lines: Iterable[str]) -> None:
        """Prints what a component has to show below its line, such as a table."""
        for line in lines:
            self.console.print(Text.assemble("  ", " " * _NAME_WIDTH, " ", line), soft_wrap=True)


class _Line:
    """Renders the tally anew at every refresh, so that the time moves between reports."""

    def __init__(self, name: str, tally: Tally):
        self._name = name
        self._tally = tally

    def __rich__(self) -> RenderableType:
        tally = self._tally
        bar = ProgressBar(
            total=tally.total or None,
            completed=tally.done,
            width=_BAR_WIDTH,
            pulse=not tally.total,
        )
        text = "  ".join(part for part in (duration(tally.seconds), tally.phase()) if part)
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_row("  " + self._name.ljust(_NAME_WIDTH), bar, Text(text))
        return line


def _spoken(tally: Tally, say: Callable[[str], None]) -> Progress:
    """Updates the tally and says how far it has come, every few seconds at most."""
    lock = threading.Lock()
    spoken = time.monotonic()

    def update(done: int, total: int | None, unit: str, note: str = "") -> None:
        nonlocal spoken
        tally.update(done, total, unit, note)
        with lock:
            due = time.monotonic() - spoken >= _SECONDS_BETWEEN_LINES
            if due:
                spoken = time.monotonic()
        if due:
            say(f"{duration(tally.seconds)}  {tally.phase()}")

    return update
