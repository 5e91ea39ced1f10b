"""Vocabularies out of the counts of the training rows' values."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.splits import TRAIN
from tfmtl.config import BagFeature, CategoricalFeature, Config, IdFeature, TextFeature
from tfmtl.preprocessing.tables import vocabulary_name

Reader = IdFeature | CategoricalFeature | BagFeature | TextFeature
"""A feature that reads a vocabulary."""


def training_counts(counts: pa.Table) -> pa.Table:
    """The training rows' part of the counts: (value, count), the most frequent first."""
    return counts.filter(pc.equal(counts.column("split"), TRAIN)).drop_columns(["split"])


def vocabulary(counts: pa.Table, min_count: int, max_size: int) -> pa.Table:
    """The values of a vocabulary and their counts.

    Args:
        counts: (value, count).
        min_count: rarer values are left out, and so are empty ones and those with a line break,
            which a line of a file cannot hold.
        max_size: values kept.

    Returns:
        (value, count), the most frequent first, ties by value.
    """
    value = counts.column("value")
    right = pc.and_(
        pc.greater_equal(counts.column("count"), min_count),
        pc.invert(pc.match_substring_regex(value, "[\r\n]|^$")),
    )
    order = [("count", "descending"), ("value", "ascending")]
    return counts.filter(right).sort_by(order).slice(0, max_size)


def vocabulary_of(buckets: Iterable[pa.Table], min_count: int, max_size: int) -> pa.Table:
    """The values of a vocabulary, as `vocabulary` finds them in all buckets together.

    Args:
        buckets: (value, count), each value in one of them.
        min_count: as of `vocabulary`.
        max_size: as of `vocabulary`.
    """
    chosen = pa.table({"value": pa.array([], pa.string()), "count": pa.array([], pa.int64())})
    for bucket in buckets:
        found = vocabulary(bucket, min_count, max_size)
        chosen = vocabulary(pa.concat_tables([chosen, found]), min_count, max_size)
    return chosen


def readers(config: Config) -> Iterator[tuple[str, list[tuple[str, Reader]]]]:
    """Vocabularies and the features, with their sides, that read them."""
    by_name: dict[str, list[tuple[str, Reader]]] = {}
    for side, feature in config.features.sided:
        hashed = isinstance(feature, BagFeature | TextFeature) and feature.hash_buckets is not None
        pretrained = isinstance(feature, TextFeature) and feature.pretrained is not None
        if isinstance(feature, Reader) and not hashed and not pretrained:
            by_name.setdefault(vocabulary_name(feature), []).append((side, feature))
    yield from by_name.items()
