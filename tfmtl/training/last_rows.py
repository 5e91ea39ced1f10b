"""Every user's latest positive, which holds the others in its history."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfmtl.preprocessing import columns


def last_positives(files: Sequence[Path]) -> dict[Path, np.ndarray]:
    """Which rows are their user's latest positive; of several at one time, the last one.

    Args:
        files: transformed examples of one split.

    Returns:
        `{file: bool [rows]}`.
    """
    names = [columns.USER, columns.TIME, columns.POSITIVE]
    tables = [pq.read_table(file, columns=names) for file in files]
    whole = pa.concat_tables(tables)
    users = whole[columns.USER].combine_chunks().dictionary_encode().indices.to_numpy()
    positive = np.flatnonzero(whole[columns.POSITIVE].fill_null(0).to_numpy() > 0)
    order = positive[np.lexsort((whole[columns.TIME].to_numpy()[positive], users[positive]))]
    ends = np.append(users[order][1:] != users[order][:-1], True)[: len(order)]
    last = np.zeros(len(whole), bool)
    last[order[ends]] = True
    starts = np.cumsum([0, *(len(table) for table in tables)])
    return {
        file: last[start:end]
        for file, start, end in zip(files, starts[:-1], starts[1:], strict=True)
    }
