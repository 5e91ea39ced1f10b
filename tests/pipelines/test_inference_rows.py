"""Answers for the rows of a table: equal to the served model's, whatever the table is like."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny

from pipelines.components.base import PipelineError
from pipelines.inference.answering import Question
from pipelines.inference.asking import asked_by_options, rows_of, told
from pipelines.inference.inferring import infer
from serving.exporting import write_saved_model
from tfmtl.config import Config, ConfigError
from tfmtl.config.bulk_inference import BulkInference
from tfmtl.models.saved import load_model, save_model
from tfmtl.preprocessing.preprocessor import Preprocessor

COLUMNS = [*tiny.raw_rows(1)]
ALL = ["scores", "user_vectors", "item_vectors", "top_k"]
ROWS = 45


@dataclass(frozen=True)
class Served:
    """A model, its directory, and its SavedModel's functions."""

    home: Path
    config: Config
    signatures: Mapping[str, Any]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("served")
    transformed = tiny.write_transformed(folder / "transformed")
    model = tiny.make_model()
    save_model(model, folder / "model", transformed)
    model = load_model(folder / "model")
    write_saved_model(model, folder / "model", folder / "saved")
    loaded = tf.saved_model.load(str(folder / "saved"))
    return Served(folder / "model", model.config, {**loaded.signatures, "keep": loaded})


def table_of(rows: int = ROWS, seed: int = 5) -> dict[str, list[Any]]:
    """Rows as a request has them: known, unknown and missing values."""
    raw = tiny.raw_rows(rows, seed)
    table = {name: values.tolist() for name, values in raw.items() if name != "row"}
    del table["position"]  # served by a constant
    for name in ("click_history_item_id", "click_history_category"):
        table[name] = [[value for value in values if value] for values in table[name]]
    for place, name in enumerate(["user_id", "item_id", "age", "query", "price", "discount"]):
        table[name][place] = {"price": None, "discount": None, "user_id": "nobody"}.get(name, "?")
    if rows < 8:
        return table
    table["click_history_item_id"][7] = ["i1", "new", "i6", "i2", "i3", "i4"]
    table["click_history_category"][7] = ["shoes", "new", "hats", "hats", "shoes", ""]
    return table


def ask(
    served: Served, path: Path, output: Path, outputs: list[str], **more: Any
) -> dict[str, Any]:
    spec = BulkInference.model_validate({"data": str(path), "outputs": outputs, **more})
    output.mkdir()
    rows = rows_of(served.config, spec, path.parent)
    return infer(Question(spec, served.home), rows, output, lambda *_: None)


def answers(output: Path, name: str) -> dict[str, list[Any]]:
    return pq.read_table(output / name).to_pydict()


def asked_one_by_one(served: Served, signature: str, table: dict[str, list[Any]]) -> Any:
    """The SavedModel's answers, each row a request of its own."""
    function = served.signatures[signature]
    spec = function.structured_input_signature[1]
    found = []
    for row in range(len(table["user_id"])):
        given = {}
        for name, tensor in spec.items():
            if name == "k":
                value: Any = 3
            else:
                value = table[name][row]
            missing = "" if tensor.dtype == tf.string else float("nan")
            value = missing if value is None else value
            given[name] = tf.reshape(
                tf.constant(value, tensor.dtype), [1, -1] if tensor.shape.rank == 2 else [1]
            )
        found.append({name: value.numpy()[0] for name, value in function(**given).items()})
    return found


def test_answers_are_those_of_the_served_model(served: Served, tmp_path: Path) -> None:
    table = table_of()
    pq.write_table(pa.table(table), tmp_path / "rows.parquet", row_group_size=20)
    summary = ask(served, tmp_path / "rows.parquet", tmp_path / "out", ALL, top_k=3, batch_size=7)
    assert (summary["rows"], summary["kept"], summary["missing"]) == (ROWS, ROWS, [])
    assert summary["outputs"] == {**dict.fromkeys(ALL, ROWS), "item_vectors": 6}

    scores = answers(tmp_path / "out", "scores")
    assert list(scores) == ["user_id", "item_id", "click", "cart", "stars"]
    assert scores["user_id"] == table["user_id"]
    for row, expected in enumerate(asked_one_by_one(served, "rank_rows", table)):
        for task in ("click", "cart", "stars"):
            assert scores[task][row] == pytest.approx(expected[task], abs=1e-5), (row, task)

    best = answers(tmp_path / "out", "top_k")
    vectors = answers(tmp_path / "out", "user_vectors")["vector"]
    items = answers(tmp_path / "out", "item_vectors")
    assert items["item_id"] == tiny.ITEMS["item_id"]
    for row, expected in enumerate(asked_one_by_one(served, "retrieve", table)):
        assert best["items"][row] == [key.decode() for key in expected["item_id"]]
        assert best["scores"][row] == pytest.approx(expected["score"].tolist(), abs=1e-5)
        products = [float(np.dot(vectors[row], vector)) for vector in items["vector"]]
        assert sorted(products, reverse=True)[:3] == pytest.approx(best["scores"][row], abs=1e-5)


