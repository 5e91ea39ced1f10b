"""Statistics of columns of texts, out of the counts of their values, bucket by bucket.

Lengths are in bytes of UTF-8, as TensorFlow Data Validation has them; the shortest and the longest,
for which its protos have no place beside `avg_length`, are custom statistics.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.statistics_proto import Column, Statistics, set_common
from tfmtl.preprocessing.columns import SPLITS

UNSEEN = "unseen_share"
"""Custom statistic: share of a split's rows whose value no training row has."""
SHORTEST, LONGEST = "min_length", "max_length"
"""Custom statistics: bytes of the shortest and of the longest value."""

_TOP_VALUES = 50
_RANKED_VALUES = 1000
_ORDER = [("count", "descending"), ("value", "ascending")]


@dataclass
class TextStatistics:
    """What is known of the texts of a split; an empty text is a missing one.

    Attributes:
        count: texts that are there.
        missing: texts that are not.
        unique: different texts.
        unseen: texts that no training row has.
        bytes: bytes of all texts.
        shortest: bytes of the shortest.
        longest: bytes of the longest.
        top: (value, count) of the most frequent, ties by value.
    """

    count: int = 0
    missing: int = 0
    unique: int = 0
    unseen: int = 0
    bytes: int = 0
    shortest: int | None = None
    longest: int = 0
    top: pa.Table = field(
        default_factory=lambda: pa.schema(
            [("value", pa.string()), ("count", pa.int64())]
        ).empty_table()
    )

    def add(self, values: pa.Table, known: pa.ChunkedArray) -> None:
        """Adds values that were not there before.

        Args:
            values: (value, count), the most frequent first.
            known: those of the values that training rows have.
        """
        absent = pc.equal(values.column("value"), "")
        self.missing += _total(values.filter(absent))
        values = values.filter(pc.invert(absent))
        if not values.num_rows:
            return
        lengths = pc.binary_length(values.column("value"))
        ends = pc.min_max(lengths).as_py()
        self.count += _total(values)
        self.unique += values.num_rows
        self.bytes += pc.sum(pc.multiply(lengths.cast(pa.int64()), values.column("count"))).as_py()
        self.shortest = min(ends["min"], ends["min"] if self.shortest is None else self.shortest)
        self.longest = max(ends["max"], self.longest)
        new = pc.invert(pc.is_in(values.column("value"), known))
        self.unseen += _total(values.filter(new))
        frequent = pa.concat_tables([self.top, values.slice(0, _RANKED_VALUES)])
        self.top = frequent.sort_by(_ORDER).slice(0, _RANKED_VALUES)


def text_statistics(buckets: Iterable[pa.Table]) -> list[TextStatistics]:
    """Statistics of every split.

    Args:
        buckets: rows (split, value, count), all rows of a value in one of them, the most frequent
            of a split first.
    """
    result = [TextStatistics() for _ in SPLITS]
    for bucket in buckets:
        parts = [
            bucket.filter(pc.equal(bucket.column("split"), number)).drop_columns(["split"])
            for number in range(len(SPLITS))
        ]
        for statistics, part in zip(result, parts, strict=True):
            statistics.add(part, parts[TRAIN].column("value"))
    return result


def _total(values: pa.Table) -> int:
    return pc.sum(values.column("count")).as_py() or 0


def add_text(
    dataset: Statistics,
    name: str,
    known: TextStatistics,
    seen: bool,
    sizes: np.ndarray | None = None,
) -> Column:
    """Adds a column of texts to a dataset.

    Args:
        dataset: dataset to add to.
        name: name of the column.
        known: what is known of its texts.
        seen: whether these are the training rows, of which no value is unseen.
        sizes: of a column of lists, how many rows have 0, 1, 2 ... values.
    """
    feature = dataset.features.add(type=pb.FeatureNameStatistics.STRING)
    feature.path.step.append(name)
    strings = feature.string_stats
    set_common(strings.common_stats, known.count, known.missing, sizes)
    strings.unique = known.unique
    top = known.top.to_pylist()
    for row in top[:_TOP_VALUES]:
        strings.top_values.add(value=row["value"], frequency=row["count"])
    for rank, row in enumerate(top):
        strings.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=row["value"], sample_count=row["count"]
        )
    if known.count:
        strings.avg_length = known.bytes / known.count
        feature.custom_stats.add(name=SHORTEST, num=known.shortest)
        feature.custom_stats.add(name=LONGEST, num=known.longest)
        if not seen:
            feature.custom_stats.add(name=UNSEEN, num=known.unseen / known.count)
    return feature
