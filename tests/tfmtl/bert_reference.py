"""BERT and its word pieces written plainly, to compare encoders with."""

import math
import unicodedata
from collections.abc import Mapping

import numpy as np

Weights = Mapping[str, np.ndarray]


def pieces(text: str, vocabulary: list[str], length: int) -> list[int]:
    """Ids of a text's word pieces: [CLS], the longest pieces from the left, [SEP]."""
    ids = {piece: place for place, piece in enumerate(vocabulary)}
    found = [ids[piece] for word in _words(text) for piece in _split(word, ids)]
    return [ids["[CLS]"], *found[: length - 2], ids["[SEP]"]]


def _words(text: str) -> list[str]:
    words, word = [], ""
    for letter in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(letter)
        if category == "Mn" or (category.startswith("C") and letter not in "\t\n\r"):
            continue
        if letter.isspace():
            words, word = [*words, word], ""
        elif _alone(letter, category):
            words, word = [*words, word, letter], ""
        else:
            word += letter
    return [word for word in [*words, word] if word]


def _alone(letter: str, category: str) -> bool:
    """Punctuation, symbols of ASCII and Chinese signs are words of their own."""
    ascii_symbol = letter.isascii() and not letter.isalnum()
    return category.startswith("P") or ascii_symbol or 0x4E00 <= ord(letter) <= 0x9FFF


def _split(word: str, ids: Mapping[str, int]) -> list[str]:
    found, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in ids:
                break
        else:
            return ["[UNK]"]
        found.append(piece)
        start = end
    return found if len(word) <= 100 else ["[UNK]"]


def hidden(ids: list[int], weights: Weights, heads: int, gelu_by_tanh: bool = False) -> np.ndarray:
    """The last layer's vectors of one text, float64 `[pieces, width]`."""
    given = {name: values.astype(np.float64) for name, values in weights.items()}
    x = given["embeddings.word_embeddings.weight"][ids]
    x = x + given["embeddings.position_embeddings.weight"][: len(ids)]
    x = _norm(
        x + given["embeddings.token_type_embeddings.weight"][0], given, "embeddings.LayerNorm"
    )
    layer = 0
    while f"encoder.layer.{layer}.output.dense.weight" in given:
        name = f"encoder.layer.{layer}"
        q, k, v = (
            _dense(x, given, f"{name}.attention.self.{part}") for part in ("query", "key", "value")
        )
        size = x.shape[1] // heads
        found = np.empty_like(x)
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            logits = q[:, own] @ k[:, own].T / math.sqrt(size)
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            found[:, own] = shares / shares.sum(axis=1, keepdims=True) @ v[:, own]
        found = _dense(found, given, f"{name}.attention.output.dense")
        x = _norm(x + found, given, f"{name}.attention.output.LayerNorm")
        inner = _gelu(_dense(x, given, f"{name}.intermediate.dense"), gelu_by_tanh)
        x = _norm(
            x + _dense(inner, given, f"{name}.output.dense"), given, f"{name}.output.LayerNorm"
        )
        layer += 1
    return x


def _dense(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _norm(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _gelu(x: np.ndarray, by_tanh: bool) -> np.ndarray:
    if by_tanh:
        return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