def test_what_the_table_lacks_comes_from_the_catalogue_or_is_missing(
    served: Served, tmp_path: Path
) -> None:
    whole = table_of()
    place = {key: n for n, key in enumerate(tiny.ITEMS["item_id"])}
    for name in ("category", "price", "title"):
        known = [*tiny.ITEMS[name], "" if name != "price" else None]
        whole[name] = [known[place.get(key, -1)] for key in whole["item_id"]]
    whole["query"], whole["discount"] = [""] * ROWS, [None] * ROWS
    whole["click_history_item_id"] = whole["click_history_category"] = [[]] * ROWS
    pq.write_table(pa.table(whole), tmp_path / "whole.parquet")
    lean = {name: whole[name] for name in ("user_id", "age", "item_id", "scenario")}
    pq.write_table(pa.table(lean), tmp_path / "lean.parquet")

    ask(served, tmp_path / "whole.parquet", tmp_path / "one", ["scores"])
    summary = ask(served, tmp_path / "lean.parquet", tmp_path / "two", ["scores"])
    assert answers(tmp_path / "one", "scores") == answers(tmp_path / "two", "scores")
    assert summary["catalogued"] == ["category", "price", "title"]
    assert sorted(summary["missing"]) == [
        "click_history_category",
        "click_history_item_id",
        "discount",
        "query",
    ]
    lines = told(summary)["lines"]
    assert lines[0] == "from the catalogue: category, price, title"


@pytest.mark.parametrize("ending", ["jsonl", "csv.gz"])
def test_every_format_gives_the_same_answers(served: Served, tmp_path: Path, ending: str) -> None:
    table = {n: v for n, v in table_of(12).items() if not n.startswith("click_history")}
    histories = ["i1|i2", "", "i3", "i9|i1|i1"] * 3
    lists = [text.split("|") if text else [] for text in histories]
    both = {**table, "click_history_item_id": lists}
    pq.write_table(pa.table(both), tmp_path / "rows.parquet")
    path = tmp_path / f"other.{ending}"
    if ending == "jsonl":
        lines = [
            json.dumps({name: values[row] for name, values in both.items()}) for row in range(12)
        ]
    else:
        texts = {**table, "click_history_item_id": histories}
        lines = [",".join(texts)]
        for row in range(12):
            cells = ["" if v[row] is None else f'"{v[row]}"' for v in texts.values()]
            lines.append(",".join(cells))
    text = "\n".join(lines) + "\n"
    if ending.endswith("gz"):
        import gzip

        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    ask(served, tmp_path / "rows.parquet", tmp_path / "one", ["scores", "top_k"])
    ask(served, path, tmp_path / "two", ["scores", "top_k"])
    for name in ("scores", "top_k"):
        assert answers(tmp_path / "one", name) == answers(tmp_path / "two", name)


def test_answers_are_the_same_bytes_each_time(served: Served, tmp_path: Path) -> None:
    pq.write_table(pa.table(table_of()), tmp_path / "rows.parquet", row_group_size=13)
    contents = []
    for name in ("one", "two"):
        ask(served, tmp_path / "rows.parquet", tmp_path / name, ALL)
        files = sorted((tmp_path / name).rglob("*.parquet"))
        contents.append([(f.relative_to(tmp_path / name), f.read_bytes()) for f in files])
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3 * 4 + 1


def test_bad_rows_are_set_aside_with_reasons(served: Served, tmp_path: Path) -> None:
    table = table_of(6)
    lines = [",".join(["user_id", "age", "item_id", "scenario", "price"])]
    for row in range(6):
        lines.append(f"{table['user_id'][row]},young,i1,feed,1.5")
    lines[2] = ",young,i1,feed,1.5"
    lines[3] = "ann,young,,feed,1.5"
    lines[4] = "ann,young,i1,moon,1.5"
    lines[5] = "ann,young,i1,feed,cheap"
    (tmp_path / "rows.csv").write_text("\n".join([*lines, "ann,young"]) + "\n")
    summary = ask(served, tmp_path / "rows.csv", tmp_path / "out", ["scores"])
    assert (summary["rows"], summary["kept"]) == (7, 2)
    assert summary["rejected"] == {
        "missing user": 1,
        "missing item": 1,
        "unknown scenario": 1,
        "not a number": 1,
        "wrong number of fields": 1,
    }
    letters = answers(tmp_path / "out", "dead_letters")
    by_reason = dict(zip(letters["reason"], letters["line"], strict=True))
    assert by_reason["missing item"] == 4
    assert by_reason["not a number"] == 6
    assert len(answers(tmp_path / "out", "scores")["click"]) == 2
    assert told(summary)["headline"] == "scores 2, 5 of 7 rows rejected"


