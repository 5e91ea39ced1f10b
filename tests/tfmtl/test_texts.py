"""Texts to tokens: by hand, against Python's Unicode database, and for whatever users may send."""
# ruff: noqa: RUF001 - letters that look like others are what this is about

import re
import unicodedata
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmtl.config import TextFeature
from tfmtl.layers.characters import Characters
from tfmtl.layers.normalize import normalize
from tfmtl.layers.words import Words
from tfmtl.preprocessing.tokenizing import tokenizer

NOT_SHOWN = "\u00ad\u200c\u200d\u200e\u2060\ufe0f\ufeff\U000e0020\U000e0100"
KEPT = "½¼⅓⅞↉™℠¨´¸\ufe70"


def tokens(layer: keras.layers.Layer, *texts: str | bytes) -> list[list[str]]:
    """The tokens of each text, without the padding."""
    found = layer(tf.constant(texts, tf.string)).numpy()
    assert found.shape == (len(texts), layer.length)
    rows = [[token.decode() for token in row] for row in found]
    assert all(row == [*filter(None, row), *[""] * row.count("")] for row in rows)
    return [[*filter(None, row)] for row in rows]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Trail-Shoes, BLUE!", ["trail", "shoes", "blue"]),
        ("", []),
        (" \t\n--", []),
        ("snake_case don't C++ a@b.de 5%", ["snake", "case", "don", "t", "c", "a", "b", "de", "5"]),
        ("a\x00b\x01c\x7fd", ["a", "b", "c", "d"]),
        ("ÄRMEL Straße ΣΊΣΥΦΟΣ", ["ärmel", "straße", "σίσυφος"]),
        ("Caf\u0065\u0301 noir", ["café", "noir"]),
        ("Vie\u0323\u0302t a\u0302\u0323 a\u0323\u0302", ["việt", "ậ", "ậ"]),
        ("size 42½ x2", ["size", "42½", "x2"]),
        ("Nike™ Air® H₂O 10㎏", ["nike", "air", "h2o", "10kg"]),
        ("cr¨me a´b", ["cr", "me", "a", "b"]),
        ("ＡＢＣ１２３　ｘ ﾊﾟﾝ", ["abc123", "x", "パ", "ン"]),
        ("ﬁne Ⅷ 𝐁old", ["fine", "viii", "bold"]),
        ("İstanbul ISPARTA", ["i\u0307stanbul", "isparta"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("한국어 신발 \u1112\u1161\u11ab \u1100\u1161", ["한국어", "신발", "한", "가"]),
        ("حذاء رياضي، أزرق", ["حذاء", "رياضي", "أزرق"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("\u202eنعل\u202c \u200fabc", ["نعل", "abc"]),
        ("می\u200cخواهم soft\u00adware zero\u200bwidth", ["میخواهم", "software", "zero", "width"]),
        ("红色 跑鞋", ["红", "色", "跑", "鞋"]),
        ("Nike红色跑鞋42码 new", ["nike", "红", "色", "跑", "鞋", "42", "码", "new"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("スニーカー ｶﾞｰ", ["ス", "ニー", "カー", "ガー"]),
        ("すごいスピード", ["す", "ご", "い", "ス", "ピー", "ド"]),
        ("ที่ดี shop", ["ที่", "ดี", "shop"]),
        ("shoes👟👟blue 🎉 👩‍👩‍👧‍👦 👍🏽 ❤️", ["shoes", "blue"]),
        ("1️⃣ 🇩🇪 x", ["1", "x"]),
        (b"red\xffblue \xc3", ["red", "blue"]),
        (b"Caf\xe9 \x8ano\xefr", ["caf", "no", "r"]),
        (b"\xed\xa0\xbd\xed\xb1\x9f a \xf4\x90\x80\x80 b \xc0\xaf", ["a", "b"]),
        (b"caf\xc3\xa9\x00x \xc3\xa9\xff\xc3\x89", ["café", "x", "é", "é"]),
        ("nonchar\ufffe \U0010ffff \ue000x", ["nonchar", "x"]),
    ],
)
def test_words_of_any_script(text: str | bytes, words: list[str]) -> None:
    assert tokens(Words(12), text) == [words]


def test_words_are_padded_and_cut_off() -> None:
    texts = tf.constant(["one", "one two three four", ""])
    assert Words(length=2)(texts).numpy().tolist() == [
        [b"one", b""],
        [b"one", b"two"],
        [b"", b""],
    ]
    for layer in (Words(2), Words(2, (1, 2)), Characters(2, (2, 3))):
        assert layer(tf.constant([], tf.string)).shape == (0, 2)


def test_sequences_of_words() -> None:
    texts = ("red shoe new", "hat", "", "红鞋 a")
    assert tokens(Words(9, (1, 2)), *texts) == [
        ["red", "shoe", "new", "red shoe", "shoe new"],
        ["hat"],
        [],
        ["红", "鞋", "a", "红 鞋", "鞋 a"],
    ]
    assert tokens(Words(9, (2, 3)), *texts) == [
        ["red shoe", "shoe new", "red shoe new"],
        [],
        [],
        ["红 鞋", "鞋 a", "红 鞋 a"],
    ]
    assert tokens(Words(4, (1, 2)), texts[0]) == [["red", "shoe", "new", "red shoe"]]


def test_sequences_of_characters() -> None:
    texts = ("Hat a", "x跑鞋", "", "कि é")
    assert tokens(Characters(20, (2, 3)), *texts) == [
        ["<h", "ha", "at", "t>", "<ha", "hat", "at>", "<a", "a>", "<a>"],
        ["<x", "x>", "<x>", "<跑", "跑鞋", "鞋>", "<跑鞋", "跑鞋>"],
        [],
        ["<क", "कि", "\u093f>", "<कि", "कि>", "<é", "é>", "<é>"],
    ]
    assert tokens(Characters(5, (3, 4)), "hat cat") == [["<ha", "hat", "at>", "<hat", "hat>"]]


def test_single_characters_have_no_marks_and_short_words_are_whole() -> None:
    assert tokens(Characters(9, (1, 2)), "ab") == [["a", "b", "<a", "ab", "b>"]]
    assert tokens(Characters(9, (1, 1)), "ab c") == [["a", "b", "c"]]
    assert tokens(Characters(9, (5, 6)), "a bcd") == [["<a>", "<bcd>"]]


def reference_characters(word: str, least: int, most: int) -> list[str]:
    marked = f"<{word}>"
    found = []
    for size in range(least, most + 1):
        source = word if size == 1 else marked
        found += [source[i : i + size] for i in range(len(source) - size + 1)]
    return found or [marked]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("abcdéй0", min_size=1) | st.text("跑鞋カ", min_size=1), max_size=5),
    st.tuples(st.integers(1, 5), st.integers(0, 3)),
    st.integers(1, 30),
)
def test_sequences_of_characters_by_brute_force(
    words: list[str], sizes: tuple[int, int], length: int
) -> None:
    least, most = sizes[0], sum(sizes)
    expected = [s for word in words for s in reference_characters(word, least, most)]
    assert tokens(Characters(length, (least, most)), " ".join(words)) == [expected[:length]]


def test_only_the_first_bytes_are_read() -> None:
    assert tokens(Words(9, max_bytes=9), "red shoes new") == [["red", "shoes"]]
    assert tokens(Words(9, max_bytes=7), "red shoes") == [["red", "sho"]]
    assert tokens(Words(9, max_bytes=3), "é红é") == [["é"]]  # é is two bytes, 红 is cut through
    long = "x" * 1_000_000
    assert tokens(Words(2, max_bytes=16_384), long) == [["x" * 16_384]]
    assert tokens(Characters(3, (3, 5)), long) == [["<xx", "xxx", "xxx"]]
    assert tokens(Words(3), "红" * 400_000) == [["红"] * 3]
    assert tokens(Words(2), "\u0301" * 500_000 + "é") == [["\u0301" * 8_192]]


def reference_normal_form(text: str) -> str:
    """NFKC of the parts between characters that are kept, in lower case, by Python."""
    parts, part = [], ""
    for character in text.lower():
        if character in KEPT:
            parts += [unicodedata.normalize("NFKC", part), character]
            part = ""
        elif character not in NOT_SHOWN:
            part += character
    return "".join([*parts, unicodedata.normalize("NFKC", part)])


MARKS = "".join(chr(c) for c in range(0x300, 0x360) if c != 0x34F)
ODD = "".join(
    [
        *(
            "aeouAEOUsSqİſßςΣё",
            MARKS,
            NOT_SHOWN,
            KEPT,
            "①㌔ﷺﬃ㎏ǆΐ",
            "\u0958\u093c\u0915\u09c7\u09be",
        ),
        "\u1100\u1112\u1161\u1175\u11a8\u11c2가힣각ㄱㅏ",
        "\u0e33\u0eb3\u0dd9\u0dcf\u0dca\U00011099\U000110ba",
        "カか\u3099\u309aﾊﾟｶﾞ",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from(ODD), max_size=8), min_size=1, max_size=8))
def test_normal_form_is_that_of_python(texts: list[str]) -> None:
    found = normalize(tf.constant([text.encode() for text in texts])).numpy()
    assert [text.decode() for text in found] == [reference_normal_form(text) for text in texts]
    assert np.array_equal(normalize(found), found)


def test_normal_form_of_every_character() -> None:
    characters = [
        chr(point)
        for point in range(0x20, 0x30000)
        if unicodedata.category(chr(point)) not in ("Cn", "Cs", "Cf", "Cc")
        and "<fraction>" not in unicodedata.decomposition(chr(point))
    ]
    found = normalize(tf.constant([character.encode() for character in characters])).numpy()
    expected = dict(zip(characters, found, strict=True))
    differing = {
        character
        for character, made in expected.items()
        if made.decode() != unicodedata.normalize("NFKC", character.lower()).lower()
    }
    not_shown = {c for c in differing if not expected[c]}
    raised = {c for c in characters if unicodedata.decomposition(c).startswith("<super>")}
    signs = {c for c in raised if unicodedata.category(c)[0] == "S"}
    accents = {c for c in characters if re.match(" .", unicodedata.normalize("NFKC", c))}
    assert {"™", "℠", "⁺"} <= signs
    assert {"¨", "´", "‾"} <= accents
    # Capitals of newer versions of Unicode than TensorFlow's.
    new = {c for c in differing if c.isupper() and unicodedata.ucd_3_2_0.category(c) == "Cn"}
    assert all(expected[c].decode() == c for c in new)
    assert differing - not_shown - new == signs | accents
    assert {unicodedata.name(c).split()[0] for c in not_shown} == {
        *("COMBINING", "HANGUL", "HALFWIDTH", "KHMER", "MONGOLIAN", "VARIATION")
    }


LAYERS: dict[str, Callable[[], keras.layers.Layer]] = {
    "words": lambda: Words(6),
    "pairs of words": lambda: Words(6, (1, 2)),
    "characters": lambda: Characters(12, (2, 4)),
}
ANYTHING = st.one_of(
    st.binary(max_size=20),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(st.sampled_from(ODD + "红色ラ ภาab 1"), max_size=12).map(str.encode),
)


def traced(layer: keras.layers.Layer) -> tf.Module:
    module = tf.Module()
    module.layer = layer
    module.split = tf.function(lambda texts: layer(texts), [tf.TensorSpec([None], tf.string)])
    return module


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Callable]]:
    """Each layer as it is called in the analysis, in a function, and from a SavedModel."""
    made: dict[str, list[Callable]] = {}
    for name, make in LAYERS.items():
        module = traced(make())
        path = str(tmp_path_factory.mktemp("layer"))
        tf.saved_model.save(module, path)
        made[name] = [module.layer, module.split, tf.saved_model.load(path).split]
    return made


