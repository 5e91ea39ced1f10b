"""The report's drawings and numbers, their places worked out by hand."""

import re

import pytest

from pipelines.report.calibration import calibration_chart
from pipelines.report.charts import line_chart
from pipelines.report.graph import Node, graph
from pipelines.report.heat_map import heat_map
from pipelines.report.numbers import decimals, percent, shown, size
from pipelines.report.roc import roc_chart
from pipelines.report.ticks import ticks
from pipelines.report.whiskers import Axis, whisker

SPACE, MINUS = "\N{NARROW NO-BREAK SPACE}", "\N{MINUS SIGN}"


def circles(drawing: str) -> list[tuple[float, float]]:
    found = re.findall(r'<circle cx="([^"]+)" cy="([^"]+)"', drawing)
    return [(float(x), float(y)) for x, y in found]


@pytest.mark.parametrize(
    ("low", "high", "about", "wanted"),
    [
        (0.0, 0.27, 4, [0.0, 0.1, 0.2]),
        (3.1, 5.3, 5, [3.5, 4.0, 4.5, 5.0]),
        (-1.0, 1.0, 4, [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (12_000.0, 58_000.0, 4, [20_000.0, 40_000.0]),
    ],
)
def test_axes_have_round_numbers(low, high, about, wanted):
    assert ticks(low, high, about) == wanted


@pytest.mark.parametrize(
    ("value", "places"), [(0.7161, 3), (0.0269, 4), (0.00638, 4), (31.4, 1), (1234.5, 0), (0.0, 0)]
)
def test_figures_have_three_digits_or_two_where_they_are_small(value, places):
    assert decimals([value, None, float("nan")]) == places


def test_numbers_are_written_for_people():
    assert shown(12_000) == "12,000"
    assert shown(-0.0123, 3, signed=True) == f"{MINUS}0.012"
    assert shown(-0.0001, 3, signed=True) == "0.000", "of what rounds to 0 there is no sign"
    assert shown(None) == shown(float("inf")) == shown(True) == "–"  # noqa: RUF001
    assert percent(0.0448) == f"4.48{SPACE}%"
    assert size(467_791_872) == "468 MB"
    assert size(1_234_000_000) == "1.2 GB"


def test_a_whisker_is_placed_on_its_axis():
    # The axis goes from 4 to 92: 0.5 at 48, 0.25 at 26, 0.75 at 70, 1 at 92.
    drawn = whisker(0.5, 0.25, 0.75, Axis(0.0, 1.0), mark=1.0)
    assert circles(drawn) == [(48.0, 8.0)]
    assert 'x1="26.0" y1="8.0" x2="70.0"' in drawn
    assert 'x1="92.0" y1="0.0" x2="92.0"' in drawn


def test_a_whisker_outside_of_its_axis_stands_at_the_edge():
    assert circles(whisker(7.0, None, None, Axis(0.0, 1.0))) == [(92.0, 8.0)]
    assert "range" not in whisker(0.5, None, None, Axis(0.0, 1.0))


def test_calibrated_groups_lie_on_the_diagonal():
    bins = [{"predicted": p, "observed": p, "low": p, "high": p, "rows": 9} for p in (0.01, 0.04)]
    drawn = calibration_chart("click", [*bins, {"predicted": None, "observed": 0.2}])
    # The plot's lower left corner is (38, 222).
    places = [(x - 38, 222 - y) for x, y in circles(drawn)]
    assert len(places) == 2
    for across, up in places:
        assert across == pytest.approx(up, abs=0.11)
    # Square roots where events are rare: four times the probability is twice as far.
    assert places[1][0] == pytest.approx(2 * places[0][0], abs=0.2)


def test_a_common_event_has_plain_axes():
    bins = [{"predicted": p, "observed": 0.5} for p in (0.3, 0.6)]
    places = [x - 38 for x, _ in circles(calibration_chart("click", bins))]
    assert places[1] == pytest.approx(2 * places[0], abs=0.2)


def test_more_than_predicted_stands_above_the_diagonal():
    ((x, y),) = circles(calibration_chart("click", [{"predicted": 0.02, "observed": 0.05}]))
    assert 222 - y > x - 38


def test_roc_goes_from_corner_to_corner():
    drawn = roc_chart("click", [[0, 0], [0.5, 0.75], [1, 1], [None, 1]])
    # From (38, 222) to (252, 8); half of 214 is 107, a quarter 53.5.
    assert 'points="38.0,222.0 145.0,61.5 252.0,8.0"' in drawn


def test_a_heat_map_tells_signs_apart():
    drawn = heat_map([("click", [1.0, -0.5, None])], ["a", "b", "c"], diverging=True)
    assert '<td style="--w:100%">+1.00</td>' in drawn
    assert f'<td style="--w:50%" class="minus">{MINUS}0.50</td>' in drawn
    assert "<td>–</td>" in drawn  # noqa: RUF001


def test_a_chart_of_numbers_that_hardly_differ_can_be_drawn():
    for values in ([1e-320, 0.0], [1e99, -1e99], [0.1 + 0.2, 0.3], [1e200, 5.0], [5.0]):
        assert "<svg" in line_chart("loss", {"training": values})


def test_a_step_has_a_line_from_each_it_reads():
    nodes = [
        Node("Raw", "", "", "raw"),
        Node("A", "a", "made", "good", (0,)),
        Node("B", "b", "made", "good", (1,)),
        Node("C", "c", "made", "good", (1, 2)),
        Node("D", "d", "made", "good", (3,)),
    ]
    drawn = graph("lineage", nodes)
    assert drawn.count("<path") == 5
    places = circles(drawn)
    assert [y for _, y in places] == [22.0, 66.0, 110.0, 154.0, 198.0]
    # B must leave A's line, which goes on to C; D goes back to the first lane.
    assert [x for x, _ in places] == [12.0, 12.0, 27.0, 12.0, 12.0]
