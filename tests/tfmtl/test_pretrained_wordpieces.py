"""Word pieces in the graph against a plain WordPiece in Python."""

from pathlib import Path

import bert_reference
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiny_encoder import WORDS, tiny_checkpoint

pytest.importorskip("tensorflow_text", reason='needs the extra: pip install "tfmtl[text]"')

from tfmtl.layers.pretrained.checkpoint import open_checkpoint
from tfmtl.layers.pretrained.wordpieces import WordPieces, load_wordpieces

LENGTH = 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = (*WORDS, "кеды", "跑", "鞋", "!", ",", "-", "'")
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "bert", words=words)


@pytest.fixture(scope="module")
def wordpieces(directory: Path) -> WordPieces:
    return load_wordpieces(directory, LENGTH, 1 << 20)


def _ids(wordpieces: WordPieces, texts: list[str | bytes]) -> list[list[int]]:
    found = wordpieces(tf.constant(texts, tf.string))
    assert found.dtype == tf.int32
    assert found.shape[1] == LENGTH
    return found.numpy().tolist()


def _expected(directory: Path, text: str) -> list[int]:
    ids = bert_reference.pieces(text, open_checkpoint(directory).vocabulary, LENGTH)
    return [*ids, *[0] * (LENGTH - len(ids))]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Red shoes",
        "shoehats one-two!",
        "Blüe shôes",
        "кеды red 跑鞋",
        "👟 red",
        "don't",
        "a b c d e f g h i j k l m n o p",
        "x" * 101,
        "9½ red™ ﬁve \uff52\uff45\uff44",
        "re\u00add\u200b sho\u0000es\tone",
    ],
)
def test_as_plain_word_pieces(directory: Path, wordpieces: WordPieces, text: str) -> None:
    assert _ids(wordpieces, [text]) == [_expected(directory, text)]


@settings(max_examples=40, deadline=None)
@given(st.text("aé R9-!鞋кеды👟½™\t\0'", max_size=30))
def test_any_text_as_plain_word_pieces(directory: Path, wordpieces: WordPieces, text: str) -> None:
    assert _ids(wordpieces, [text]) == [_expected(directory, text)]


def test_a_megabyte_and_broken_utf8(directory: Path, wordpieces: WordPieces) -> None:
    found = _ids(wordpieces, ["red shoes " * 100_000, b"red \xff\xfeshoes"])
    assert found == [_expected(directory, "red shoes " * 6), _expected(directory, "red shoes")]


def test_of_long_texts_the_start_is_read(directory: Path) -> None:
    # The third byte is the first of the two of "é", which is left out.
    cut = load_wordpieces(directory, LENGTH, 3)
    assert _ids(cut, ["abé red"]) == [_expected(directory, "ab")]


def test_none(wordpieces: WordPieces) -> None:
    assert wordpieces(tf.zeros([0], tf.string)).shape == (0, LENGTH)
