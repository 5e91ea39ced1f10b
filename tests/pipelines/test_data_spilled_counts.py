"""Counts that are added up through files."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.counting import count_values
from pipelines.preprocess.spilled_counts import merge_counts, read_counts, spill_counts
from pipelines.preprocess.text_statistics import text_statistics

VALUES = [f"v{number % 700}" for number in range(3000)] + [""] * 40 + ["once", "über"]


def spilled(folder, batches):
    """Spills batches of (value, split) pairs; the pieces of the column."""
    pieces = []
    for number, pairs in enumerate(batches):
        values = Coded.of(pa.array([value for value, _ in pairs], pa.string()))
        splits = np.array([split for _, split in pairs], np.int8)
        counts = {"x": count_values(values, splits), "other": count_values(values, splits * 0)}
        found = dict(spill_counts(counts, folder / f"{number}.arrows"))
        pieces.append(found["x"])
    return pieces


@pytest.mark.parametrize("bucket_bytes", [1 << 30, 10_000])
def test_merged_counts_are_those_of_all_batches(tmp_path, bucket_bytes):
    random = np.random.default_rng(5)
    pairs = [
        (value, int(split))
        for value, split in zip(VALUES, random.integers(0, 3, 3042), strict=True)
    ]
    batches = [pairs[start : start + 500] for start in range(0, len(pairs), 500)]
    path = tmp_path / "counts" / "x.parquet"

    merge_counts(reversed(spilled(tmp_path, batches)), path, bucket_bytes)

    buckets = list(read_counts(path))
    assert (len(buckets) > 1) == (bucket_bytes < 1 << 30)
    rows = [row for bucket in buckets for row in bucket.to_pylist()]
    assert {(r["value"], r["split"]): r["count"] for r in rows} == Counter(pairs)
    assert len(rows) == len(Counter(pairs))
    for bucket in buckets:
        own = bucket.to_pylist()
        assert own == sorted(own, key=lambda r: (r["split"], -r["count"], r["value"]))
    values = [set(bucket.column("value").to_pylist()) for bucket in buckets]
    assert sum(map(len, values)) == len(set().union(*values))


@pytest.mark.parametrize("bucket_bytes", [1 << 30, 10_000])
def test_text_statistics_do_not_depend_on_the_buckets(tmp_path, bucket_bytes):
    pairs = [(value, 0) for value in VALUES] + [("v1", 1), ("new", 1), ("new", 1), ("", 1)]
    path = tmp_path / "x.parquet"
    merge_counts(spilled(tmp_path, [pairs[:1000], pairs[1000:]]), path, bucket_bytes)

    train, validation, test = text_statistics(read_counts(path))

    assert (train.count, train.missing, train.unique) == (3002, 40, 702)
    # v0 to v9 have 2 bytes, v10 to v99 3, v100 to v699 4; "once" 4, "über" 5.
    lengths = [len(value.encode()) for value in VALUES if value]
    assert (train.shortest, train.longest, train.bytes) == (2, 5, sum(lengths))
    # 3000 = 4 * 700 + 200: v0 to v199 came five times, in the order of their names.
    assert train.top.slice(0, 3).to_pylist() == [
        {"value": "v0", "count": 5},
        {"value": "v1", "count": 5},
        {"value": "v10", "count": 5},
    ]
    assert (validation.count, validation.missing, validation.unseen) == (3, 1, 2)
    assert (test.count, test.missing, test.shortest) == (0, 0, None)


def test_a_column_without_a_value_has_counts_without_a_row(tmp_path):
    merge_counts(spilled(tmp_path, [[]]), tmp_path / "x.parquet")

    assert sum(bucket.num_rows for bucket in read_counts(tmp_path / "x.parquet")) == 0
