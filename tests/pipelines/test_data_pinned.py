"""Runs against a pinned schema and against the run before."""

import shutil
from pathlib import Path

import pytest
from data_components import (
    COMPONENTS,
    HEADER,
    ITEMS,
    ROWS,
    run_components,
    shop_config,
    write_shop,
)
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from pipelines.components.base import Context, PipelineError


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    write_shop(folder / "data")
    return run_components(shop_config(), folder / "data", folder / "run", 4)


def artifact(ran, name: str) -> Path:
    return ran.directory / "artifacts" / name


def validate(ran, config, run: Path | None = None):
    """Runs SchemaGen and ExampleValidator once more over the same statistics."""
    summaries = []
    shutil.copytree(
        artifact(ran, "statistics"), ran.directory / "again" / "statistics", dirs_exist_ok=True
    )
    for component in COMPONENTS[2:4]:
        output = ran.directory / "again" / component.produces
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        context = Context(
            config=config,
            data=ran.directory,
            run=run or ran.directory,
            serving=ran.directory,
            progress=lambda *args: None,
        )
        summaries.append(component.execute(context, ran.directory / "again", output))
    return summaries


def pinned(folder: Path, ran, *changes: tuple[str, str]) -> str:
    """A copy of the run's schema, edited."""
    text = (artifact(ran, "schema") / "schema.pbtxt").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "schema.pbtxt"
    path.write_text(text)
    return str(path)


