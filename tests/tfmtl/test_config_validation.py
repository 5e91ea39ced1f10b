"""The configuration of what data is checked against."""

import pytest
import yaml

from tfmtl.config import ConfigError, dump, parse


def config(**validation):
    return parse(
        {
            "name": "tiny",
            "source": {"impressions": {"path": "x.csv"}},
            "features": {"item": [{"name": "item_id", "kind": "id"}]},
            "scenario": {"column": "place", "values": ["search", "feed"]},
            "tasks": {"click": {"kind": "binary", "label": "click"}},
            "validation": validation,
        }
    )


def test_a_schema_is_written_under_the_name_by_which_it_is_read():
    made = config(schema="schema.pbtxt", severity={"drift": "error"})

    raw = yaml.safe_load(dump(made))

    assert raw["validation"]["schema"] == "schema.pbtxt"
    assert parse(raw) == made


def test_severities_that_are_not_given_are_the_usual_ones():
    validation = config(severity={"drift": "error"}).validation

    assert validation.severity_of("drift") == "error"
    assert validation.severity_of("skew") == "warning"
    assert validation.severity_of("missing_column") == "error"


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"label_rates": [{"label": "buy", "at_least": 0}]}, "'buy' is no label that is a number"),
        ({"label_rates": [{"label": "click"}]}, "give at_least, at_most or both"),
        (
            {"label_rates": [{"label": "click", "at_least": 0.5, "at_most": 0.1}]},
            "at_least 0.5 is above at_most 0.1",
        ),
        (
            {"label_rates": [{"label": "click", "at_least": 0, "scenario": "ads"}]},
            "label_rates[0].scenario: 'ads' is not in scenario.values",
        ),
        ({"severity": {"drifts": "error"}}, "validation.severity.drifts"),
        ({"stop_at": "always"}, "validation.stop_at"),
        ({"drift": {"infinity_norm": 2}}, "validation.drift.infinity_norm"),
    ],
)
def test_mistakes_are_named_in_one_line(validation, message):
    with pytest.raises(ConfigError) as caught:
        config(**validation)

    assert message in str(caught.value)
