"""Counts values by split, mergeable: the counts of two halves of a log add up to the whole's."""

from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.preprocess.coded import Coded

SCHEMA = pa.schema([("split", pa.int8()), ("value", pa.string()), ("count", pa.int64())])
_COMPACT_ROWS = 200_000


def count_values(
    column: Coded, splits: np.ndarray, chosen: np.ndarray | None = None
) -> pa.RecordBatch:
    """Counts the values of one batch.

    Args:
        column: values of the rows.
        splits: split of each row.
        chosen: which rows count; all where not given.

    Returns:
        Rows (split, value, count).
    """
    size = len(column.values)
    places = splits.astype(np.int64) * size + column.codes
    counts = np.bincount(places if chosen is None else places[chosen])
    found = np.flatnonzero(counts)
    values = column.values.take(pa.array(found % max(size, 1)))
    return pa.RecordBatch.from_arrays(
        [pa.array((found // max(size, 1)).astype(np.int8)), values, pa.array(counts[found])],
        schema=SCHEMA,
    )


class MergeCounts(beam.CombineFn):
    """Adds counts up; the most frequent first, ties by value, within each split.

    The accumulator is a list of batches, which `add_input` and `merge_accumulators` may change.
    """

    def create_accumulator(self) -> list[pa.RecordBatch]:
        return []

    def add_input(
        self, accumulator: list[pa.RecordBatch], element: pa.RecordBatch
    ) -> list[pa.RecordBatch]:
        accumulator.append(element)
        # Only once what came since has outgrown what is compact: else every batch compacts anew.
        fresh = sum(batch.num_rows for batch in accumulator[1:])
        if fresh > max(_COMPACT_ROWS, accumulator[0].num_rows):
            return [compact(accumulator)]
        return accumulator

    def merge_accumulators(
        self, accumulators: Iterable[list[pa.RecordBatch]]
    ) -> list[pa.RecordBatch]:
        merged = [batch for accumulator in accumulators for batch in accumulator]
        return [compact(merged)] if merged else []

    def compact(self, accumulator: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
        return [compact(accumulator)] if accumulator else []

    def extract_output(self, accumulator: list[pa.RecordBatch]) -> pa.RecordBatch:
        order = [("split", "ascending"), ("count", "descending"), ("value", "ascending")]
        return compact(accumulator).sort_by(order)


def compact(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Adds up the counts of the same value and split: rows (split, value, count) in any order."""
    table = pa.Table.from_batches(batches or [pa.RecordBatch.from_pylist([], schema=SCHEMA)])
    summed = table.group_by(["split", "value"], use_threads=False).aggregate([("count", "sum")])
    arrays = [summed.column(name).combine_chunks() for name in ("split", "value", "count_sum")]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