def test_statistics_are_the_protos_that_tools_read(first):
    data = (artifact(first, "statistics") / "statistics.pb").read_bytes()
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
    train = {f.path.step[0]: f for f in statistics.datasets[0].features}

    # Prices shown in training: i1 1, i2 3, i1 1, i3 missing, i2 3, i1 1.
    price = train["price"].num_stats
    assert (price.min, price.median, price.max) == (1, 1, 3)
    standard, quantiles = price.histograms
    assert standard.type == statistics_pb2.Histogram.STANDARD
    counts = [bucket.sample_count for bucket in standard.buckets]
    assert counts == [3, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    edges = [bucket.low_value for bucket in standard.buckets]
    assert edges == pytest.approx([1 + 0.2 * place for place in range(10)])
    assert quantiles.type == statistics_pb2.Histogram.QUANTILES
    assert [b.high_value for b in quantiles.buckets] == [1] * 6 + [3] * 4
    assert {b.sample_count for b in quantiles.buckets} == {0.5}
    assert train["click"].type == statistics_pb2.FeatureNameStatistics.INT
    assert train["time"].num_stats.max == 60
    assert train["query"].string_stats.rank_histogram.buckets[0].label == "Red Hats"


def test_label_rates_are_slices_of_a_split(first):
    data = (artifact(first, "statistics") / "Split-train" / "FeatureStats.pb").read_bytes()
    datasets = statistics_pb2.DatasetFeatureStatisticsList.FromString(data).datasets

    assert [d.name for d in datasets] == ["All Examples", "scenario_search", "scenario_feed"]
    assert [d.num_examples for d in datasets] == [6, 3, 3]
    feed = {f.path.step[0]: f.num_stats for f in datasets[2].features}
    # Feed rows of training: click 1, 1, 0; buy 0, 1 and missing.
    assert feed["click"].mean == pytest.approx(2 / 3)
    assert feed["click"].std_dev == pytest.approx((2 / 9) ** 0.5)
    assert (feed["buy"].mean, feed["buy"].common_stats.num_missing) == (0.5, 1)
    assert (feed["buy"].num_zeros, feed["buy"].min, feed["buy"].max) == (1, 0, 1)


def test_a_run_fits_its_own_schema(first, tmp_path):
    config = shop_config(validation={"schema": pinned(tmp_path, first)})

    schema, validator = validate(first, config)

    assert schema["pinned"] == str(tmp_path / "schema.pbtxt")
    kinds = validator["kinds"]
    assert set(kinds) <= {"unseen_values", "missing_values", "range"}


def test_an_anomaly_stops_the_run_with_one_line(first, tmp_path):
    (tmp_path / "run").mkdir()
    schema = pinned(tmp_path, first, ('name: "price"', 'name: "cost"'))

    with pytest.raises(PipelineError) as caught:
        validate(first, shop_config(validation={"schema": schema}), tmp_path / "run")

    assert str(caught.value) == (
        "column 'cost' of the schema is missing in the data; bring it back or remove it there; "
        f"see {tmp_path / 'run' / 'anomalies.pbtxt'}"
    )
    text = (tmp_path / "run" / "anomalies.pbtxt").read_text()
    anomalies = text_format.Parse(text, anomalies_pb2.Anomalies())
    assert anomalies.anomaly_info["cost"].severity == anomalies_pb2.AnomalyInfo.ERROR
    assert anomalies.anomaly_info["price"].severity == anomalies_pb2.AnomalyInfo.WARNING
    assert (tmp_path / "run" / "schema.pbtxt").exists()

    allowed = shop_config(validation={"schema": schema, "stop_at": "never"})
    assert validate(first, allowed, tmp_path / "run")[1]["kinds"]["missing_column"] == 1


def test_warnings_stop_the_run_where_they_are_meant_to(first, tmp_path):
    schema = pinned(tmp_path, first, ('value: "tablet"', 'value: "tv"'), ("mass: 0.5", "mass: 0.9"))
    validation = {"schema": schema, "severity": {"range": "ignore", "missing_values": "ignore"}}

    validate(first, shop_config(validation=validation))
    with pytest.raises(PipelineError, match="of the train values are not in the schema: 'tablet'"):
        validate(first, shop_config(validation={**validation, "stop_at": "warning"}))


def test_a_new_column_of_the_raw_table_is_found(first, tmp_path):
    schema = pinned(tmp_path, first)
    data = tmp_path / "data"
    data.mkdir()
    rows = [f"{HEADER},mood", *(f"{row},good" for row in ROWS)]
    (data / "log.csv").write_text("\n".join(rows) + "\n")
    write_items(data)

    ran = run_components(shop_config(validation={"schema": schema}), data, tmp_path / "run", 4)

    assert ran.summaries["ExampleValidator"]["kinds"]["new_column"] == 1
    assert any("'mood'" in line for line in ran.summaries["ExampleValidator"]["lines"])
    text = (artifact(ran, "schema") / "inferred.pbtxt").read_text()
    features = {f.name: f for f in text_format.Parse(text, schema_pb2.Schema()).feature}
    assert features["mood"].lifecycle_stage == schema_pb2.PLANNED
    assert features["items.item"].lifecycle_stage == schema_pb2.PLANNED


def test_the_sizes_of_lists_are_counted(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    tags = ["a|b", "a", "", "c|a|b", "a|a", "b", "a", "b", "", "a|b"]
    rows = [f"{HEADER},tags", *(f"{row},{tag}" for row, tag in zip(ROWS, tags, strict=True))]
    (data / "log.csv").write_text("\n".join(rows) + "\n")
    write_items(data)
    config = shop_config()
    features = config.model_dump(mode="json")["features"]
    features["context"].append({"name": "tags", "kind": "bag", "separator": "|"})

    ran = run_components(shop_config(features=features), data, tmp_path / "run", 3)

    statistics = (artifact(ran, "statistics") / "statistics.pb").read_bytes()
    train = statistics_pb2.DatasetFeatureStatisticsList.FromString(statistics).datasets[0]
    known = next(f for f in train.features if f.path.step[0] == "tags").string_stats
    # The six training rows have 2, 1, 0, 3, 2 and 1 tags: five a, three b, one c.
    common = known.common_stats
    assert (common.num_missing, common.num_non_missing, common.tot_num_values) == (1, 5, 9)
    assert (common.min_num_values, common.max_num_values) == (1, 3)
    assert common.avg_num_values == pytest.approx(9 / 5)
    edges = [bucket.high_value for bucket in common.num_values_histogram.buckets]
    assert edges == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert [(v.value, v.frequency) for v in known.top_values] == [("a", 5), ("b", 3), ("c", 1)]
    text = (artifact(ran, "schema") / "schema.pbtxt").read_text()
    schema = {f.name: f for f in text_format.Parse(text, schema_pb2.Schema()).feature}
    assert schema["tags"].value_count.min == 1


def write_items(data: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(ITEMS), data / "items.parquet")


def test_the_run_before_is_the_baseline(first, tmp_path):
    """The artifact of the last run that was not stopped is in its place while the next runs."""
    config = shop_config(validation={"compared_from": 1})
    last = tmp_path / "run" / "artifacts" / "anomalies"
    before = statistics_pb2.DatasetFeatureStatisticsList.FromString(
        (artifact(first, "statistics") / "statistics.pb").read_bytes()
    )

    assert validate(first, config, tmp_path / "run")[1]["compared"] is False
    shutil.copytree(first.directory / "again" / "anomalies", last)
    # The same rows once more: they are compared with what they were compared with, nothing.
    assert validate(first, config, tmp_path / "run")[1]["compared"] is False

    device = next(f for f in before.datasets[0].features if f.path.step[0] == "device")
    device.string_stats.rank_histogram.buckets[1].sample_count = 16
    del before.datasets[1:]
    (last / "accepted.pb").write_bytes(before.SerializeToString())
    summary = validate(first, config, tmp_path / "run")[1]
    assert summary["compared"] is True
    # Of 5 values 4 were phones, and 4 of 20 in the baseline.
    assert [w for w in summary["warnings"] if "drift" in w] == [
        "column 'device': drift from the baseline to this run, L-infinity distance 0.6 is above "
        "0.1; 'phone' went from 20.0% to 80.0%"
    ]
    nothing = shop_config(validation={"compared_from": 1, "baseline": None})
    assert validate(first, nothing, tmp_path / "run")[1]["compared"] is False


def test_a_baseline_can_be_declared(first, tmp_path):
    path = artifact(first, "statistics") / "Split-test" / "FeatureStats.pb"
    config = shop_config(validation={"compared_from": 1, "baseline": str(path)})

    warnings = validate(first, config)[1]["warnings"]

    assert any(w.startswith("column 'device': drift from the baseline") for w in warnings)
    assert not any(w.startswith("column 'user': drift") for w in warnings)
    missing = shop_config(validation={"baseline": str(tmp_path / "none.pb")})
    with pytest.raises(PipelineError, match=r"^validation.baseline: .*none.pb cannot be read"):
        validate(first, missing)


def test_a_schema_s_content_decides_whether_a_step_runs_again(first, tmp_path):
    path = pinned(tmp_path, first)
    config = shop_config(validation={"schema": path})
    before = COMPONENTS[2].reads(config)

    Path(path).write_text(Path(path).read_text() + "# edited\n")

    assert COMPONENTS[2].reads(config) != before
