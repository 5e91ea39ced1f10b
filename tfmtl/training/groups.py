"""Which rows of examples belong together, for losses on their order."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tfmtl.config import Config, HashedFeature, TextFeature, Vocabular
from tfmtl.preprocessing import columns

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def group_columns(config: Config) -> list[str]:
    """Columns of examples of which the rows of a ranking loss's group have equal values; none
    without groups."""
    return kept_columns(config, config.ranking_group or [])


def kept_columns(config: Config, names: Sequence[str]) -> list[str]:
    """Columns of examples that keep raw columns apart: those of the log's user and time, and of
    features of one id."""
    log = config.source.log
    single = Vocabular | HashedFeature | TextFeature
    kept = {f.raw: f.name for f in config.features if isinstance(f, single)}
    kept |= {raw: name for raw, name in ((log.user, columns.USER), (log.time, columns.TIME)) if raw}
    return [kept[name] for name in names]


def group_codes(table: pa.Table, names: list[str]) -> np.ndarray:
    """A number for each row, int64 `[rows]`: equal where all the columns are equal.

    The same values have the same number in every table. Two groups have the same one by chance in
    one of 2^64 cases.
    """
    codes = np.zeros(table.num_rows, np.uint64)
    for name in names:
        for values in _numbers(table[name].combine_chunks()):
            codes = (codes ^ values) * _MULTIPLIER
            codes ^= codes >> np.uint64(29)
    return codes.view(np.int64)


def _numbers(column: pa.Array) -> list[np.ndarray]:
    """The values as uint64 `[rows]`, those of lists place by place."""
    if pa.types.is_fixed_size_list(column.type):
        values = column.flatten().to_numpy(zero_copy_only=False)
        return list(values.astype(np.uint64).reshape(len(column), -1).T)
    if pa.types.is_integer(column.type):
        return [column.to_numpy(zero_copy_only=False).astype(np.uint64)]
    coded = column.dictionary_encode()
    hashes = [_hash(str(value)) for value in coded.dictionary.to_pylist()]
    return [np.array(hashes, np.uint64)[coded.indices.to_numpy(zero_copy_only=False)]]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def gathered_order(places: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """An order of rows, changed so that those of a group follow one another.

    Args:
        places: rows in random order, `[rows]`.
        codes: number of each row's group, `[rows]`.

    Returns:
        `[rows]`: groups in the order of their first rows in `places`.

    Example:
        >>> gathered_order(np.array([2, 0, 3, 1]), np.array([7, 7, 5, 5])).tolist()
        [2, 3, 0, 1]
    """
    _, first, group = np.unique(codes[places], return_index=True, return_inverse=True)
    return places[np.argsort(first[group], kind="stable")]
