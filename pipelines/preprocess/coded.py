"""Texts as codes: what is done to texts is done once to each different one."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Coded:
    """Texts as codes: `values[codes[i]]` is the i-th text.

    Attributes:
        codes: int32 `[n]`.
        values: the different texts.
    """

    codes: np.ndarray
    values: pa.Array

    @classmethod
    def of(cls, column: pa.Array) -> "Coded":
        """Codes texts, however they are stored; numbers become texts."""
        if not pa.types.is_dictionary(column.type):
            if not pa.types.is_string(column.type):
                column = pc.fill_null(column.cast(pa.string()), "")
            column = column.dictionary_encode()
        return cls(column.indices.to_numpy(), column.dictionary)