@pytest.mark.parametrize("rows", ["parquet", "csv"])
def test_an_empty_table_gives_empty_answers(served: Served, tmp_path: Path, rows: str) -> None:
    table = pa.table(table_of()).slice(0, 0)
    path = tmp_path / f"rows.{rows}"
    if rows == "parquet":
        pq.write_table(table, path)
    else:
        path.write_text("user_id,age,item_id,scenario\n")
    summary = ask(served, path, tmp_path / "out", ALL)
    assert summary["outputs"] == {"scores": 0, "user_vectors": 0, "item_vectors": 6, "top_k": 0}
    assert list(answers(tmp_path / "out", "scores")) == [
        "user_id",
        "item_id",
        "click",
        "cart",
        "stars",
    ]
    assert answers(tmp_path / "out", "top_k") == {"user_id": [], "items": [], "scores": []}


@pytest.mark.parametrize(
    ("dropped", "outputs", "expected"),
    [
        ("user_id", ["scores"], "source.log.user: there is no column 'user_id' in "),
        ("item_id", ["scores"], "bulk_inference.outputs, scores: there is no column 'item_id' in "),
        ("age", ["top_k"], "features.user 'age': there is no column 'age' in "),
        ("scenario", ["scores"], "scenario.column: there is no column 'scenario' in "),
    ],
)
def test_a_column_that_must_be_there_is_named(
    served: Served, tmp_path: Path, dropped: str, outputs: list[str], expected: str
) -> None:
    table = table_of()
    del table[dropped]
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    with pytest.raises(PipelineError) as error:
        ask(served, tmp_path / "rows.parquet", tmp_path / "out", outputs)
    assert str(error.value).startswith(expected)


def test_items_of_histories_are_left_out_and_columns_are_kept(
    served: Served, tmp_path: Path
) -> None:
    table = {**table_of(), "request": list(range(ROWS))}
    del table["item_id"], table["scenario"]  # no output reads them
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    more = {"top_k": 6, "exclude_seen": True, "keep": ["request"]}
    ask(served, tmp_path / "rows.parquet", tmp_path / "out", ["top_k"], **more)
    best = answers(tmp_path / "out", "top_k")
    assert list(best) == ["user_id", "request", "items", "scores"]
    assert best["request"] == [str(number) for number in range(ROWS)]
    for items, history in zip(best["items"], table["click_history_item_id"], strict=True):
        assert set(items) == set(tiny.ITEMS["item_id"]) - set(history)
        assert len(items) == len(set(items))


def test_rows_that_are_all_bad_are_one_line(served: Served, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("user_id,age,item_id,scenario\nann,old,i1,moon\n")
    with pytest.raises(PipelineError) as error:
        ask(served, tmp_path / "rows.csv", tmp_path / "out", ["scores"])
    assert "all 1 rows are bad; most often: unknown scenario (1)" in str(error.value)


def test_options_go_by_what_the_table_has(served: Served, tmp_path: Path) -> None:
    def outputs(columns: list[str], named: list[str], top_k: int | None) -> list[str]:
        path = tmp_path / "rows.csv"
        path.write_text(",".join(columns) + "\n")
        spec = asked_by_options(served.config, path, named, top_k, False, [])
        return list(spec.outputs)

    assert outputs(["user_id", "item_id"], [], None) == ["scores"]
    assert outputs(["user_id", "item_id"], [], 5) == ["scores", "top_k"]
    assert outputs(["user_id"], [], None) == ["top_k"]
    assert outputs(["user_id"], ["item_vectors"], None) == ["item_vectors"]
    with pytest.raises(ConfigError, match=r"tfmtl infer: bulk_inference\.outputs"):
        outputs(["user_id"], ["vectors"], None)


def test_only_items_need_no_table_column(served: Served, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("other\n1\n")
    summary = ask(served, tmp_path / "rows.csv", tmp_path / "out", ["item_vectors"])
    assert summary == {"outputs": {"item_vectors": 6}}


def test_the_served_rows_and_the_made_rows_name_one_preprocessing(served: Served) -> None:
    spec = Preprocessor(served.config, served.home).raw_spec([*load_model(served.home).inputs_spec])
    assert set(spec) | {"row", "position"} == set(COLUMNS)
