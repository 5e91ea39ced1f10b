"""ExampleValidator: what stops a run, and what is only said."""

import pytest
from data_components import ROWS, run_components, shop_config, write_shop

from pipelines.components.base import PipelineError


def rows_with(column: int, value: str) -> tuple[str, ...]:
    """The shop's rows with one column set to one value."""
    changed = []
    for row in ROWS:
        fields = row.split(",")
        fields[column] = value
        changed.append(",".join(fields))
    return tuple(changed)


CLICK, BUY, DEVICE = 6, 7, 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (rows_with(BUY, ""), "tasks.buy: label 'buy' is missing in all training rows"),
        (
            rows_with(BUY, "0"),
            "label 'buy' is 0 in all training rows of feed: there are no positives",
        ),
        (
            rows_with(BUY, "1"),
            "label 'buy' is 1 in all training rows of feed: there are no negatives",
        ),
    ],
)
def test_a_label_without_contrast_stops_the_run(tmp_path, rows, message):
    write_shop(tmp_path / "data", rows)

    with pytest.raises(PipelineError) as caught:
        run_components(shop_config(), tmp_path / "data", tmp_path / "run", 4)

    assert message in str(caught.value)
    assert "leave the task out" in str(caught.value)
    anomalies = (tmp_path / "run" / "artifacts" / "anomalies" / "anomalies.pbtxt").read_text()
    assert "severity: ERROR" in anomalies


def test_all_problems_are_counted(tmp_path):
    write_shop(tmp_path / "data", rows_with(CLICK, "0"))

    with pytest.raises(PipelineError, match=r"label 'click' is 0 .*\(and 1 more\)"):
        run_components(shop_config(), tmp_path / "data", tmp_path / "run", 4)


def test_an_empty_split_stops_the_run(tmp_path):
    rows = tuple(row for row in ROWS if not 80 <= int(row.split(",")[5]) < 90)
    write_shop(tmp_path / "data", rows)

    with pytest.raises(PipelineError, match=r"^split.validation: no row falls into"):
        run_components(shop_config(), tmp_path / "data", tmp_path / "run", 4)


def test_a_column_that_is_always_missing_is_a_warning(tmp_path):
    write_shop(tmp_path / "data", rows_with(DEVICE, ""))

    ran = run_components(shop_config(), tmp_path / "data", tmp_path / "run")

    warnings = ran.summaries["ExampleValidator"]["warnings"]
    assert any(w.startswith("column 'device' is empty in all training rows") for w in warnings)
    assert set(ran.table("transformed/train").column("device").to_pylist()) == {0}


def test_often_missing_and_unseen_values_are_warnings(tmp_path):
    write_shop(tmp_path / "data", (*ROWS, "u8,i7,feed,,watch,95,0,0"))

    ran = run_components(shop_config(), tmp_path / "data", tmp_path / "run", 4)

    warnings = ran.summaries["ExampleValidator"]["warnings"]
    assert "column 'device': 67% of the test values are not in the schema: 'watch'" in warnings
    assert not any("click" in warning for warning in warnings)


def test_a_task_whose_scenarios_no_row_is_of_stops_the_run(tmp_path):
    write_shop(tmp_path / "data")
    tasks = {
        "click": {"kind": "binary", "label": "click"},
        "buy": {"kind": "binary", "label": "buy", "scenarios": ["ads"]},
    }
    scenario = {"column": "scenario", "values": ["search", "feed", "ads"]}
    config = shop_config(tasks=tasks, scenario=scenario)

    with pytest.raises(PipelineError, match=r"label 'buy' is missing in all training rows of ads"):
        run_components(config, tmp_path / "data", tmp_path / "run", 4)
