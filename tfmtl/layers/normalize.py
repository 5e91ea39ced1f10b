"""Lower case and Unicode's normal form, by stock TensorFlow ops, for none does the latter."""

import functools
import sys
import unicodedata
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_IGNORABLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200C, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xE0001, 0xE0001), (0xE0020, 0xE007F),
    (0xE0100, 0xE01EF),
)  # fmt: skip
"""Code points that are not shown: soft hyphens, joiners, marks of direction, variation selectors.
The zero width space is not among them, for it parts words."""
_L, _V, _T, _SYLLABLE = 0x1100, 0x1161, 0x11A7, 0xAC00
"""First of the Hangul letters that begin a syllable, of its vowels, one before its last letters,
and the first syllable."""
_PAIR = 1 << 21
"""More than any code point."""


class _Tables(NamedTuple):
    changed: np.ndarray
    """Code points that decompose, in order."""
    starts: np.ndarray
    """Where each one's parts begin in `parts`, and where the last one's end."""
    parts: np.ndarray
    marks: np.ndarray
    """Code points with a combining class, in order."""
    classes: np.ndarray
    pairs: np.ndarray
    """First code point * 2^21 + second, of pairs that compose, in order."""
    composites: np.ndarray
    odd: str
    """Regular expression of valid texts that may change, and of no text in plain letters."""


