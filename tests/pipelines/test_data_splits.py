"""Splits by user and by a column, and labels that training could not know at its end."""

import pytest
from data_components import ROWS, run_components, shop_config, write_shop

from pipelines.components.base import PipelineError
from tfmtl.config import ConfigError
from tfmtl.preprocessing.columns import SPLITS


def rows_of(ran):
    """{(user, time): (split, row)} of all transformed rows."""
    return {
        (row["meta/user"], row["meta/time"]): (split, row)
        for split in SPLITS
        for row in ran.rows(f"transformed/{split}")
    }


def many_rows(users=300):
    """Every user has three rows, one second after the other, and clicks at the first."""
    return tuple(
        f"u{user},i{1 + user % 3},feed,,phone,{user + second},{int(second == 0)},0"
        for user in range(users)
        for second in range(3)
    )


@pytest.fixture(scope="module")
def by_user(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by_user")
    write_shop(folder / "data", many_rows())
    features = shop_config().features.model_dump()
    features["windows"] = [
        {"name": "clicks", "kind": "count", "of": "click", "by": ["item"], "window": "5s"}
    ]
    config = shop_config(
        split={"by": "user", "validation": 0.2, "test": 0.3},
        features=features,
        tasks={"click": {"kind": "binary", "label": "click"}},
    )
    return run_components(config, folder / "data", folder / "run")


def test_a_user_is_in_one_split_and_the_splits_have_their_shares(by_user):
    users = {}
    for (user, _), (split, _) in rows_of(by_user).items():
        users.setdefault(user, set()).add(split)
    assert all(len(own) == 1 for own in users.values())
    shares = [sum(own == {split} for own in users.values()) / 300 for split in SPLITS]
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.08)


def test_by_user_histories_are_the_users_own_and_counts_are_of_all_splits(by_user):
    import math

    rows = rows_of(by_user)
    clicks = {user: time for user, time in rows if (user, time - 1) not in rows}
    raw = {}
    for (user, time), (_, row) in rows.items():
        assert (row["click_history_item_id"][0] > 0) == (time > clicks[user])
        item = int(user[1:]) % 3
        # One user begins each second, and every third has this item.
        raw[user, time] = sum(
            int(u[1:]) % 3 == item and time - 5 <= t < time for u, t in clicks.items()
        )
    train = [math.log1p(raw[key]) for key, (split, _) in rows.items() if split == "train"]
    mean = sum(train) / len(train)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in train) / len(train))
    for key, (_, row) in rows.items():
        expected = (math.log1p(raw[key]) - mean) / deviation
        assert row["clicks"] == pytest.approx(expected, abs=1e-5), key


def test_by_column_the_values_name_the_split(tmp_path):
    write_shop(tmp_path / "data")
    add_column(tmp_path / "data", "fold", ["a", "b", "a", "c", "a", "b", "a", "c", "d", "d"])
    split = {"by": "column", "column": "fold", "train": ["a", "b"], "validation": ["c"]}
    config = shop_config(split={**split, "test": ["d"]})

    ran = run_components(config, tmp_path / "data", tmp_path / "run", count=2)

    assert ran.summaries["StatisticsGen"]["rows"] == {"train": 6, "validation": 2, "test": 2}
    # The first rows of training are those of u1 at 10 and 20: of u2 at 30, and so on.
    assert vocabulary(ran, "user_id") == {"u1", "u2", "u3"}


def test_by_column_another_value_is_a_bad_row(tmp_path):
    write_shop(tmp_path / "data")
    add_column(tmp_path / "data", "fold", ["a"] * 8 + ["", "z"])
    config = shop_config(
        split={"by": "column", "column": "fold", "train": ["a"], "validation": [], "test": ["d"]}
    )

    with pytest.raises(PipelineError) as caught:
        run_components(config, tmp_path / "data", tmp_path / "run", count=1)

    text = str(caught.value)
    assert "2 of 10 rows are bad" in text
    assert "unknown split (2, column 'fold', should split.train, split.validation or" in text


def add_column(data, name, values):
    """Adds a column to the shop's log."""
    lines = (data / "log.csv").read_text().splitlines()
    added = zip(lines, [name, *values], strict=True)
    (data / "log.csv").write_text("\n".join(f"{line},{value}" for line, value in added))


def vocabulary(ran, name):
    path = ran.directory / "artifacts" / "statistics" / "vocabularies" / f"{name}.txt"
    return set(path.read_text().splitlines())


