"""Counts the tokens of texts, from the counts of the different texts.

A text that is in many rows is split once and its tokens count as often as it does. Chunks of texts
are split one after the other and what they count is added up through files, so that memory holds
neither all texts nor all tokens.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.preprocess.counting import SCHEMA
from pipelines.preprocess.spilled_counts import (
    BUCKET_BYTES,
    Piece,
    merge_counts,
    read_counts,
    spill_counts,
)
from pipelines.preprocess.splits import TRAIN
from pipelines.preprocess.vocabularies import training_counts
from tfmtl.config import TextFeature

_CHUNK = 16_384
"""Texts that are split at once."""

Texts = Iterable[pa.Table]
"""(value, count) of the different texts of a column, in several tables."""


def token_buckets(
    columns: Iterable[tuple[TextFeature, Texts]], work: Path, bucket_bytes: int = BUCKET_BYTES
) -> Iterator[pa.Table]:
    """Counts the tokens of text features that share a vocabulary.

    Args:
        columns: the features and the texts of their training rows.
        work: directory for temporary files.
        bucket_bytes: bytes of counts that are added up at once.

    Yields:
        (value, count) of tokens, each token in one table.
    """
    with TemporaryDirectory(dir=work) as scratch:
        pieces = [
            piece
            for number, (feature, texts) in enumerate(columns)
            for piece in _spilled(feature, texts, Path(scratch) / str(number))
        ]
        path = Path(scratch) / "counts.parquet"
        merge_counts(pieces, path, bucket_bytes)
        yield from map(training_counts, read_counts(path))


def _spilled(feature: TextFeature, texts: Texts, directory: Path) -> Iterator[Piece]:
    """Counts tokens, one file a chunk of texts."""
    directory.mkdir()
    for number, counts in enumerate(token_counts(feature, texts)):
        path = directory / f"{number}.arrows"
        yield from (piece for _, piece in spill_counts({"": counts}, path))


def token_counts(feature: TextFeature, texts: Texts) -> Iterator[pa.RecordBatch]:
    """Counts tokens, as the model reads them, chunk by chunk of the texts.

    Yields:
        Rows (split, value, count), each token once, in any order.
    """
    import tensorflow as tf

    from tfmtl.preprocessing.tokenizing import tokenizer

    split = tokenizer(feature)
    for chunk in (c for table in texts for c in table.to_batches(max_chunksize=_CHUNK)):
        values = chunk.column("value").cast(pa.binary()).to_numpy(False)
        tokens = split(tf.constant(values, tf.string))
        different, places = tf.unique(tf.reshape(tokens, [-1]))
        weights = np.repeat(chunk.column("count").to_numpy(), feature.length)
        counts = np.bincount(places.numpy(), weights, len(different)).astype(np.int64)
        value = pa.array(different.numpy(), pa.binary()).cast(pa.string())
        counted = pa.RecordBatch.from_arrays(
            [pa.array(np.full(len(value), TRAIN, np.int8)), value, pa.array(counts)],
            schema=SCHEMA,
        )
        yield counted.filter(pc.not_equal(value, ""))  # the padding
