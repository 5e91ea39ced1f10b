"""Vectors of texts that are kept from run to run, and the encoder behind them, asked by Beam."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_components import Ran, run_components, shop_config, write_shop

from pipelines.components.base import PipelineError
from pipelines.texts.cache import VectorCache, add, digests, encoded
from tests.tiny_encoder import tiny_checkpoint
from tfmtl.preprocessing.text_vectors import text_vectors
from tfmtl.training.examples import read_examples

pytest.importorskip("keras_hub", reason='needs the extra: pip install "tfmtl[text]"')

MARKS = digests(pa.array(["", "red shoes", "green"]))
VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)


def filled(directory: Path, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, VectorCache]:
    cache, vectors = VectorCache(directory, 2), np.full((len(wanted), 2), np.nan, np.float32)
    return cache.fill(wanted, vectors), vectors, cache


def test_vectors_come_back_in_the_order_they_are_asked_for(tmp_path: Path) -> None:
    add(encoded(MARKS[:2], VECTORS[:2]), tmp_path)
    add(encoded(MARKS[2:], VECTORS[2:]), tmp_path)
    wanted = digests(pa.array(["green", "unknown", "", "red shoes"]))
    known, vectors, _ = filled(tmp_path, wanted)
    assert known.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(vectors[known], VECTORS[[2, 0, 1]])


def test_the_same_texts_give_one_file(tmp_path: Path) -> None:
    first = add(encoded(MARKS, VECTORS), tmp_path)
    assert add(encoded(MARKS, VECTORS), tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


@pytest.mark.parametrize("damage", ["a byte", "the end", "all"])
def test_a_damaged_file_is_removed_and_its_texts_are_unknown(tmp_path: Path, damage: str) -> None:
    path = add(encoded(MARKS[:2], VECTORS[:2]), tmp_path)
    add(encoded(MARKS[2:], VECTORS[2:]), tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(VECTORS[1].tobytes())
    content[at] ^= 1
    path.write_bytes({"a byte": content, "the end": content[:-9], "all": b""}[damage])
    known, _, cache = filled(tmp_path, MARKS)
    assert known.tolist() == [False, False, True]
    assert cache.damaged == [path.name]
    assert not path.exists()


def test_vectors_of_another_width_are_not_taken(tmp_path: Path) -> None:
    add(encoded(MARKS, np.zeros((3, 5), np.float32)), tmp_path)
    assert not filled(tmp_path, MARKS)[0].any()


ENCODER = {"kind": "pretrained", "checkpoint": "tiny"}
ITEMS = {
    "item": ["i1", "i2", "i3", "i5"],
    "brand": ["acme", "acme", "zed", "nova"],
    "price": [1.0, 3.0, None, 9.0],
    "name": ["Red shoes", "Two", "", "Five"],
}


def text_config(**encoder: Any) -> Any:
    features = shop_config().model_dump(mode="json")["features"]
    text = {"kind": "text", "length": 8, "dim": 4, "encoder": {**ENCODER, **encoder}}
    features["query"] = [{"name": "query", **text}]
    features["item"].append({"name": "title", "column": "name", **text})
    return shop_config(features=features)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("texts")
    write_shop(directory, items=ITEMS)
    tiny_checkpoint(directory / "tiny")
    return directory


@pytest.fixture(scope="module")
def ran(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_components(text_config(), data, tmp_path_factory.mktemp("run"))


def reference(checkpoint: Path, texts: list[str]) -> np.ndarray:
    """The mean of KerasHub's vectors of the pieces, one text at a time."""
    import keras_hub

    backbone = keras_hub.models.BertBackbone.from_preset(str(checkpoint))
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(checkpoint))
    found = []
    for text in texts:
        pieces = [int(i) for i in tokenizer(text)] if text else []
        ids = np.array([[tokenizer.cls_token_id, *pieces[:6], tokenizer.sep_token_id]])
        given = {"token_ids": ids, "padding_mask": ids > 0, "segment_ids": 0 * ids}
        found.append(backbone.predict(given, verbose=0)["sequence_output"][0].mean(axis=0))
    return np.stack(found)


