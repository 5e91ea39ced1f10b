"""Options of Beam on the command line: what is passed on and what is refused."""

import pytest

from pipelines.execution import beam_options, current_options, parsed


def test_the_runner_is_named_even_without_options():
    assert current_options()[0] == "--runner=FnApiRunner"


def test_options_hold_inside_and_come_after_the_defaults():
    before = current_options()
    with beam_options("--runner=FlinkRunner --flink_master='my host:8081'"):
        assert current_options() == [
            *before,
            "--runner=FlinkRunner",
            "--flink_master=my host:8081",
        ]
    assert current_options() == before


def test_options_end_with_an_error_too():
    before = current_options()
    with pytest.raises(KeyError), beam_options("--runner=SparkRunner"):
        raise KeyError
    assert current_options() == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("runner=FlinkRunner", "an option begins with --, got 'runner=FlinkRunner'"),
        ("--flink_master='host", "No closing quotation"),
        ("--runner=DirectRunner", "DirectRunner is not supported: it may choose the Prism runner"),
        ("--runner DaskRunner", "DaskRunner is not supported"),
        ("--x=1 --runner=apache_beam.runners.dask.dask_runner.DaskRunner", "is not supported"),
    ],
)
def test_what_is_refused(line: str, message: str):
    with pytest.raises(ValueError, match=message):
        parsed(line)


def test_no_options():
    assert parsed("") == ()