@settings(max_examples=30, deadline=None)
@given(st.lists(ANYTHING, min_size=1, max_size=5))
def test_tokens_are_the_same_everywhere(
    ways: dict[str, list[Callable]], texts: list[bytes]
) -> None:
    for layer, function, loaded in ways.values():
        found = layer(tf.constant(texts)).numpy()
        assert found.shape == (len(texts), layer.length)
        assert np.array_equal(found, function(tf.constant(texts)).numpy())
        assert np.array_equal(found, loaded(tf.constant(texts)).numpy())
        for place, text in enumerate(texts):  # whatever is in the batch besides
            assert np.array_equal(found[[place]], function(tf.constant([text])).numpy())


KINDS = {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Mn", "Mc", "Cn"}


@settings(max_examples=150, deadline=None)
@given(st.lists(ANYTHING, min_size=1, max_size=5))
def test_words_hold_letters_digits_and_marks_alone(
    ways: dict[str, list[Callable]], texts: list[bytes]
) -> None:
    split = ways["words"][1]
    words = split(tf.constant(texts)).numpy().ravel()
    for word in words:
        characters = word.decode("utf-8")
        # TensorFlow knows letters of newer versions of Unicode than Python may.
        assert {unicodedata.category(c) for c in characters} <= KINDS
        assert not set(characters) & {*" \t\n,.-_!?\x00", *NOT_SHOWN}
    alone = split(tf.constant(words)).numpy()
    assert alone[:, 0].tolist() == words.tolist()
    assert not alone[:, 1:].any()


def test_stock_ops_alone() -> None:
    """Other ops than these a stock TensorFlow Serving may not have."""
    graph = traced(Characters(5, (2, 4))).split.get_concrete_function().graph.as_graph_def()
    used = {node.op for node in graph.node}
    used |= {node.op for function in graph.library.function for node in function.node_def}
    text_ops = {op for op in used if "String" in op or "Regex" in op or "Unicode" in op}
    assert text_ops == {
        *("StaticRegexFullMatch", "StaticRegexReplace", "StringLower", "StringJoin"),
        *("StringLength", "StringSplit", "UnicodeDecode", "UnicodeEncode", "UnicodeTranscode"),
    }


def test_a_feature_names_its_tokenizer() -> None:
    def made(**changes: object) -> list[list[str]]:
        raw = {"name": "title", "kind": "text", "length": 6, **changes}
        return tokens(tokenizer(TextFeature.model_validate(raw)), "red hat")

    assert made() == [["red", "hat"]]
    assert made(tokens={"kind": "words", "ngrams": [2, 2]}) == [["red hat"]]
    assert made(tokens={"kind": "characters", "ngrams": [5, 5]}) == [["<red>", "<hat>"]]
    assert made(tokens="characters") == [["<r", "re", "ed", "d>", "<re", "red"]]
    assert made(max_bytes=5) == [["red", "h"]]