def test_rows_have_the_vectors_of_their_texts(ran: Ran, data: Path) -> None:
    transformed = ran.directory / "artifacts" / "transformed"
    rows = ran.rows("transformed/train")
    batch = next(iter(read_examples(transformed / "train", ran.config, shuffle=False)))[0]
    titles = [ITEMS["name"][row["meta/item"]] if row["meta/item"] < 3 else "Five" for row in rows]
    expected = reference(data / "tiny", titles)
    np.testing.assert_allclose(batch["title"].numpy(), expected, atol=5e-3)
    assert batch["query"].shape == (len(rows), 32)


def test_the_catalogue_holds_vectors_and_examples_numbers(ran: Ran, data: Path) -> None:
    items = ran.table("transformed/catalogue.parquet")
    vectors = np.stack(items["title"].to_numpy())[:4]
    np.testing.assert_allclose(vectors, reference(data / "tiny", ITEMS["name"]), atol=5e-3)
    # "", Five, Red shoes, Two and five queries share one matrix, in order.
    known = text_vectors(ran.directory / "artifacts" / "transformed", ran.config)
    assert known["title"].filename == known["query"].filename
    numbers = {row["meta/item"]: row["title"] for row in ran.rows("transformed/train")}
    np.testing.assert_array_equal(known["title"][numbers[0]], vectors[0])
    assert numbers[2] == 0  # the empty text is the first


def test_a_second_run_encodes_new_texts_only(ran: Ran, data: Path, tmp_path: Path) -> None:
    first = ran.summaries["Transform"]["texts"][0]
    assert (first["cached"], first["damaged"]) == (0, 0)
    (tmp_path / "cache").symlink_to(ran.directory / "cache")
    more = tmp_path / "data"
    write_shop(
        more,
        items={name: [*v, v[0]] for name, v in ITEMS.items()}
        | {
            "item": ["i1", "i2", "i3", "i5", "i6"],
            "name": [*ITEMS["name"], "Quite new"],
        },
    )
    (more / "tiny").symlink_to(data / "tiny")
    again = run_components(text_config(), more, tmp_path).summaries["Transform"]
    assert again["texts"][0]["texts"] == first["texts"] + 1
    assert again["texts"][0]["cached"] == first["texts"]
    assert f"{first['texts']} from the cache, 1 encoded" in again["lines"][-1]


def test_a_missing_checkpoint_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"checkpoint 'none'.*there is no directory"):
        run_components(text_config(checkpoint="none"), data, tmp_path, count=2)


def _truncated(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-1000])


def _of_another_shape(weights: Path) -> None:
    from safetensors.numpy import load_file, save_file

    given = load_file(weights)
    given["encoder.layer.1.output.dense.bias"] = np.zeros(7, np.float32)
    save_file(given, weights)


def _without_a_word_piece(weights: Path) -> None:
    path = weights.parent / "vocab.txt"
    path.write_text(path.read_text().replace("hats\n", ""))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncated, r"model.safetensors: no whole weights file .* copy it anew"),
        (_of_another_shape, r"output.dense.bias should be 32, as config.json says, got 7; the fil"),
        (_without_a_word_piece, r"has 86 word pieces and the encoder 87 embeddings; the tokenizer"),
    ],
)
@pytest.mark.parametrize("tuning", ["frozen", "lora"])
def test_a_damaged_checkpoint_is_one_line_before_anything_is_encoded(
    tmp_path: Path, tuning: str, damage: Callable[[Path], None], message: str
) -> None:
    write_shop(tmp_path, items=ITEMS)
    damage(tiny_checkpoint(tmp_path / "tiny") / "model.safetensors")
    with pytest.raises(PipelineError, match=f"checkpoint 'tiny': .*{message}") as raised:
        run_components(text_config(tuning=tuning), tmp_path, tmp_path / "run", count=2)
    assert "\n" not in str(raised.value)
