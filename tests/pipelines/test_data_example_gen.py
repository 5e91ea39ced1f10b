"""ExampleGen: good rows, dead letters, split boundaries, and errors of one line."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_components import HEADER, ITEMS, ROWS, run_components, shop_config, write_shop

from pipelines.components.base import PipelineError
from tfmtl.config import Config, ConfigError

BAD = {
    "u1,i1,search,x,phone,10,1": "wrong number of fields",
    "u1,i1,search,x,phone,soon,1,0": "unparsable time",
    "u1,i1,search,x,phone,,1,0": "missing time",
    ",i1,search,x,phone,10,1,0": "missing user",
    "u1,,search,x,phone,10,1,0": "missing item",
    "u1,i1,cart,x,phone,10,1,0": "unknown scenario",
    "u1,i1,search,x,phone,10,yes,0": "label is not a number",
    "u1,i1,search,x,phone,10,2,0": "label is not 0 or 1",
}


def lenient() -> Config:
    config = shop_config()
    return config.model_copy(
        update={"source": config.source.model_copy(update={"max_bad_share": 0.9})}
    )


def stop(config: Config, data, directory) -> str:
    """The message of the error that stops ExampleGen."""
    with pytest.raises(PipelineError) as caught:
        run_components(config, data, directory, 1)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_are_kept_and_the_boundaries_resolved(tmp_path):
    write_shop(tmp_path / "data")

    ran = run_components(shop_config(), tmp_path / "data", tmp_path / "run", 1)

    summary = ran.summaries["ExampleGen"]
    assert (summary["rows"], summary["kept"], summary["rejected"]) == (10, 10, {})
    assert (summary["first_time"], summary["last_time"]) == (10, 99)
    assert summary["split"]["validation_from"] == 80
    assert summary["split"]["test_from"] == 90
    first = ran.rows("examples/log")[0]
    assert first == {
        "meta/row": 2,
        "user": "u1",
        "item": "i1",
        "time": 10,
        "click": 1.0,
        "buy": 0.0,
        "scenario": "search",
        "query": "red shoes",
        "device": "phone",
    }
    assert ran.progress[-1][:3] == (14, None, "rows")


def test_a_directory_whose_name_looks_like_a_pattern(tmp_path):
    write_shop(tmp_path / "logs [2024]")

    ran = run_components(shop_config(), tmp_path / "logs [2024]", tmp_path / "run", 1)

    assert ran.summaries["ExampleGen"]["kept"] == 10


def test_every_bad_row_becomes_a_dead_letter_with_its_reason(tmp_path):
    write_shop(tmp_path / "data", (*ROWS, *BAD))
    with (tmp_path / "data" / "log.csv").open("ab") as log:
        log.write(b"u1,i1,search,caf\xe9,phone,10,1,0\n")

    ran = run_components(lenient(), tmp_path / "data", tmp_path / "run", 1)

    letters = ran.rows("examples/dead_letters")
    expected = {**BAD, "u1,i1,search,caf�,phone,10,1,0": "not UTF-8"}
    assert {letter["raw"]: letter["reason"] for letter in letters} == expected
    lines = {letter["reason"]: letter["line"] for letter in letters}
    assert lines["wrong number of fields"] == 12
    assert lines["not UTF-8"] == 20
    assert all(letter["file"].endswith("log.csv") for letter in letters)
    summary = ran.summaries["ExampleGen"]
    assert summary["rows"] == summary["kept"] + sum(summary["rejected"].values()) == 19
    assert summary["dead_letters"] == {"rows": 9, "path": "dead_letters"}


def test_what_histories_and_retrieval_call_positive_is_0_or_1(tmp_path):
    write_shop(tmp_path / "data", (*ROWS, "u1,i1,search,x,phone,10,2,0", "u1,i1,feed,x,,10,1,2"))
    features = shop_config().features.model_dump()
    features["history"][0]["where"] = "buy"
    tasks = {"retrieve": {"kind": "retrieval", "positive": "click"}}
    source = lenient().source.model_dump()
    config = shop_config(features=features, tasks=tasks, source=source)

    ran = run_components(config, tmp_path / "data", tmp_path / "run", 1)

    assert ran.summaries["ExampleGen"]["rejected"] == {"label is not 0 or 1": 2}


def test_a_label_that_is_no_probability_has_no_positives():
    features = shop_config().features.model_dump()
    tasks = {"stars": {"kind": "regression", "label": "click", "range": [0, 5]}}
    with pytest.raises(
        ConfigError, match=r"features\.history\[0\]\.where: 'click' is a regression"
    ):
        shop_config(tasks=tasks)
    features["history"] = []
    tasks["retrieve"] = {"kind": "retrieval", "positive": "click"}
    with pytest.raises(ConfigError, match=r"tasks\.retrieve\.positive: 'click' is a regression"):
        shop_config(tasks=tasks, features=features)


def test_a_stray_quote_is_counted(tmp_path):
    write_shop(tmp_path / "data", (*ROWS[:3], 'u1,i1,search,"red,phone,10,1,0', *ROWS[3:]))

    ran = run_components(lenient(), tmp_path / "data", tmp_path / "run", 1)

    summary = ran.summaries["ExampleGen"]
    assert (summary["rows"], summary["kept"]) == (11, 10)
    assert summary["rejected"] == {"unclosed quote": 1}
    (letter,) = ran.rows("examples/dead_letters")
    assert (letter["line"], letter["raw"]) == (5, 'u1,i1,search,"red,phone,10,1,0')


def test_too_many_bad_rows_stop_the_run_and_leave_their_dead_letters(tmp_path):
    write_shop(tmp_path / "data", (*ROWS, ROWS[0].replace("10,", "soon,")))

    message = stop(shop_config(), tmp_path / "data", tmp_path / "run")

    assert "1 of 11 rows are bad (9.1%), source.max_bad_share allows 0.01" in message
    assert "most often: unparsable time (1, column 'time')" in message
    assert str(tmp_path / "run" / "dead_letters") in message
    assert pq.read_table(tmp_path / "run" / "dead_letters").num_rows == 1


def test_of_two_rows_of_a_key_the_last_wins(tmp_path):
    items = {name: [*values, values[1]] for name, values in ITEMS.items()}
    items["item"][4], items["brand"][4] = "i1", "last"
    write_shop(tmp_path / "data", items=items)

    ran = run_components(shop_config(), tmp_path / "data", tmp_path / "run", 1)

    rows = ran.rows("examples/items.parquet")
    assert [(row["item"], row["brand"]) for row in rows] == [
        ("i2", "acme"),
        ("i3", "zed"),
        ("i5", "nova"),
        ("i1", "last"),
    ]
    assert ran.summaries["ExampleGen"]["tables"]["items"]["duplicates"] == 1


def test_parquet_gives_what_csv_gives(tmp_path):
    write_shop(tmp_path / "csv")
    write_shop(tmp_path / "parquet")
    names = HEADER.split(",")
    columns = zip(*(row.split(",") for row in ROWS), strict=True)
    table = pa.table(dict(zip(names, columns, strict=True)))
    for name in ("time", "click"):
        place = names.index(name)
        table = table.set_column(place, name, table.column(name).cast(pa.int64()))
    (tmp_path / "parquet" / "log.csv").unlink()
    pq.write_table(table, tmp_path / "parquet" / "log.parquet", row_group_size=3)
    config = shop_config()
    source = config.source.model_dump()
    source["impressions"]["path"] = "log.parquet"

    one = run_components(config, tmp_path / "csv", tmp_path / "one", 1)
    other = run_components(shop_config(source=source), tmp_path / "parquet", tmp_path / "other", 1)

    expected = one.table("examples/log").drop_columns(["meta/row"])
    assert other.table("examples/log").drop_columns(["meta/row"]) == expected


class TestErrors:
    def test_missing_file(self, tmp_path):
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert message.startswith("source.impressions.path: there is no file")

    def test_empty_file(self, tmp_path):
        write_shop(tmp_path)
        (tmp_path / "log.csv").write_bytes(b"")
        assert "log.csv is empty (0 bytes)" in stop(shop_config(), tmp_path, tmp_path / "run")

    def test_header_without_rows(self, tmp_path):
        write_shop(tmp_path, ())
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert message.startswith("source.impressions.path: there is no row in")

    def test_missing_column(self, tmp_path):
        write_shop(tmp_path)
        text = (tmp_path / "log.csv").read_text().replace("device", "gadget", 1)
        (tmp_path / "log.csv").write_text(text)
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert message == (
            f"features.context 'device': there is no column 'device' in {tmp_path}/log.csv, "
            "it has user, item, scenario, query, gadget, time, click, buy"
        )

    def test_wrong_delimiter(self, tmp_path):
        write_shop(tmp_path)
        text = (tmp_path / "log.csv").read_text().replace(",", ";")
        (tmp_path / "log.csv").write_text(text)
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert message.endswith("; is the delimiter ',' right?")

    def test_missing_column_of_a_side_table(self, tmp_path):
        write_shop(tmp_path, items={**ITEMS, "brand": ITEMS["brand"], "cost": ITEMS["price"]})
        table = pq.read_table(tmp_path / "items.parquet").drop_columns(["price"])
        pq.write_table(table, tmp_path / "items.parquet")
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert message.startswith("features.item 'price': there is no column 'price' in")
        assert message.endswith("items.parquet, it has item, brand, name, cost")

    def test_truncated_parquet(self, tmp_path):
        write_shop(tmp_path)
        path = tmp_path / "items.parquet"
        path.write_bytes(path.read_bytes()[:-20])
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert message.startswith(f"{path}: no readable Parquet file, it may be truncated")

    def test_damaged_parquet_pages(self, tmp_path):
        write_shop(tmp_path)
        path = tmp_path / "items.parquet"
        content = bytearray(path.read_bytes())
        content[4:200] = bytes(196)
        path.write_bytes(content)
        assert stop(shop_config(), tmp_path, tmp_path / "run").startswith(f"{path}: damaged?")

    def test_column_of_a_type_that_is_no_value(self, tmp_path):
        write_shop(tmp_path, items={**ITEMS, "brand": [["a"]] * 4})
        message = stop(shop_config(), tmp_path, tmp_path / "run")
        assert "column 'brand' is of type list" in message

    def test_no_good_row(self, tmp_path):
        write_shop(tmp_path, tuple(BAD))
        message = stop(lenient(), tmp_path, tmp_path / "run")
        assert "8 of 8 rows are bad (100.0%), none is left" in message

    def test_no_rows_to_train_on(self, tmp_path):
        write_shop(tmp_path)
        split = {"by": "time", "validation": "1h", "test": "1h"}
        message = stop(shop_config(split=split), tmp_path, tmp_path / "run")
        assert message.startswith("split: no rows are left for training")

    def test_unknown_encoding(self, tmp_path):
        write_shop(tmp_path)
        source = shop_config().source.model_dump()
        source["impressions"]["encoding"] = "klingon"
        message = stop(shop_config(source=source), tmp_path, tmp_path / "run")
        assert message.startswith("source.impressions.encoding: 'klingon' is no encoding")

    def test_history_of_what_the_log_says_of_an_item(self, tmp_path):
        write_shop(tmp_path, tuple(f"{row},acme" for row in ROWS))
        text = (tmp_path / "log.csv").read_text().replace(HEADER, f"{HEADER},brand")
        (tmp_path / "log.csv").write_text(text)
        source = shop_config().source.model_dump() | {"items": None}
        features = shop_config().features.model_dump()
        features["item"] = [f for f in features["item"] if f["name"] != "price"]
        config = shop_config(source=source, features=features)
        message = stop(config, tmp_path, tmp_path / "run")
        assert message.startswith("features.history of 'brand': column 'brand' is in the log")

    def test_truncated_gzip(self, tmp_path):
        write_shop(tmp_path)
        packed = gzip.compress((tmp_path / "log.csv").read_bytes())
        (tmp_path / "log.csv").unlink()
        path = tmp_path / "log.csv.gz"
        path.write_bytes(packed[:-20])
        source = shop_config().source.model_dump()
        source["impressions"]["path"] = "log.csv.gz"
        message = stop(shop_config(source=source), tmp_path, tmp_path / "run")
        assert message.startswith(f"{path}: damaged or truncated")

    def test_one_column_read_in_two_ways(self, tmp_path):
        write_shop(tmp_path)
        features = shop_config().features.model_dump()
        features["context"].append({"name": "how", "kind": "numeric", "column": "device"})
        message = stop(shop_config(features=features), tmp_path, tmp_path / "run")
        assert message.startswith("column 'device' is read as text by features.context 'device'")