def change_where(
    chosen: tf.Tensor, texts: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Changes some of the texts and spares the others the cost.

    Args:
        chosen: which ones, bool `[n]`.
        texts: strings, `[n]`.
        change: takes the chosen ones, strings `[m]`, and returns as many.

    Returns:
        strings, `[n]`.
    """
    places = tf.where(chosen)

    def changed() -> tf.Tensor:
        return tf.tensor_scatter_nd_update(texts, places, change(tf.gather_nd(texts, places)))

    return tf.cond(tf.size(places) > 0, changed, lambda: texts)


# Of one signature, so that a SavedModel holds the tables once, whatever reads them; and the many
# small ops are slow when eager.
@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def normalize(texts: tf.Tensor) -> tf.Tensor:
    """Brings texts into lower case and Unicode's normal form KC: what looks the same becomes so.

    Full-width letters and digits become usual ones, half-width Katakana whole ones, a letter and
    its accent one code point. Code points that are not shown are left out. Other than NFKC, it
    leaves fractions (`42½` is a size, `421/2` is none), raised signs (™) and accents that stand
    alone as they are.

    Args:
        texts: valid UTF-8 without NUL, at which `tf.strings.lower` would stop, `[n]`.

    Returns:
        valid UTF-8, `[n]`.

    Example:
        >>> normalize(tf.constant(["Ｎｉｋｅ ｽﾆｰｶｰ Cafe\u0301"])).numpy()[0].decode()
        'nike スニーカー café'
    """
    lower = tf.strings.lower(texts, encoding="utf-8")
    odd = tf.strings.regex_full_match(lower, _tables().odd)
    return change_where(odd, lower, _normalize)


def _normalize(texts: tf.Tensor) -> tf.Tensor:
    decoded = tf.strings.unicode_decode(texts, "UTF-8")
    points, rows = _decompose(decoded.values, decoded.value_rowids())
    points, rows = _compose(*_ordered(points, rows))
    composed = tf.RaggedTensor.from_value_rowids(points, rows, decoded.nrows(), validate=False)
    encoded = tf.strings.unicode_encode(composed, "UTF-8")
    return tf.strings.lower(encoded, encoding="utf-8")  # some have capitals in another guise


def _decompose(points: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces code points by their parts."""
    tables = _tables()
    places, found = _find(points, tables.changed)
    bounds = tf.cast(tf.constant(tables.starts), tf.int32)
    starts = tf.gather(bounds, places)
    sizes = tf.where(found, tf.gather(bounds, places + 1) - starts, 1)
    owners = tf.repeat(tf.range(tf.size(points)), sizes)
    offsets = tf.range(tf.size(owners)) - tf.gather(tf.cumsum(sizes, exclusive=True), owners)
    replaced = tf.gather(found, owners)
    parts = tf.where(replaced, tf.gather(starts, owners) + offsets, 0)
    points = tf.where(replaced, tf.gather(tables.parts, parts), tf.gather(points, owners))
    return points, tf.gather(rows, owners)


def _ordered(points: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts the marks of a letter in the order of their combining classes."""
    classes = _classes(points)
    letters = tf.cumsum(tf.cast(_heads(classes, rows), tf.int64))
    order = tf.argsort(letters * 256 + tf.cast(classes, tf.int64), stable=True)
    return tf.gather(points, order), rows  # a letter's marks are in its row


def _compose(points: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Joins letters with what follows, one code point a letter and round, until none is left."""

    def step(points: tf.Tensor, rows: tf.Tensor, _: tf.Tensor) -> list[tf.Tensor]:
        classes = _classes(points)
        heads = _heads(classes, rows)
        here = tf.range(tf.size(points))
        before = tf.maximum(here - 1, 0)
        head = tf.gather(tf.where(heads)[:, 0], tf.cumsum(tf.cast(heads, tf.int32)) - 1)
        base = tf.where(classes > 0, tf.cast(head, tf.int32), before)
        # A mark reaches its letter unless one of its own class is in between.
        free = (base == before) | (tf.gather(classes, before) < classes)
        free &= (base != here) & (tf.gather(classes, base) == 0)
        free &= tf.gather(rows, base) == rows
        composite = _composites(tf.gather(points, base), points)
        found = free & (composite >= 0)
        found &= ~tf.gather(found, base)
        firsts = tf.math.unsorted_segment_min(
            tf.where(found, here, tf.int32.max), base, tf.size(points)
        )
        joined = firsts < tf.int32.max
        used = found & (tf.gather(firsts, base) == here)
        points = tf.where(joined, tf.gather(composite, tf.where(joined, firsts, 0)), points)
        return [
            tf.boolean_mask(points, ~used),
            tf.boolean_mask(rows, ~used),
            tf.reduce_any(used),
        ]

    points, rows, _ = tf.while_loop(
        lambda points, rows, more: more,
        step,
        [points, rows, tf.constant(True)],
        shape_invariants=[tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([])],
    )
    return points, rows


def _composites(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """What pairs of code points compose to, -1 where they do not."""
    tables = _tables()
    pairs = tf.cast(first, tf.int64) * _PAIR + tf.cast(second, tf.int64)
    places, found = _find(pairs, tables.pairs)
    result = tf.where(found, tf.gather(tables.composites, places), -1)
    opening, vowel, last = first - _L, second - _V, second - _T
    syllable = first - _SYLLABLE
    begun = (opening >= 0) & (opening < 19) & (vowel >= 0) & (vowel < 21)
    result = tf.where(begun, _SYLLABLE + (opening * 21 + vowel) * 28, result)
    open_ = (syllable >= 0) & (syllable < 11172) & (syllable % 28 == 0)
    return tf.where(open_ & (last > 0) & (last < 28), first + last, result)


def _classes(points: tf.Tensor) -> tf.Tensor:
    """Combining classes, 0 of letters."""
    places, found = _find(points, _tables().marks)
    return tf.where(found, tf.cast(tf.gather(_tables().classes, places), tf.int32), 0)


def _heads(classes: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Where a letter, or a text, begins."""
    first = tf.concat([tf.ones_like(rows[:1], tf.bool), rows[1:] != rows[:-1]], 0)
    return first | (classes == 0)


def _find(values: tf.Tensor, sorted_: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Places of values among the sorted ones, and whether they are there."""
    known = tf.constant(sorted_)  # one constant of the graph and not one for every use
    places = tf.minimum(tf.searchsorted(known, values), len(sorted_) - 1)
    return places, tf.gather(known, places) == values


@functools.cache
def _tables() -> _Tables:
    """Made from Python's Unicode database."""
    points = [p for p in range(sys.maxunicode + 1) if not 0xD800 <= p < 0xE000]
    ignored = {p for first, last in _IGNORABLE for p in range(first, last + 1)}
    parts: dict[int, list[int]] = {p: [] for p in ignored}
    pairs: dict[int, int] = {}
    marks = {p: unicodedata.combining(chr(p)) for p in points if unicodedata.combining(chr(p))}
    for point in points:
        mapping = unicodedata.decomposition(chr(point))
        if not mapping or point in ignored or _kept(chr(point), mapping):
            continue
        parts[point] = [ord(c) for c in unicodedata.normalize("NFKD", chr(point))]
        halves = unicodedata.normalize("NFD", chr(point))
        own = [int(part, 16) for part in mapping.split()] if mapping[0] != "<" else []
        if len(own) == 2 and unicodedata.normalize("NFC", halves) == chr(point):
            pairs[own[0] * _PAIR + own[1]] = point
    starts = [0]
    for point in sorted(parts):
        starts.append(starts[-1] + len(parts[point]))
    # Precomposed letters are right as they are, unless a mark follows that changes them.
    changing = {p for p in parts if unicodedata.normalize("NFKC", chr(p)) != chr(p)} | ignored
    seconds = {pair % _PAIR for pair in pairs} | {*range(_V, _V + 21), *range(_T + 1, _T + 28)}
    odd = f"(?s).*(?:[{_ranges(changing | seconds)}]|[{_ranges(marks)}]{{2}}).*"
    return _Tables(
        changed=np.array(sorted(parts), np.int32),
        starts=np.array(starts, np.int16),
        parts=np.array([part for point in sorted(parts) for part in parts[point]], np.int32),
        marks=np.array(sorted(marks), np.int32),
        classes=np.array([marks[point] for point in sorted(marks)], np.uint8),
        pairs=np.array(sorted(pairs), np.int64),
        composites=np.array([pairs[pair] for pair in sorted(pairs)], np.int32),
        odd=odd,
    )


def _kept(character: str, mapping: str) -> bool:
    """Whether a character is left as it is, for its parts would not mean the same in a word."""
    raised_sign = mapping.startswith("<super>") and unicodedata.category(character)[0] == "S"
    parts = unicodedata.normalize("NFKD", character)
    accent = parts[0] == " " and len(parts) > 1  # which would go to the next word
    return raised_sign or accent or mapping.startswith("<fraction>")


def _ranges(points: Iterable[int]) -> str:
    """A class of a regular expression, without its brackets."""
    spans: list[list[int]] = []
    for point in sorted(points):
        if spans and point == spans[-1][1] + 1:
            spans[-1][1] = point
        else:
            spans.append([point, point])
    return "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in spans)
