"""The vectors of all texts that features with a frozen encoder read.

different texts -> known from the cache -+-> OUTPUT/texts/ENCODING.npy
               `-> RunInference -> cache -'

A text has the number of its row in that matrix; the texts are in order, "" first.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.ml.inference.base import RunInference

from pipelines.components.base import Progress
from pipelines.preprocess.examples import Examples
from pipelines.preprocess.running import RowCounter, counters, run
from pipelines.preprocess.writing import write_parquet
from pipelines.texts.cache import VectorCache, add, digests
from pipelines.texts.distinct import TEXT, distinct_texts
from pipelines.texts.handler import TextHandler
from tfmtl.config import TextFeature
from tfmtl.preprocessing.encoders import encoding_name, frozen_texts, read_encoders
from tfmtl.preprocessing.text_vectors import vectors_path

_TEXTS_AT_ONCE = 1024


class Encoded(NamedTuple):
    """What was done for one encoding.

    Attributes:
        features: names of the features.
        texts: different texts.
        cached: those whose vectors were known.
        damaged: files of the cache that were found damaged.
    """

    features: list[str]
    texts: int
    cached: int
    damaged: int

    @property
    def line(self) -> str:
        """What people read of it."""
        made = self.texts - self.cached
        line = f"{', '.join(self.features)}: {self.texts:,} texts, {self.cached:,} from the cache, "
        line += f"{made:,} encoded"
        return line + (f"; {self.damaged} damaged files made anew" if self.damaged else "")


def encode_texts(
    rows: Examples,
    statistics: Path,
    output: Path,
    work: Path,
    cache: Path,
    progress: Progress,
    total: int | None = None,
) -> list[Encoded]:
    """Encodes the texts of all features with a frozen encoder, each text once.

    Args:
        rows: the examples.
        statistics: the analysis, with the copies of checkpoints.
        output: Transform's artifact; the matrices are written to its `texts/`.
        work: scratch directory; the numbered texts are left there, see `NumberedTexts`.
        cache: directory of the vectors that are kept from run to run.
        progress: told how far it has come.
        total: rows of the log.

    Returns:
        What was done, by encoding.
    """
    features = frozen_texts(rows.config)
    if not features:
        return []
    found = distinct_texts(rows, features, work, progress, total)
    by_encoding: dict[str, list[TextFeature]] = {}
    for feature in features:
        by_encoding.setdefault(encoding_name(statistics, feature), []).append(feature)
    done = []
    for name, own in by_encoding.items():
        texts = pc.unique(pa.concat_arrays([found[feature.name] for feature in own])).sort()
        write_parquet(pa.table({TEXT: texts}), numbered_path(work, name))
        job = _Job(name, own[0], statistics, work, cache / name)
        made = _encode(job, texts, vectors_path(output, name), progress)
        done.append(made._replace(features=[feature.name for feature in own]))
    return done


def numbered_path(work: Path, encoding: str) -> Path:
    """File of the texts of an encoding, in the order of their numbers."""
    return work / "numbered" / f"{encoding}.parquet"


class _Job(NamedTuple):
    """One encoding, small enough to be sent to every worker."""

    name: str
    feature: TextFeature
    statistics: Path
    work: Path
    cache: Path

    @property
    def handler(self) -> TextHandler:
        encoder = self.feature.pretrained
        assert encoder is not None
        return TextHandler(
            self.statistics,
            encoder.checkpoint,
            self.feature.length,
            self.feature.max_bytes,
            encoder.pooling,
        )

    @property
    def width(self) -> int:
        assert self.feature.pretrained is not None
        return int(read_encoders(self.statistics)[self.feature.pretrained.checkpoint]["width"])


def _encode(job: _Job, texts: pa.Array, path: Path, progress: Progress) -> Encoded:
    """Writes the matrix of texts, what is missing in the cache encoded first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    marks, cache = digests(texts), VectorCache(job.cache, job.width)
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, (len(texts), job.width))
    known = cache.fill(marks, matrix)
    missing = texts.filter(pa.array(~known))
    if len(missing):
        run(partial(_build, job=job, texts=missing), job.work, progress, len(missing), "texts")
        again = VectorCache(job.cache, job.width)
        rest = np.flatnonzero(~known)
        vectors = np.empty((len(rest), job.width), np.float32)
        if not again.fill(marks[rest], vectors).all():
            raise OSError(f"{job.cache}: vectors that were written are not there; run again")
        matrix[rest] = vectors
    matrix.flush()
    return Encoded([], len(texts), int(known.sum()), len(cache.damaged))


def _build(pipeline: beam.Pipeline, job: _Job, texts: pa.Array) -> None:
    _ = (
        pipeline
        | "Texts" >> beam.Create(list(_batches(texts)))
        | "Spread" >> beam.Reshuffle()
        | "Encode" >> RunInference(job.handler)
        | "Keep" >> beam.ParDo(_Keep(job.cache, job.work))
    )


def _batches(texts: pa.Array) -> Iterator[pa.RecordBatch]:
    """Batches of texts of like lengths, the longest first."""
    lengths = pc.negate(pc.binary_length(texts))
    ordered = texts.take(pc.sort_indices(pa.table({"length": lengths}), [("length", "ascending")]))
    for start in range(0, len(ordered), _TEXTS_AT_ONCE):
        part = ordered.slice(start, _TEXTS_AT_ONCE)
        yield pa.RecordBatch.from_arrays([pa.concat_arrays([part])], names=[TEXT])


class _Keep(beam.DoFn):
    """Puts vectors into the cache as soon as they are made, so that a killed run keeps them."""

    def __init__(self, directory: Path, work: Path) -> None:
        self._directory, self._work = directory, work

    def setup(self) -> None:
        self._counter = RowCounter(counters(self._work))

    def process(self, rows: pa.RecordBatch) -> None:
        add(rows, self._directory)
        self._counter.add(rows.num_rows)
