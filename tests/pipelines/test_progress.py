"""What the runner shows of a component that is at work."""

from io import StringIO

import pytest
from rich.console import Console

from pipelines.console import progress
from pipelines.console.progress import Display
from pipelines.console.tally import Tally, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("pipelines.console.tally.time", clock)
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_the_rate_of_a_phase_leaves_out_what_was_before_it(clock):
    tally = Tally()
    clock.now += 10  # importing and compiling
    tally.update(500, 2_500, "rows")
    assert tally.phase() == "500/2,500 rows  20%"
    clock.now += 2
    tally.update(1_500, 2_500, "rows", "part 1")
    assert tally.phase() == "1,500/2,500 rows  60%  500 rows/s  2.0 s left  part 1"
    tally.update(2_500, 2_500, "rows", "part 2")
    assert tally.phase() == "2,500/2,500 rows  100%  1,000 rows/s  part 2"


def test_phases_add_up_by_unit(clock):
    tally = Tally()
    tally.update(1_000, 1_000, "rows")
    tally.update(400, 1_000, "rows", "the second pass")
    tally.update(1_000, 1_000, "rows")
    tally.update(3, None, "files")
    clock.now += 4
    assert tally.overall() == "2,000 rows, 500 rows/s"


def test_a_phase_of_unknown_length_has_no_share(clock):
    tally = Tally()
    tally.update(500, None, "rows")
    clock.now += 1
    tally.update(1_500, None, "rows")
    assert tally.phase() == "1,500 rows  1,000 rows/s"


def test_more_than_was_expected_is_all_of_it(clock):
    tally = Tally()
    tally.update(30, 20, "rows")
    assert tally.phase() == "30/20 rows  100%"


def test_a_component_that_reports_nothing_has_no_figures():
    assert Tally().overall() == Tally().phase() == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (245, "4 min 05 s")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_without_a_terminal_a_line_is_printed_every_five_seconds(clock):
    console = Console(file=StringIO(), width=40)
    with Display(console).running("Trainer", Tally()) as report:
        for second in range(12):
            report(second * 10, 120, "examples", "a note that is longer than the console is wide")
            clock.now += 1
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2, "at 5 and at 10 seconds, none of them wrapped"
    assert lines[0].split()[:5] == ["Trainer", "5.0", "s", "50/120", "examples"]


def test_on_a_terminal_the_line_is_gone_at_the_end():
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    display = Display(console)
    with display.running("Trainer", Tally()) as report:
        report(50, 120, "examples", "[epoch] 1")
    display.line("Trainer", "done", "0.1 s", "green")
    printed = console.file.getvalue()
    assert "50/120 examples" in printed
    assert "[epoch] 1" in printed
    assert printed.endswith("Trainer          done   0.1 s\n")


def test_what_a_component_shows_stands_below_its_line():
    console = Console(file=StringIO(), width=40)
    Display(console).below(["scenario  rows", "[feed]    1,000 and more than the console is wide"])
    lines = console.file.getvalue().splitlines()
    assert lines == [
        " " * 19 + "scenario  rows",
        " " * 19 + "[feed]    1,000 and more than the console is wide",
    ]
