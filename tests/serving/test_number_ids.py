"""Ids that are int64 in requests and answers, and texts everywhere else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tiny
from asked import Asked

import tfmtl
from serving.exporting import write_saved_model
from tfmtl.config import ConfigError
from tfmtl.models.multi_task import MultiTaskModel
from tfmtl.preprocessing.identifiers import id_numbers, id_texts

KEYS = ["17", "4", "9223372036854775807"]
USERS = ["100", "200"]
VOCABULARIES = {"user_id": USERS, "item_id": KEYS}


def make_config(dtype: str) -> tfmtl.Config:
    return tiny.make_config(
        {
            "features": {
                "user": [{"name": "user_id", "kind": "id", "dim": 4, "dtype": dtype}],
                "item": [{"name": "item_id", "kind": "id", "dim": 4, "dtype": dtype}],
                "history": [{"of": ["item_id"], "where": "click", "last": 3}],
            },
            "scenario": None,
            "tasks": {
                "retrieve": {"kind": "retrieval", "positive": "click"},
                "click": {"kind": "binary", "label": "click"},
            },
            "evaluation": {"top_k": [1]},
        }
    )


def write(directory: Path, dtype: str, keys: list[str] = KEYS) -> Path:
    config = make_config(dtype)
    model = MultiTaskModel(config, tiny.sizes(VOCABULARIES))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape) * 0.5)
    analysis = tiny.write_analysis(directory / "analysis", VOCABULARIES, {})
    items = {"key": keys, "title": keys, "raw/item_id": keys, "item_id": [2, 3, 4]}
    pq.write_table(pa.table(items), analysis / "catalogue.parquet")
    tfmtl.save_model(model, directory / "model", analysis)
    write_saved_model(model, directory / "model", directory / "saved_model")
    return directory / "saved_model"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asked, Asked]]:
    """One model whose requests hold numbers, and the same one whose requests hold texts."""
    directory = tmp_path_factory.mktemp("ids")
    with (
        Asked(write(directory / "numbers", "int64")) as numbers,
        Asked(write(directory / "texts", "string")) as texts,
    ):
        yield numbers, texts


def as_texts(numbers: np.ndarray) -> np.ndarray:
    texts = ["" if number < 0 else str(number) for number in numbers.ravel()]
    return np.array([text.encode() for text in texts], object).reshape(numbers.shape)


REQUESTS = {
    "rank_rows": {
        "user_id": np.array([100, 5, -1]),
        "item_id": np.array([17, 2**63 - 1, 3]),
        "click_history_item_id": np.array([[4, -1], [17, 4], [-1, -1]]),
    },
    "rank": {
        "user_id": np.array([200]),
        "item_id": np.array([[17, 4, -1, 3]]),
        "click_history_item_id": np.array([[4, 17]]),
    },
    "embed_item": {"item_id": np.array([4, 17, 0])},
    "embed_user": {"user_id": np.array([100]), "click_history_item_id": np.array([[4]])},
}


@pytest.mark.parametrize("signature", REQUESTS)
def test_numbers_are_answered_as_their_texts(both: tuple[Asked, Asked], signature: str) -> None:
    numbers, texts = both
    asked = REQUESTS[signature]
    found = numbers(signature, asked)
    expected = texts(signature, {name: as_texts(values) for name, values in asked.items()})
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("signature", ["retrieve", "recommend"])
def test_answers_hold_numbers(both: tuple[Asked, Asked], signature: str) -> None:
    numbers, texts = both
    k = {"k": np.array([3], np.int32)}
    found = numbers(signature, {"user_id": np.array([100]), **k})["item_id"]
    expected = texts(signature, {"user_id": np.array([b"100"], object), **k})["item_id"]
    assert found.dtype == np.int64
    assert found.tolist() == [[int(key) for key in row] for row in expected.tolist()]
    assert sorted(found[0]) == [4, 17, 2**63 - 1]


def test_what_is_left_out_is_no_number(both: tuple[Asked, Asked]) -> None:
    numbers, _ = both
    history = numbers.signatures["rank_rows"].defaults["click_history_item_id"]
    assert (history.dtype, history.tensor_shape.dim[1].size) == (tf.int64.as_datatype_enum, 0)
    exclude = {"user_id": np.array([100]), "exclude": np.array([[17, -1]])}
    assert sorted(numbers("recommend", exclude)["item_id"][0])[-2:] == [4, 2**63 - 1]


@pytest.mark.parametrize("wrong", ["x7", "007", "-3", "9223372036854775808"])
def test_keys_that_are_no_numbers_are_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"dtype is int64, and '{wrong}' is no whole number"):
        write(tmp_path, "int64", ["1", "2", wrong])


def test_texts_and_numbers() -> None:
    texts = id_texts(tf.constant([7, -1, 0, 2**63 - 1], tf.int64))
    assert texts.numpy().tolist() == [b"7", b"", b"0", b"9223372036854775807"]
    assert id_numbers(texts).numpy().tolist() == [7, -1, 0, 2**63 - 1]
    words = tf.constant(["a"])
    assert id_texts(words) is words


def test_a_number_that_another_feature_reads_as_such_is_refused() -> None:
    item = [
        {"name": "item_id", "kind": "id", "dtype": "int64"},
        {"name": "number", "kind": "numeric", "column": "item_id"},
    ]
    with pytest.raises(ConfigError, match="'number': column 'item_id' is read as a number, and as"):
        tiny.make_config({"features.item": item, "features.history": []})
