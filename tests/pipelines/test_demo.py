"""The demonstration: which user it takes, and what it asks the server."""

import math
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipelines.components.base import PipelineError
from pipelines.demo import _table, show
from pipelines.demo.asking import ask
from pipelines.demo.visitor import choose_visitor, read_catalogue
from serving.metadata import Signature, TensorSpec
from tfmtl.config import dump, parse

CONFIG = parse(
    {
        "name": "tiny",
        "source": {
            "impressions": {"path": "rows.csv"},
            "items": {"path": "items.csv", "key": "item_id", "title": "title"},
            "users": {"path": "users.csv", "key": "user_id"},
        },
        "features": {
            "user": [{"name": "user_id", "kind": "id"}, {"name": "age", "kind": "categorical"}],
            "item": [
                {"name": "item_id", "kind": "id"},
                {"name": "category", "kind": "categorical"},
                {"name": "cost", "column": "price", "kind": "numeric"},
            ],
            "query": [{"name": "words", "column": "query", "kind": "text"}],
            "history": [{"of": ["item_id", "category"], "where": "click", "last": 2}],
        },
        "scenario": {"column": "place", "values": ["search", "feed"]},
        "tasks": {
            "retrieve": {"kind": "retrieval", "positive": "click"},
            "click": {"kind": "binary", "label": "click"},
        },
    }
)
STRINGS, FLOATS = TensorSpec("string", (None,)), TensorSpec("float32", (None,))
HISTORY = TensorSpec("string", (None, None))


@pytest.fixture
def artifacts(tmp_path):
    """Four items; `busy` clicked i1, i2, i3 in this order and searched twice, once with a click."""
    (tmp_path / "log").mkdir()
    rows = [
        ("idle", "i1", 1, 1.0, "search", "old"),
        ("busy", "i1", 2, 1.0, "search", "lamp"),
        ("busy", "i2", 3, 1.0, "feed", ""),
        ("busy", "i4", 4, 0.0, "search", "desk lamp"),
        ("busy", "i3", 5, 1.0, "feed", ""),
    ]
    names = ["user_id", "item_id", "timestamp", "click", "place", "query"]
    columns = [list(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, names=names), tmp_path / "log" / "part-0.parquet")
    users = pa.table({"user_id": ["idle", "busy"], "age": ["20-29", "30-39"]})
    pq.write_table(users, tmp_path / "users.parquet")
    items = pa.table(
        {
            "key": ["i1", "i2", "i3", "i4"],
            "title": ["Lamp", "Desk", "Chair", ""],
            "category": pa.array([2, 3, 3, 0], pa.int32()),
            "raw/item_id": ["i1", "i2", "i3", "i4"],
            "raw/category": ["light", "wood", "wood", ""],
            "raw/price": pa.array([9.5, 80.0, None, 1.0], pa.float32()),
        }
    )
    pq.write_table(items, tmp_path / "catalogue.parquet")
    return tmp_path


class Client:
    """Answers as a server would, and keeps what it was asked."""

    def __init__(self):
        self.asked = {}

    def metadata(self, signature):
        user = {
            "user_id": STRINGS,
            "age": STRINGS,
            "query": STRINGS,
            "click_history_item_id": HISTORY,
            "click_history_category": HISTORY,
        }
        if signature == "retrieve":
            return Signature(signature, 1, {**user, "k": TensorSpec("int32", (None,))}, {})
        item = {"item_id": STRINGS, "category": STRINGS, "price": FLOATS}
        more = {"place": STRINGS, "device": STRINGS, "weight": FLOATS}
        return Signature(signature, 1, {**user, **item, **more}, {})

    def predict(self, signature, inputs):
        self.asked[signature] = inputs
        if signature == "retrieve":
            keys = np.array([[b"i3", b"i1"]], object)
            return {"item_id": keys, "score": np.array([[2.0, 1.0]], np.float32)}
        return {"click": np.array([0.1, 0.3], np.float32)}


def test_takes_the_user_with_most_positives(artifacts):
    visitor = choose_visitor(CONFIG, artifacts, read_catalogue(artifacts / "catalogue.parquet"))
    assert visitor.key == "busy"
    assert visitor.features["age"] == "30-39"
    assert visitor.histories == {
        "click_history_item_id": ["i3", "i2"],  # the latest first, no more than two
        "click_history_category": ["wood", "wood"],
    }
    assert visitor.queries == {"search": {"query": "lamp"}, "feed": {"query": ""}}


def test_asks_for_candidates_and_ranks_them(artifacts):
    catalogue = read_catalogue(artifacts / "catalogue.parquet")
    visitor = choose_visitor(CONFIG, artifacts, catalogue)
    client = Client()
    answers = ask(client, CONFIG, visitor, "search", catalogue, 10)
    assert [answer.key for answer in answers] == ["i1", "i3"], "by falling P(click)"
    assert answers[0].score == 1.0
    assert answers[0].predictions == {"click": pytest.approx(0.3)}
    retrieve, rank = client.asked["retrieve"], client.asked["rank_rows"]
    assert retrieve["k"] == 4, "no more than there are items"
    assert retrieve["query"] == rank["query"] == "lamp"
    assert rank["place"] == "search"
    assert rank["item_id"] == ["i3", "i1"]
    assert rank["category"] == ["wood", "light"]
    assert math.isnan(rank["price"][0])
    assert rank["price"][1] == 9.5
    assert rank["device"] == "", "an input nothing is known about is missing"
    assert math.isnan(rank["weight"])


def test_the_table_shows_names_and_probabilities(artifacts):
    catalogue = read_catalogue(artifacts / "catalogue.parquet")
    answers = [
        SimpleNamespace(key=key, score=0.5, predictions={"click": 0.25}) for key in ("i1", "i4")
    ]
    console = Console(file=StringIO(), width=100)
    console.print(_table(CONFIG, answers, catalogue))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines == [
        ["item", "category", "price", "P(click)", "retrieval"],
        ["Lamp", "light", "9.50", "0.2500", "0.500"],
        ["i4", "1.00", "0.2500", "0.500"],
    ]


def test_takes_the_user_with_most_rows_where_none_is_positive(artifacts):
    path = artifacts / "log" / "part-0.parquet"
    log = pq.read_table(path)
    none = pa.array([0.0] * log.num_rows)
    pq.write_table(log.set_column(log.column_names.index("click"), "click", none), path)
    visitor = choose_visitor(CONFIG, artifacts, read_catalogue(artifacts / "catalogue.parquet"))
    assert visitor.key == "busy"
    assert visitor.histories["click_history_item_id"] == []


def test_a_log_without_users_cannot_be_shown(tmp_path):
    log = {"path": "rows.csv", "user": None, "time": None}
    config = {
        "name": "things",
        "source": {"impressions": log},
        "features": {"item": [{"name": "title", "kind": "text"}]},
        "tasks": {"mood": {"kind": "multi_class", "label": "mood"}},
        "split": {"by": "random", "validation": 0.1, "test": 0.1},
    }
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.yaml").write_text(dump(parse(config)))
    with pytest.raises(PipelineError, match="the log of this run has no users or no times"):
        show(tmp_path, Console(file=StringIO()))
