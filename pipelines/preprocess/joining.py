"""Finds the rows of a table by keys of several columns, as of a time where keys have versions.

Each column's texts become codes, and the codes of a row one number, so that no row is hashed or
compared as text: with c_i the code of column i and u_i the sorted different numbers of the table,

    p_1 = c_1,    p_i = place in u_i of p_(i-1) * |column i| + c_i

A version's place is that of p * 2^32 + valid_from, and the row wanted is the last not after
p * 2^32 + time.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.coded import Coded
from pipelines.preprocess.hashing import KeyIndex

_TIME_BITS = 32
"""Times are seconds from 1970 to 2099."""


def key_codes(keys: Sequence[pa.Array]) -> np.ndarray:
    """Numbers for keys of several columns, equal where all columns are: int64 `[n]`."""
    coded = [Coded.of(key) for key in keys]
    codes = coded[0].codes.astype(np.int64)
    for key in coded[1:]:
        codes = np.unique(codes * len(key.values) + key.codes, return_inverse=True)[1]
    return codes


class TextIndex:
    """Finds texts among different ones: by their hashes, then compared, so that two texts of one
    hash are told apart.

    Args:
        texts: strings, no two alike.
    """

    def __init__(self, texts: pa.Array) -> None:
        self._texts = texts
        self._index = KeyIndex(texts)

    def find(self, texts: pa.Array) -> np.ndarray:
        """Place of each text: int64 `[n]`, -1 where it is not there."""
        found = self._index.find(texts)
        at = np.flatnonzero(found >= 0)
        same = pc.equal(self._texts.take(pa.array(found[at])), texts.take(pa.array(at)))
        clashing = at[~same.to_numpy(False)]
        if len(clashing):
            exact = pc.index_in(texts.take(pa.array(clashing)), value_set=self._texts)
            found[clashing] = pc.fill_null(exact, -1).to_numpy(False)
        return found


class JoinIndex:
    """Finds rows by keys.

    Args:
        keys: the key's columns, strings `[n]`; no two rows have one key, or one key and one
            `valid_from`.
        valid_from: unix time from which each row holds, int64 `[n]`; where not given, keys have one
            row each.
    """

    def __init__(self, keys: Sequence[pa.Array], valid_from: np.ndarray | None = None) -> None:
        coded = [Coded.of(key) for key in keys]
        self._texts = [TextIndex(key.values) for key in coded]
        self._sizes = [len(key.values) for key in coded[1:]]
        self._pairs: list[np.ndarray] = []
        codes = coded[0].codes.astype(np.int64)
        for key in coded[1:]:
            pairs, codes = np.unique(codes * len(key.values) + key.codes, return_inverse=True)
            self._pairs.append(pairs)
        self._versions: np.ndarray | None = None
        if valid_from is not None:
            codes = (codes << _TIME_BITS) + valid_from
        self._rows = np.argsort(codes, kind="stable")
        if valid_from is not None:
            self._versions = codes[self._rows]

    def find(self, keys: Sequence[Coded], times: np.ndarray | None = None) -> np.ndarray:
        """Row of each key: int64 `[n]`, -1 where there is none, or none yet.

        Args:
            keys: the key's columns, in the order in which they were given, `[n]`.
            times: unix time as of which versions are looked up, int64 `[n]`.
        """
        if len(self._rows) == 0:
            return np.full(len(keys[0].codes), -1, np.int64)
        codes = self._codes(keys)
        if self._versions is None:
            return np.where(codes >= 0, self._rows[codes], -1)
        assert times is not None, "versions are looked up as of a time"
        moments = (codes << _TIME_BITS) + times
        places = np.searchsorted(self._versions, moments, side="right") - 1
        there = (places >= 0) & (self._versions[places] >> _TIME_BITS == codes)
        return np.where(there, self._rows[places], -1)

    def _codes(self, keys: Sequence[Coded]) -> np.ndarray:
        """A number for each key, from 0, in the order of the table's numbers; -1 where unknown."""
        found = [
            index.find(key.values)[key.codes] for index, key in zip(self._texts, keys, strict=True)
        ]
        codes = found[0]
        for pairs, size, own in zip(self._pairs, self._sizes, found[1:], strict=True):
            wanted = np.where((codes >= 0) & (own >= 0), codes * size + own, -1)
            places = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
            codes = np.where(pairs[places] == wanted, places, -1)
        return codes
