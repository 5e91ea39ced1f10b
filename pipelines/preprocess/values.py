"""Columns of any type as texts or as numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = pa.array(["", "NA", "NULL", "null", "None", "nan", "NaN"])
"""What counts as a missing number; a missing text is an empty one."""
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_EXACT = 2.0**53
"""Floats below are whole numbers exactly."""


def texts_of(values: pa.Array) -> tuple[pa.StringArray, np.ndarray | None]:
    """Values as texts, numbers as people write them.

    Returns:
        Strings, null where missing, and which values are not UTF-8, None where all are; those are
        null too.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if is_binary(kind):
        return _decoded(values)
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_floating(kind):
        values = _whole_as_integers(values)
    return (values if pa.types.is_string(kind) else values.cast(pa.string())), None


def numbers_of(values: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values as numbers.

    Returns:
        Float64 values, 0 where there is none, which of them are missing, and which are no finite
        float32.
    """
    if pa.types.is_dictionary(values.type) or is_binary(values.type):
        texts, bad = texts_of(values)
        values = texts if bad is None else pc.if_else(pa.array(bad), "?", texts)
    unreadable = np.zeros(len(values), bool)
    if is_text(values.type):
        try:
            return _finite(values.cast(pa.float64()), unreadable)
        except pa.ArrowInvalid:
            codes, distinct = distinct_texts(values)
            found, missing, unreadable = _numbers_of_texts(distinct)
            return found[codes], missing[codes], unreadable[codes]
    if pa.types.is_boolean(values.type):
        numbers = values.cast(pa.int8()).cast(pa.float64())
    elif pa.types.is_temporal(values.type):
        return np.zeros(len(values)), pc.is_null(values).to_numpy(False), ~unreadable
    else:
        numbers = values.cast(pa.float64(), safe=False)
    return _finite(numbers, unreadable)


def distinct_texts(texts: pa.Array) -> tuple[np.ndarray, pa.StringArray]:
    """Texts by codes, "" where missing: what takes long is done once for each that is different.

    Returns:
        int32 codes `[n]`, and the different texts.
    """
    coded = pc.fill_null(texts.cast(pa.string()), "").dictionary_encode()
    return coded.indices.to_numpy(), coded.dictionary


def _numbers_of_texts(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    trimmed = trimmed_or_missing(texts)
    right = pc.match_substring_regex(trimmed, NUMBER)
    unreadable = pc.fill_null(pc.invert(right), False).to_numpy(False)
    return _finite(pc.if_else(right, trimmed, None).cast(pa.float64()), unreadable)


def _finite(numbers: pa.Array, unreadable: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    missing = numbers.is_null(nan_is_null=True).to_numpy(False) & ~unreadable
    found = pc.fill_null(numbers, 0.0).to_numpy(False)
    with np.errstate(over="ignore"):
        unreadable |= ~missing & ~np.isfinite(found.astype(np.float32))
    return np.where(missing | unreadable, 0.0, found), missing, unreadable


def trimmed_or_missing(texts: pa.Array) -> pa.Array:
    """Texts without spaces around them, null where they stand for a missing number."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(trimmed, MISSING), None, trimmed)


def has_nul(texts: pa.StringArray) -> np.ndarray | None:
    """Which texts hold a NUL, as blocks of a file that were never written do; None if none does."""
    data = texts.buffers()[2]
    if data is None or not data.size or np.frombuffer(data, np.uint8).all():
        return None
    found = pc.fill_null(pc.match_substring(texts, "\0"), False).to_numpy(False)
    return found if found.any() else None


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_binary(kind: pa.DataType) -> bool:
    """Whether a type is bytes, which may be text."""
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list of any form."""
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _decoded(values: pa.Array) -> tuple[pa.StringArray, np.ndarray | None]:
    values = values.cast(pa.binary())
    try:
        return values.cast(pa.string()), None
    except pa.ArrowInvalid:
        bad = _not_utf8(values)
        return pc.if_else(pa.array(bad), None, values).cast(pa.string()), bad


def _not_utf8(values: pa.BinaryArray) -> np.ndarray:
    """Which values are not UTF-8; looks one by one only at those that are not, and beside them."""
    packed = pa.concat_arrays([pc.fill_null(values, b"")])
    offsets = np.frombuffer(packed.buffers()[1], np.int32, len(packed) + 1, packed.offset * 4)
    data = memoryview(packed.buffers()[2])
    content = np.frombuffer(data, np.uint8)
    bad = np.zeros(len(packed), bool)
    start, end = int(offsets[0]), int(offsets[-1])
    while start < end and (place := _first_wrong(data[start:end])) is not None:
        row = int(np.searchsorted(offsets, start + place, side="right")) - 1
        bad[row] = True
        start = int(offsets[row + 1])
    # A value that ends within a character looks right where the next begins with its rest.
    given = np.flatnonzero(offsets[1:] > offsets[:-1])
    split = np.flatnonzero((content[offsets[given]] & 0xC0) == 0x80)
    for row in given[np.unique(np.append(split, split[split > 0] - 1))].tolist():
        bad[row] |= _first_wrong(data[offsets[row] : offsets[row + 1]]) is not None
    return bad


def _first_wrong(data: memoryview) -> int | None:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def _whole_as_integers(values: pa.Array) -> pa.Array:
    """Floats as texts: 12 and not 1.2e+01, which is what a table with gaps makes of integers."""
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    values = pc.if_else(pc.is_nan(values), None, values)
    whole = pc.and_(pc.equal(values, pc.round(values)), pc.less_equal(pc.abs(values), _EXACT))
    integers = pc.if_else(whole, values, None).cast(pa.int64(), safe=False).cast(pa.string())
    return pc.coalesce(integers, values.cast(pa.string()))
