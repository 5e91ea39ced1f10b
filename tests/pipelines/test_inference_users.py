"""The users of a log as a model sees them after its end, beside histories counted by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from data_components import Ran, run_components, shop_config, write_shop

from pipelines.inference.answering import Question
from pipelines.inference.inferring import infer
from pipelines.inference.users import Users
from tfmtl.config.bulk_inference import BulkInference
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.models.saved import save_model
from tfmtl.preprocessing.preprocessor import Preprocessor

ROWS = (
    "u1,i1,search,red shoes,phone,10,1,0",
    "u1,i2,search,Red Hats,phone,20,0,0",
    "u2,i1,feed,,tablet,30,1,0",
    "u1,i3,feed,,,40,1,1",
    "u2,i2,feed,,phone,50,0,",
    "u3,i1,search,blue shoes,phone,60,0,0",
    "u1,i1,search,shoes,phone,80,1,0",
    "u2,i3,feed,,watch,89,0,0",
    "u1,i5,search,green,phone,99,1,0",
    "u4,i2,feed,,watch,99,0,1",
)
BRANDS = {"i1": "acme", "i2": "acme", "i3": "zed", "i5": "nova"}
AT_THE_END = 100
"""A second after the last row."""
CLICKS: dict[str, list[tuple[str, int]]] = {
    "u1": [("i5", 99), ("i1", 80)],  # of four, the last two
    "u2": [("i1", 30)],
    "u3": [],
    "u4": [],
}
ACTS: dict[str, list[tuple[str, int, str]]] = {
    # Of two kinds at one time, the one that is named later is the later.
    "u1": [
        ("i5", 99, "click"),
        ("i1", 80, "click"),
        ("i3", 40, "buy"),
        ("i3", 40, "click"),
        ("i1", 10, "click"),
    ],
    "u2": [("i1", 30, "click")],
    "u3": [],
    "u4": [("i2", 99, "buy")],
}


@dataclass(frozen=True)
class Shop:
    """The data components' artifacts and an untrained model."""

    ran: Ran
    home: Path
    model: MultiTaskModel

    @property
    def artifacts(self) -> Path:
        return self.ran.directory / "artifacts"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("users")
    write_shop(folder / "data", ROWS)
    plain = shop_config().model_dump(mode="json")["features"]
    acts = {"name": "acts", "of": ["item_id"], "where": ["click", "buy"], "last": 5, "gaps": True}
    clicks = {"of": ["item_id", "brand"], "where": "click", "last": 2}
    config = shop_config(
        features={**plain, "history": [clicks, acts]},
        model={"trunk": {"kind": "shared_bottom", "units": [4]}, "retrieval": {"dim": 8}},
        training={"precision": "float32"},
    )
    ran = run_components(config, folder / "data", folder / "run")
    transformed = folder / "run" / "artifacts" / "transformed"
    keras.utils.set_random_seed(2)
    model = MultiTaskModel(config, Preprocessor(config, transformed).vocabulary_sizes)
    save_model(model, folder / "model", transformed)
    return Shop(ran, folder / "model", model)


def ask(shop: Shop, output: Path, **more: Any) -> dict[str, Any]:
    spec = BulkInference.model_validate({"outputs": ["user_vectors", "top_k"], "top_k": 4, **more})
    artifacts, output = shop.artifacts, output / "answers"
    output.mkdir()
    users = Users(
        shop.ran.config,
        artifacts / "examples",
        artifacts / "statistics",
        artifacts / "transformed",
    )
    seen = artifacts / "transformed" if spec.exclude_seen else None
    return infer(Question(spec, shop.home, seen), users, output, lambda *_: None)


def requests() -> dict[str, tf.Tensor]:
    """What a caller would send for the users just after the end of the log."""

    def padded(lists: list[list[Any]], missing: Any, kind: tf.DType) -> tf.Tensor:
        longest = max(map(len, lists))
        return tf.constant([row + [missing] * (longest - len(row)) for row in lists], kind)

    clicks, acts = list(CLICKS.values()), list(ACTS.values())
    items = [[item for item, _ in row] for row in clicks]
    return {
        "user": tf.constant(list(CLICKS)),
        "query": tf.constant([""] * 4),
        "click_history_item_id": padded(items, "", tf.string),
        "click_history_brand": padded([[BRANDS[i] for i in row] for row in items], "", tf.string),
        "acts_item_id": padded([[item for item, _, _ in row] for row in acts], "", tf.string),
        "acts_behaviour": padded([[kind for _, _, kind in row] for row in acts], "", tf.string),
        "acts_gaps": padded(
            [[float(AT_THE_END - time) for _, time, _ in row] for row in acts],
            float("nan"),
            tf.float32,
        ),
    }


def test_users_have_the_vectors_of_requests_just_after_the_log(shop: Shop, tmp_path: Path) -> None:
    assert ask(shop, tmp_path)["outputs"] == {"user_vectors": 4, "top_k": 4}
    found = pq.read_table(tmp_path / "answers" / "user_vectors").to_pylist()
    vectors = {row["user"]: row["vector"] for row in found}
    names = shop.ran.config.query_features
    made = Preprocessor(shop.ran.config, shop.home)(requests(), names)
    expected = shop.model.query_vectors(made).numpy()
    assert sorted(vectors) == list(CLICKS)
    for row, user in enumerate(CLICKS):
        np.testing.assert_allclose(vectors[user], expected[row], atol=1e-6, err_msg=user)
    # The users' pasts are told apart: u3 and u4 differ in one purchase.
    assert np.abs(np.subtract(vectors["u3"], vectors["u4"])).max() > 1e-4


def test_what_users_clicked_on_is_left_out(shop: Shop, tmp_path: Path) -> None:
    ask(shop, tmp_path, exclude_seen=True)
    best = pq.read_table(tmp_path / "answers" / "top_k").to_pylist()
    clicked = {"u1": {"i1", "i3", "i5"}, "u2": {"i1"}, "u3": set(), "u4": set()}
    assert {row["user"]: set(row["items"]) for row in best} == {
        user: set(BRANDS) - items for user, items in clicked.items()
    }


def test_the_order_and_the_bytes_are_the_same_each_time(shop: Shop, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ask(shop, tmp_path / name)
        parts = sorted((tmp_path / name).rglob("*.parquet"))
        contents.append([part.read_bytes() for part in parts])
    assert contents[0] == contents[1]
