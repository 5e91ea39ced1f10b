"""Columns with several values a row as lists of texts or of numbers.

A list column stays one, a single value is a list of one, and a missing one an empty list. Where a
separator is given, texts are taken apart. Places count: what is empty between two stays.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.values import is_binary, is_list, is_text, numbers_of, texts_of

TEXTS = pa.list_(pa.string())
NUMBERS = pa.list_(pa.float32())
_BRACKETS = "[]() \t"


def text_lists(values: pa.Array, separator: str | None) -> tuple[pa.ListArray, np.ndarray | None]:
    """Values as lists of texts, "" for what is missing in a list.

    Args:
        values: a column of any type.
        separator: what stands between the texts in one; spaces around them do not count then.

    Returns:
        Lists `[n]` without nulls, and which rows have a text that is not UTF-8, None where none.
    """
    values, bad = _plain(values)
    lists, worse = _lists(values, separator)
    bad = _either(bad, worse)
    flat, wrong = texts_of(lists.values)
    flat = pc.fill_null(flat, "")
    if wrong is not None:
        bad = _either(bad, rows_with(wrong, lists))
    return pa.ListArray.from_arrays(lists.offsets, flat), bad


def number_lists(
    values: pa.Array, separator: str | None
) -> tuple[pa.ListArray, np.ndarray, np.ndarray]:
    """Values as lists of numbers.

    Args:
        values: a column of any type; of texts, brackets around the numbers do not count.
        separator: what stands between the numbers in a text.

    Returns:
        Lists `[n]` of float32 without nulls, which rows have a number missing in the list, and
        which have something else that is no finite number.
    """
    values, bad = _plain(values)
    if is_text(values.type):
        values = pc.utf8_trim(values, characters=_BRACKETS)
    lists, worse = _lists(values, separator)
    bad = _either(bad, worse)
    flat = lists.values
    if is_text(flat.type):
        flat = pc.utf8_trim(flat, characters=_BRACKETS)
    found, missing, unreadable = numbers_of(flat)
    unreadable = rows_with(unreadable, lists)
    numbers = pa.ListArray.from_arrays(lists.offsets, pa.array(found.astype(np.float32)))
    return numbers, rows_with(missing, lists), unreadable if bad is None else unreadable | bad


def single_values(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The value of lists with one, null of empty ones, and which lists have more."""
    lists = _as_lists(values)
    sizes = np.diff(lists.offsets.to_numpy())
    firsts = lists.offsets.to_numpy()[:-1]
    return lists.values.take(pa.array(firsts, mask=sizes != 1)), sizes > 1


def _plain(values: pa.Array) -> tuple[pa.Array, np.ndarray | None]:
    """Single values that are coded or bytes as texts, and which are not UTF-8."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return texts_of(values) if is_binary(values.type) else (values, None)


def _either(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    return other if one is None else one if other is None else one | other


def _lists(values: pa.Array, separator: str | None) -> tuple[pa.ListArray, np.ndarray | None]:
    """Lists that start at the first of their values and have no nulls among them."""
    lists = _as_lists(values) if is_list(values.type) else _lists_of_one(values)
    if separator is None or not (is_text(lists.values.type) or is_binary(lists.values.type)):
        return lists, None
    texts, bad = texts_of(lists.values)
    trimmed = pc.utf8_trim_whitespace(pc.fill_null(texts, ""))
    parts = (
        pc.utf8_split_whitespace(trimmed)
        if separator == " "
        else pc.split_pattern(trimmed, separator)
    )
    ends = np.concatenate([[0], np.cumsum(pc.list_value_length(parts).to_numpy(False))])
    offsets = pa.array(ends[lists.offsets.to_numpy()].astype(np.int32))
    split = pa.ListArray.from_arrays(offsets, pc.utf8_trim_whitespace(parts.flatten()))
    return split, None if bad is None else rows_with(bad, lists)


def _as_lists(values: pa.Array) -> pa.ListArray:
    sizes = pc.fill_null(pc.list_value_length(values), 0).to_numpy(False)
    return pa.ListArray.from_arrays(_offsets(sizes), pc.list_flatten(values))


def _lists_of_one(values: pa.Array) -> pa.ListArray:
    given = pc.is_valid(values)
    if is_text(values.type):
        given = pc.and_(given, pc.not_equal(pc.utf8_trim_whitespace(values), ""))
        given = pc.fill_null(given, False)
    sizes = given.to_numpy(False).astype(np.int32)
    return pa.ListArray.from_arrays(_offsets(sizes), values.filter(given))


def _offsets(sizes: np.ndarray) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))


def rows_with(marked: np.ndarray, lists: pa.ListArray) -> np.ndarray:
    """Which lists hold a marked value."""
    before = np.concatenate([[0], np.cumsum(marked)])
    offsets = lists.offsets.to_numpy()
    return before[offsets[1:]] > before[offsets[:-1]]
