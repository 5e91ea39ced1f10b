"""Schemas: what is inferred, what is found when data is checked against a pinned one."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from pipelines.components.base import PipelineError
from pipelines.preprocess.anomalies import Observed, find
from pipelines.preprocess.findings import graded, to_proto
from pipelines.preprocess.schema_checks import check_columns, check_split
from pipelines.preprocess.schemas import Meanings, infer, read_schema
from tfmtl.config import Validation, parse

STATISTICS = """
name: "train" num_examples: 100
features {
  type: STRING path { step: "device" }
  string_stats {
    common_stats { num_non_missing: 90 num_missing: 10 min_num_values: 1 max_num_values: 1
                   tot_num_values: 90 }
    unique: 2
    rank_histogram { buckets { label: "phone" sample_count: 60 } buckets { label: "tv"
                     sample_count: 30 } }
  }
}
features {
  type: FLOAT path { step: "price" }
  num_stats {
    common_stats { num_non_missing: 100 min_num_values: 1 max_num_values: 1 tot_num_values: 100 }
    min: 1 max: 9 mean: 3
    histograms { type: STANDARD buckets { low_value: 1 high_value: 5 sample_count: 80 }
                 buckets { low_value: 5 high_value: 9 sample_count: 20 } }
    histograms { type: QUANTILES buckets { low_value: 1 high_value: 2 sample_count: 50 }
                 buckets { low_value: 2 high_value: 9 sample_count: 50 } }
  }
}
features {
  type: INT path { step: "click" }
  num_stats {
    common_stats { num_non_missing: 100 min_num_values: 1 max_num_values: 1 tot_num_values: 100 }
    min: 0 max: 1 mean: 0.2
    histograms { type: STANDARD buckets { low_value: 0 high_value: 1 sample_count: 100 } }
    histograms { type: QUANTILES buckets { low_value: 0 high_value: 0 sample_count: 50 }
                 buckets { low_value: 0 high_value: 1 sample_count: 50 } }
  }
}
features {
  type: STRING path { step: "tags" }
  string_stats {
    common_stats { num_non_missing: 100 min_num_values: 2 max_num_values: 7 tot_num_values: 300 }
    unique: 200
  }
}
features {
  type: STRING path { step: "user" }
  string_stats {
    common_stats { num_non_missing: 100 min_num_values: 1 max_num_values: 1 tot_num_values: 100 }
    unique: 3
    rank_histogram { buckets { label: "u1" sample_count: 100 } }
  }
}
"""


def statistics(*changes: tuple[str, str]) -> statistics_pb2.DatasetFeatureStatistics:
    """The statistics above with texts replaced."""
    text = STATISTICS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text_format.Parse(text, statistics_pb2.DatasetFeatureStatistics())


def inferred(**validation):
    meanings = Meanings(keys=["user"], free=[], unread=["impression"])
    return infer(statistics(), Validation.model_validate(validation), meanings)


def by_name(schema):
    return {feature.name: feature for feature in schema.feature}


def found(split, schema):
    return [(f.column, f.kind, f.type, f.text) for f in check_split(split, schema)]


def test_an_inferred_schema_says_what_training_rows_are_like():
    features = by_name(inferred(max_missing=0.25, max_unseen=0.125))

    device = features["device"]
    assert device.type == schema_pb2.BYTES
    assert device.presence.min_fraction == 0.75
    assert list(device.string_domain.value) == ["phone", "tv"]
    assert device.distribution_constraints.min_domain_mass == 0.875
    assert device.drift_comparator.infinity_norm.threshold == 0.1
    assert features["price"].presence.min_fraction == 1.0
    assert (features["price"].float_domain.min, features["price"].float_domain.max) == (1, 9)
    assert (features["click"].int_domain.min, features["click"].int_domain.max) == (0, 1)
    assert not features["tags"].HasField("string_domain")
    assert features["tags"].value_count.min == 2
    assert features["device"].shape.dim[0].size == 1


def test_histograms_of_equal_counts_are_compared_unless_many_rows_have_one_value():
    features = by_name(inferred())

    sources = {
        name: features[name].drift_comparator.jensen_shannon_divergence.source.type
        for name in ("price", "click")
    }
    assert sources == {
        "price": schema_pb2.HistogramSelection.QUANTILES,
        "click": schema_pb2.HistogramSelection.STANDARD,
    }


def test_keys_exempt_and_unread_columns_are_not_compared():
    features = by_name(inferred(exempt=["price"]))

    assert not features["user"].HasField("string_domain")
    assert not features["user"].HasField("distribution_constraints")
    assert not features["user"].HasField("drift_comparator")
    assert not features["price"].HasField("skew_comparator")
    assert features["impression"].lifecycle_stage == schema_pb2.PLANNED


def test_the_rows_a_schema_was_inferred_from_fit_it():
    schema = inferred()

    assert found(statistics(), schema) == []
    assert list(check_columns(statistics(), schema, ["impression"])) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            [("max: 9 mean", "max: 12 mean"), ("min: 1 max: 12", "min: -4 max: 12")],
            [
                ("price", "range", "FLOAT_TYPE_SMALL_FLOAT", "down to -4, below 1"),
                ("price", "range", "FLOAT_TYPE_BIG_FLOAT", "up to 12, above 9"),
            ],
        ),
        (
            [("max: 1 mean", "max: 3 mean")],
            [("click", "range", "INT_TYPE_BIG_INT", "up to 3, above 1")],
        ),
        (
            [('label: "phone"', 'label: "watch"')],
            [
                (
                    "device",
                    "unseen_values",
                    "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
                    "67% of the train values are not in the schema: 'watch'",
                )
            ],
        ),
        (
            [("num_non_missing: 90 num_missing: 10", "num_non_missing: 40 num_missing: 60")],
            [
                (
                    "device",
                    "missing_values",
                    "FEATURE_TYPE_LOW_FRACTION_PRESENT",
                    "missing in 60% of the train rows, but 50% may be",
                )
            ],
        ),
        (
            [("num_non_missing: 90 num_missing: 10", "num_non_missing: 0 num_missing: 100")],
            [
                (
                    "device",
                    "missing_values",
                    "FEATURE_TYPE_NOT_PRESENT",
                    "empty in all training rows",
                )
            ],
        ),
        (
            [("min_num_values: 2 max_num_values: 7", "min_num_values: 1 max_num_values: 7")],
            [
                (
                    "tags",
                    "value_counts",
                    "FEATURE_TYPE_LOW_NUMBER_VALUES",
                    "1 values in a row of train, but at least 2",
                )
            ],
        ),
        (
            [('type: FLOAT path { step: "price" }', 'type: STRING path { step: "price" }')],
            [("price", "type", "UNEXPECTED_DATA_TYPE", "BYTES in the train rows, FLOAT in the")],
        ),
    ],
)
def test_what_a_schema_does_not_allow_is_found(change, expected):
    result = found(statistics(*change), inferred())

    assert [finding[:3] for finding in result] == [finding[:3] for finding in expected]
    for finding, (*_, text) in zip(result, expected, strict=True):
        assert text in finding[3]


def test_columns_that_came_and_went_are_found():
    schema = inferred()
    del schema.feature[0]
    schema.feature.add(name="gone", type=schema_pb2.FLOAT)
    schema.feature.add(name="old", lifecycle_stage=schema_pb2.DEPRECATED)

    result = check_columns(statistics(), schema, ["impression", "fresh"])

    assert [(f.column, f.kind, f.type) for f in result] == [
        ("device", "new_column", "SCHEMA_NEW_COLUMN"),
        ("fresh", "new_column", "SCHEMA_NEW_COLUMN"),
        ("gone", "missing_column", "SCHEMA_MISSING_COLUMN"),
    ]


def test_edited_bounds_count():
    schema = inferred()
    features = by_name(schema)
    features["tags"].value_count.max = 5
    features["price"].float_domain.ClearField("max")
    features["price"].presence.min_count = 1000
    schema.dataset_constraints.min_examples_count = 200
    schema.string_domain.add(name="screens", value=["tv"])
    features["device"].domain = "screens"
    features["device"].distribution_constraints.min_domain_mass = 0.75

    kinds = [(f.column, f.type) for f in check_split(statistics(("max: 9", "max: 99")), schema)]

    assert kinds == [
        ("", "DATASET_LOW_NUM_EXAMPLES"),
        ("device", "ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
        ("price", "FEATURE_TYPE_LOW_NUMBER_PRESENT"),
        ("tags", "FEATURE_TYPE_HIGH_NUMBER_VALUES"),
    ]


def config(**validation):
    return parse(
        {
            "name": "tiny",
            "source": {"impressions": {"path": "x.csv", "item": "item", "user": "user"}},
            "features": {"item": [{"name": "item", "kind": "id"}]},
            "tasks": {"click": {"kind": "binary", "label": "click"}},
            "validation": validation,
        }
    )


def observed(baseline=None, test=()):
    splits = {
        "train": statistics(),
        "validation": statistics(('"train"', '"validation"')),
        "test": statistics(('"train"', '"test"'), *test),
    }
    means = {split: {"all": {"click": 0.2}} for split in splits}
    return Observed(splits, means, {}, ["impression"], baseline)


def test_skew_between_splits_and_drift_between_runs_are_measured():
    phones = ('label: "phone" sample_count: 60', 'label: "phone" sample_count: 30')
    baseline = statistics(("high_value: 2", "high_value: 1.5"), ("low_value: 2", "low_value: 1.5"))

    findings, distances = find(config(compared_from=50), observed(baseline, [phones]), inferred())

    # 60 of 90 phones in training, 30 of 60 in test.
    skew = next(d for d in distances if (d.column, d.kind) == ("device", "skew") and d.value)
    assert skew.value == pytest.approx(1 / 6)
    assert [(f.column, f.kind) for f in findings] == [("device", "skew")]
    assert "'phone' went from 66.7% to 50.0%" in findings[0].text
    # Half of the numbers on [1, 1.5], which is half of [1, 2] and a part of [1.5, 9].
    drift = [d for d in distances if (d.column, d.kind) == ("price", "drift")]
    assert [d.type for d in drift] == ["JENSEN_SHANNON_DIVERGENCE"]
    assert 0 < drift[0].value < 0.25
    assert not any(d.column == "user" for d in distances)


def test_few_values_are_not_compared():
    few = statistics(("sample_count: 60", "sample_count: 1"))

    assert find(config(compared_from=91), observed(few), inferred())[0] == []
    assert [f.kind for f in find(config(compared_from=90), observed(few), inferred())[0]] == [
        "drift"
    ]


def test_label_rates_are_held_against_their_bounds():
    rules = [{"label": "click", "at_least": 0.3}, {"label": "click", "at_most": 0.2}]

    findings, _ = find(config(label_rates=rules), observed(), inferred())

    assert [f.text for f in findings] == [
        f"label 'click' has a mean of 0.2 in the {split} rows, below 0.3"
        for split in ("train", "validation", "test")
    ]
    assert {f.severity for f in findings} == {"error"}


def test_severities_are_the_configuration_s():
    schema = inferred()
    schema.feature.add(name="gone", type=schema_pb2.FLOAT)
    split = statistics(("max: 9 mean", "max: 12 mean"))
    findings = [*check_split(split, schema), *check_columns(split, schema, ["new"])]

    usual = [(f.kind, f.severity) for f in graded(findings, Validation())]
    chosen = Validation(severity={"range": "error", "new_column": "ignore"})
    others = [(f.kind, f.severity) for f in graded(findings, chosen)]

    assert usual == [("missing_column", "error"), ("range", "warning"), ("new_column", "warning")]
    assert others == [("range", "error"), ("missing_column", "error")]
    ends = {
        stop_at: [f.stops(Validation(stop_at=stop_at)) for f in graded(findings, Validation())]
        for stop_at in ("error", "warning", "never")
    }
    assert ends == {
        "error": [True, False, False],
        "warning": [True, True, True],
        "never": [False, False, False],
    }


def test_anomalies_are_kept_as_protos():
    schema = inferred()
    split = statistics(("max: 9 mean", "max: 12 mean"), ("min: 1 max: 12", "min: -4 max: 12"))
    findings, distances = find(config(), observed(statistics()), schema)
    findings += graded(check_split(split, schema), Validation())

    proto = to_proto(findings, distances, schema)

    again = anomalies_pb2.Anomalies.FromString(proto.SerializeToString())
    assert text_format.Parse(text_format.MessageToString(proto), anomalies_pb2.Anomalies()) == again
    info = again.anomaly_info["price"]
    assert info.severity == anomalies_pb2.AnomalyInfo.WARNING
    assert [reason.type for reason in info.reason] == [
        anomalies_pb2.AnomalyInfo.FLOAT_TYPE_SMALL_FLOAT,
        anomalies_pb2.AnomalyInfo.FLOAT_TYPE_BIG_FLOAT,
    ]
    compared = {i.path.step[0]: i for i in again.drift_skew_info}
    assert len(compared["price"].skew_measurements) == 2
    assert compared["price"].drift_measurements[0].value == 0
    assert compared["price"].drift_measurements[0].threshold == 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("feature { nme: 'x' }", "cannot be read"),
        ("feature { type: INT }", "every feature needs a name of its own"),
        ("feature { name: 'x' } feature { name: 'x' }", "every feature needs a name of its own"),
        ("feature { name: 'x' domain: 'd' }", "there is no string_domain 'd'"),
        ("feature { name: 'x' bool_domain { } }", "bool_domain is not checked; remove it"),
        ("sparse_feature { name: 'x' }", "sparse_feature is not checked; remove it"),
        (
            "feature { name: 'x' type: FLOAT drift_comparator { infinity_norm { threshold: 1 } } }",
            "infinity_norm is for texts",
        ),
    ],
)
def test_a_schema_that_cannot_be_held_is_refused(tmp_path, text, message):
    path = tmp_path / "schema.pbtxt"
    path.write_text(text)

    with pytest.raises(PipelineError, match=r"validation.schema: .*schema.pbtxt") as caught:
        read_schema(path)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schema_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PipelineError, match=r"there is no file .*none.pbtxt; a run leaves one"):
        read_schema(tmp_path / "none.pbtxt")