BOUGHT = (40, 90, 85, None, 60)
"""When each of the rows below was bought; validation begins at 80."""
BUYS = (
    "u1,i1,feed,,phone,10,0,1",
    "u1,i2,feed,,phone,20,0,1",
    "u2,i3,feed,,phone,30,1,1",
    "u3,i1,feed,,phone,50,0,0",
    "u3,i2,feed,,phone,55,0,1",
    *ROWS[6:],
)


def late_labels(tmp_path, **changes):
    """The shop whose label `buy` has times, run."""
    write_shop(tmp_path / "data", BUYS)
    add_column(tmp_path / "data", "bought", [*(b or "" for b in BOUGHT), "", "", "", "99"])
    source = shop_config().source.model_dump(exclude_defaults=True)
    source["impressions"]["label_times"] = {"buy": "bought"}
    features = shop_config().features.model_dump()
    features["history"] = [{"of": ["item_id"], "where": "buy", "last": 2}]
    tasks = {
        "retrieve": {"kind": "retrieval", "positive": "buy"},
        "buy": {"kind": "binary", "label": "buy"},
    }
    config = shop_config(**({"source": source, "features": features, "tasks": tasks} | changes))
    return run_components(config, tmp_path / "data", tmp_path / "run")


def test_a_label_known_after_the_boundary_is_0_in_training(tmp_path):
    ran = late_labels(tmp_path)
    rows = rows_of(ran)

    labels = {
        time: row["label/buy"] for (_, time), (split, row) in rows.items() if split == "train"
    }
    assert labels == {10: 1.0, 20: 0.0, 30: 0.0, 50: 0.0, 55: 1.0}
    positives = {
        t: row["meta/positive"] for (_, t), (split, row) in rows.items() if split == "train"
    }
    assert positives == {10: 1, 20: 0, 30: 0, 50: 0, 55: 1}
    # What the statistics say of training rows is what training could know.
    means = ran.summaries["StatisticsGen"]["label_means"]["train"]
    assert means["feed"]["buy"] == pytest.approx(2 / 5)
    assert rows["u4", 99][1]["label/buy"] == 1.0


def test_a_later_row_sees_in_its_history_what_became_known_after_the_boundary(tmp_path):
    rows = rows_of(late_labels(tmp_path))

    ids = {"i1": 2, "i2": 3}
    # u1 bought i1 at 40 and i2 at 90: neither is after 80, only the first before it.
    assert rows["u1", 80][1]["buy_history_item_id"] == [ids["i1"], 0]
    assert rows["u1", 90][1]["buy_history_item_id"] == [ids["i1"], 0]
    # u2 bought i3, which was shown at 30, at 85.
    assert rows["u2", 89][1]["buy_history_item_id"][0] > 0


def test_a_label_whose_delay_has_not_passed_is_missing_in_training(tmp_path):
    source = shop_config().source.model_dump(exclude_defaults=True)
    source["feedback_delay"] = {"click": "25s"}
    write_shop(tmp_path / "data")
    config = shop_config(source=source)

    ran = run_components(config, tmp_path / "data", tmp_path / "run")

    rows = rows_of(ran)
    # 55 and later are not 25 s before 80, when validation begins.
    labels = {time: row["label/click"] for (_, time), (_, row) in rows.items()}
    assert labels == {
        10: 1.0, 20: 0.0, 30: 1.0, 40: 1.0, 50: 0.0, 60: None, 80: 1.0, 89: 0.0, 90: 1.0, 99: 0.0
    }  # fmt: skip
    # u1 clicked i1 at 10 and i3 at 40: known at 35 and 65.
    assert rows["u1", 40][1]["click_history_item_id"][1] == 0
    assert rows["u1", 40][1]["click_history_item_id"][0] > 0
    assert all(rows["u1", 80][1]["click_history_item_id"])


@pytest.mark.parametrize(
    ("split", "line"),
    [
        (
            {"by": "user", "validation": "1d", "test": 0.1},
            "split: validation: by user, give a share",
        ),
        ({"by": "user", "validation": 0.5, "test": 0.5}, "leave no row to train on"),
        ({"by": "column", "column": "fold"}, "split: train: by column, give a list of values"),
        (
            {"by": "column", "column": "f", "train": ["a"], "validation": ["b"], "test": ["a"]},
            "test: 'a' is in train already",
        ),
        ({"by": "time", "column": "fold"}, "column: only a split by column has it"),
        ({"by": "time", "test": ["a"]}, "test: by time, give a duration"),
    ],
)
def test_a_split_that_makes_no_sense(split, line):
    with pytest.raises(ConfigError) as caught:
        shop_config(split=split)
    assert line in str(caught.value)
