"""Rows of the log as requests give them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tiny

from pipelines.served_rows import served_rows


def write(directory, name, columns):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_the_log_is_joined_and_histories_are_made_of_the_rows_before(tmp_path):
    log = {
        "user_id": ["ann", None, "bob", "ann"],
        "item_id": ["i2", "i1", "i9", "i2"],
        "timestamp": pa.array([5, 6, None, 8], pa.int64()),
        "tags": [["a"], [], ["b"], None],
    }
    write(tmp_path, "log/part-00001.parquet", {name: values[2:] for name, values in log.items()})
    write(tmp_path, "log/part-00000.parquet", {name: values[:2] for name, values in log.items()})
    items = {"item_id": ["i1", "i2"], "category": ["hats", None], "price": [9.0, 19.0]}
    write(tmp_path, "items.parquet", items)
    rows = served_rows(tmp_path, tiny.make_config())
    assert rows["user_id"].tolist() == [b"ann", b"", b"bob", b"ann"]
    assert rows["category"].tolist() == [b"", b"hats", b"", b""]
    np.testing.assert_array_equal(rows["price"], [19.0, 9.0, np.nan, 19.0])
    np.testing.assert_array_equal(rows["timestamp"], [5.0, 6.0, np.nan, 8.0])
    assert "tags" not in rows
    assert rows["click_history_item_id"].tolist() == [
        [b"", b"", b""],
        [b"i2", b"", b""],
        [b"i1", b"i2", b""],
        [b"i9", b"i1", b"i2"],
    ]
    assert rows["click_history_category"].tolist()[1] == [b"", b"", b""]


def test_at_most_64_rows_are_taken(tmp_path):
    for part in range(3):
        values = [f"u{part}-{row}" for row in range(40)]
        columns = {"user_id": values, "item_id": values}
        write(tmp_path, f"log/part-{part:05}.parquet", columns)
    write(tmp_path, "items.parquet", {"item_id": ["i1"], "category": ["hats"]})
    users = served_rows(tmp_path, tiny.make_config())["user_id"].tolist()
    assert len(users) == 64
    assert (users[0], users[63]) == (b"u0-0", b"u1-23")


def test_an_empty_log_gives_nothing(tmp_path):
    (tmp_path / "log").mkdir()
    assert served_rows(tmp_path, tiny.make_config()) == {}
