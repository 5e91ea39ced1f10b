"""StatisticsGen: mergeable statistics, and vocabularies of the training rows alone."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from data_components import ROWS, run_components, shop_config, write_shop
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from pipelines.preprocess.counting import MergeCounts, count_values
from pipelines.preprocess.moments import NumberStatistics
from pipelines.preprocess.sides import Coded
from pipelines.preprocess.vocabularies import vocabulary

numbers = st.lists(
    st.one_of(st.just(math.nan), st.floats(-1e6, 1e6, width=32)), min_size=0, max_size=30
)


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=5))
def test_merged_moments_are_those_of_all_numbers(parts):
    merged = NumberStatistics.merge(NumberStatistics.of(np.array(p, np.float32)) for p in parts)

    known = np.array([x for part in parts for x in part if not math.isnan(x)], np.float32)
    assert merged.count == len(known)
    assert merged.missing == sum(map(len, parts)) - len(known)
    if len(known):
        known = known.astype(np.float64)
        assert merged.mean == pytest.approx(known.mean(), rel=1e-9, abs=1e-6)
        assert merged.deviation == pytest.approx(known.std(), rel=1e-9, abs=1e-6)
        assert (merged.minimum, merged.maximum) == (known.min(), known.max())


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=9)))
def test_merged_counts_are_those_of_all_values(parts):
    merge = MergeCounts()
    accumulators = []
    for part in parts:
        values = Coded.of(pa.array([value for value, _ in part], pa.string()))
        splits = np.array([split for _, split in part], np.int8)
        batch = count_values(values, splits)
        accumulators.append(merge.add_input(merge.create_accumulator(), batch))

    merged = merge.extract_output(merge.merge_accumulators(accumulators)).to_pylist()

    everything = [pair for part in parts for pair in part]
    found = {(row["value"], row["split"]): row["count"] for row in merged}
    assert found == {pair: everything.count(pair) for pair in everything}
    assert merged == sorted(merged, key=lambda r: (r["split"], -r["count"], r["value"]))


def test_a_vocabulary_is_ordered_by_count_and_then_by_value():
    counts = pa.table(
        {
            "value": ["b", "a", "often", "rare", "", "two\nlines", "cr\r"],
            "count": [2, 2, 5, 1, 9, 9, 9],
        }
    )

    assert vocabulary(counts, 2, 10).column("value").to_pylist() == ["often", "a", "b"]
    assert vocabulary(counts, 1, 2).column("value").to_pylist() == ["often", "a"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("statistics")
    write_shop(folder / "data")
    return run_components(shop_config(), folder / "data", folder / "run", 4)


def lines(ran, name):
    path = ran.directory / "artifacts" / "statistics" / "vocabularies" / f"{name}.txt"
    return path.read_text().splitlines()


def test_vocabularies_hold_training_values_only(ran):
    assert lines(ran, "user_id") == ["u1", "u2", "u3"]
    assert lines(ran, "item_id") == ["i1", "i2", "i3"]
    # Of the items the training rows show: i1 and i2 are acme five times, i3 is zed once.
    assert lines(ran, "brand") == ["acme", "zed"]
    assert lines(ran, "device") == ["phone", "tablet"]
    assert lines(ran, "query") == ["red", "shoes", "blue", "hats"]


def test_moments_are_those_of_the_training_rows(ran):
    path = ran.directory / "artifacts" / "statistics" / "moments.json"

    # Prices shown in training: i1 1, i2 3, i1 1, i3 missing, i2 3, i1 1.
    moments = json.loads(path.read_text())["price"]
    assert moments["mean"] == pytest.approx(9 / 5)
    assert moments["deviation"] == pytest.approx(math.sqrt(0.96))


def test_statistics_are_kept_by_split(ran):
    path = ran.directory / "artifacts" / "statistics" / "statistics.pb"
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())

    assert [d.name for d in statistics.datasets] == ["train", "validation", "test"]
    assert [d.num_examples for d in statistics.datasets] == [6, 2, 2]
    train = {f.path.step[0]: f for f in statistics.datasets[0].features}
    assert train["device"].string_stats.common_stats.num_missing == 1
    assert train["device"].string_stats.unique == 2
    assert train["device"].string_stats.top_values[0].value == "phone"
    assert train["device"].string_stats.avg_length == pytest.approx((4 * 5 + 6) / 5)
    assert train["buy"].num_stats.common_stats.num_missing == 1
    assert train["buy"].num_stats.mean == pytest.approx(1 / 5)
    test = {f.path.step[0]: f for f in statistics.datasets[2].features}
    custom = {c.name: c.num for c in test["device"].custom_stats}
    # "phone", which training rows have, and "drone", which they have not.
    assert custom == {"min_length": 5.0, "max_length": 5.0, "unseen_share": 0.5}


def test_the_summary_has_the_label_means_by_scenario(ran):
    summary = ran.summaries["StatisticsGen"]
    assert summary["rows"] == {"train": 6, "validation": 2, "test": 2}
    assert summary["label_means"]["train"]["search"]["click"] == pytest.approx(2 / 3)
    assert summary["label_means"]["train"]["feed"]["click"] == pytest.approx(2 / 3)
    assert summary["label_means"]["validation"]["feed"]["buy"] == 0.0


def test_the_schema_has_the_domains_of_small_columns(ran):
    from google.protobuf import text_format

    text = (ran.directory / "artifacts" / "schema" / "schema.pbtxt").read_text()
    schema = {f.name: f for f in text_format.Parse(text, schema_pb2.Schema()).feature}
    assert list(schema["device"].string_domain.value) == ["phone", "tablet"]
    # It is missing in one training row, so that half of the rows may miss it, as is usual.
    assert schema["device"].presence.min_fraction == 0.5
    assert (schema["price"].float_domain.min, schema["price"].float_domain.max) == (1.0, 3.0)
    assert schema["click"].presence.min_fraction == 1.0


def test_rows_of_later_splits_do_not_change_the_vocabularies(ran, tmp_path):
    write_shop(tmp_path / "data", (*ROWS, *["u9,i9,search,purple,drone,95,1,0"] * 5))

    other = run_components(shop_config(), tmp_path / "data", tmp_path / "run", 2)

    for name in ("user_id", "item_id", "brand", "device", "query"):
        assert lines(other, name) == lines(ran, name)
