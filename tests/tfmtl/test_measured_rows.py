"""What evaluation reads beside the model's inputs, beside a loop over raw rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny

from tfmtl.config import Config
from tfmtl.training import measured_rows
from tfmtl.training.examples import read_examples
from tfmtl.training.measured_rows import MeasuredRows, Rows
from tfmtl.training.past import Past, Seen

BUCKETS = {0: "0", 1: "1-2", 2: "1-2", 3: "3-5", 5: "3-5", 6: "6-10", 10: "6-10", 11: "11+"}


@pytest.fixture
def moved(transformed: Path, tmp_path: Path) -> Path:
    """The tiny shop's examples; `dee` and the items 4 and 5 are missing in the training rows, but
    stay in the validation rows, and an item of the test rows is not in the catalogue."""
    for split in ("train", "validation", "test"):
        table = pq.read_table(transformed / split / "part-0.parquet")
        if split == "train":
            users, items = table["meta/user"].to_pylist(), table["meta/item"].to_pylist()
            kept = [u != "dee" and i < 4 for u, i in zip(users, items, strict=True)]
            table = table.filter(pa.array(kept))
        if split == "test":
            items = table["meta/item"].to_numpy().copy()
            items[0] = -1
            place = table.schema.get_field_index("meta/item")
            table = table.set_column(place, "meta/item", pa.array(items))
        (tmp_path / split).mkdir()
        # Two files, so that batches go across them.
        pq.write_table(table.slice(0, 13), tmp_path / split / "part-0.parquet", row_group_size=5)
        pq.write_table(table.slice(13), tmp_path / split / "part-1.parquet", row_group_size=5)
    return tmp_path


def taken(directory: Path, config: Config, batch: int, split: str = "test") -> list[Rows]:
    rows = MeasuredRows(directory / split, config, Past(directory, split))
    return [
        rows.take(x, len(w))
        for x, _, w in read_examples(
            directory / split, config, batch_size=batch, shuffle=False
        ).as_numpy_iterator()
    ]


@pytest.mark.parametrize("batch", [1, 7, 40, 100])
def test_rows_come_in_the_order_of_the_examples(moved: Path, batch: int) -> None:
    config = tiny.make_config()
    parts = taken(moved, config, batch)
    raw = tiny.raw_rows(40, 2)
    slices = {n: np.concatenate([p.slices[n] for p in parts]).tolist() for n in parts[0].slices}
    assert list(slices) == ["age", "scenario", "new_user", "new_item", "history"]
    assert slices["age"] == raw["age"].tolist()
    assert slices["scenario"] == raw["scenario"].tolist()
    assert slices["new_user"] == ["yes" if user == "dee" else "no" for user in raw["user_id"]]
    assert {"yes", "no"} == set(slices["new_user"])
    new = [i == 0 or item >= 4 for i, item in enumerate(raw["row"])]
    assert slices["new_item"] == ["yes" if one else "no" for one in new]
    lengths = [sum(bool(item) for item in items) for items in raw["click_history_item_id"]]
    assert slices["history"] == [BUCKETS[length] for length in lengths]
    users = np.concatenate([part.users for part in parts])
    names = {}
    for number, user in zip(users.tolist(), raw["user_id"], strict=True):
        assert names.setdefault(number, user) == user
    assert len(names) == len(set(raw["user_id"]))
    assert parts[0].queries is None


def test_large_tables_are_read_in_pieces(moved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = taken(moved, tiny.make_config(), 40)[0]
    monkeypatch.setattr(measured_rows, "ROWS_AT_ONCE", 3)
    parts = taken(moved, tiny.make_config(), 8)
    for name, values in whole.slices.items():
        found = np.concatenate([part.slices[name] for part in parts])
        assert found.tolist() == values.tolist(), name


def test_a_user_of_the_validation_rows_is_new_in_the_test_rows(moved: Path) -> None:
    past = Past(moved, "test")
    new = dict(zip(past.users.to_pylist(), past.new_users.tolist(), strict=True))
    assert new == {user: user == "dee" for user in tiny.raw_rows(40, 2)["user_id"]}
    assert sorted(past.items.to_pylist()) == [0, 1, 2, 3]
    assert past.numbers(pa.array(["nobody"])).tolist() == [-1]


@pytest.mark.parametrize("length", BUCKETS)
def test_the_longest_history_counts(transformed: Path, length: int) -> None:
    history = {"of": ["item_id"], "last": 12}
    changes = [{"where": "click", **history}, {"where": "cart", **history}]
    config = tiny.make_config(
        {"features.history": changes, "tasks.stars": tiny.RAW["tasks"]["stars"]}
    )
    inputs = {
        name: np.zeros((2, 12), np.int32)
        for name in ("click_history_item_id", "cart_history_item_id")
    }
    inputs["cart_history_item_id"][0, :length] = 3
    inputs["click_history_item_id"][0, : max(length - 1, 0)] = 3
    rows = MeasuredRows(transformed / "test", config, Past(transformed, "test"))
    assert rows.take(inputs, 2).slices["history"].tolist() == [BUCKETS[length], "0"]


def test_rows_of_one_query_have_one_number(transformed: Path) -> None:
    config = tiny.make_config({"evaluation.query": ["user_id", "position"]})
    (rows,) = taken(transformed, config, 40)
    raw = tiny.raw_rows(40, 2)
    keys = list(zip(raw["user_id"], raw["position"], strict=True))
    assert rows.queries is not None
    for i in range(40):
        for j in range(40):
            assert (rows.queries[i] == rows.queries[j]) == (keys[i] == keys[j])


def test_nothing_is_said_of_users_that_are_not_known(transformed: Path) -> None:
    config = tiny.make_config({"source.impressions.user": None, "features.history": []})
    (rows,) = taken(transformed, config, 40)
    assert rows.users is None
    assert list(rows.slices) == ["age", "scenario", "new_item"]


def test_slices_can_be_left_out(transformed: Path) -> None:
    config = tiny.make_config()
    rows = MeasuredRows(transformed / "test", config, Past(transformed, "test"), sliced=False)
    found = rows.take({}, 40)
    assert rows.slices == []
    assert found.slices == {}
    assert found.users is not None


def test_what_users_had_before() -> None:
    random = np.random.default_rng(3)
    users, items = random.integers(0, 9, 50), random.integers(0, 99, 50)
    asked = random.integers(0, 12, 20)
    indptr, found = Seen(users, items).of(asked)
    for place, user in enumerate(asked):
        own = found[indptr[place] : indptr[place + 1]]
        assert own.tolist() == items[users == user].tolist()
