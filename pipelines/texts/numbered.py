"""Texts as the numbers of their vectors, while Transform works."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.preprocess.hashing import KeyIndex
from pipelines.preprocess.record_batches import whole
from pipelines.texts.distinct import TEXT
from pipelines.texts.encoding import numbered_path
from tfmtl.config import Config
from tfmtl.preprocessing.encoders import encoding_name, frozen_texts
from tfmtl.preprocessing.text_vectors import vectors_path


class _Encoding(NamedTuple):
    places: KeyIndex
    vectors: np.ndarray


class NumberedTexts:
    """The texts that `encode_texts` has numbered.

    Args:
        config: the configuration.
        statistics: the analysis.
        output: Transform's artifact, with the vectors.
        work: its scratch directory.
    """

    def __init__(self, config: Config, statistics: Path, output: Path, work: Path) -> None:
        self._names = {f.name: encoding_name(statistics, f) for f in frozen_texts(config)}
        self._encodings = {
            name: _Encoding(
                KeyIndex(whole(pq.read_table(numbered_path(work, name)).column(TEXT))),
                np.load(vectors_path(output, name), mmap_mode="r"),
            )
            for name in set(self._names.values())
        }

    def numbers(self, feature: str, texts: pa.Array) -> np.ndarray:
        """Numbers of texts, int32 `[n]`."""
        found = self._encodings[self._names[feature]].places.find(texts)
        if (found < 0).any():
            raise KeyError(f"feature '{feature}': a text was not encoded; run again")
        return found.astype(np.int32)

    def vectors(self, feature: str, numbers: np.ndarray) -> np.ndarray:
        """Vectors of texts by their numbers, float32 `[n, width]`."""
        return self._encodings[self._names[feature]].vectors[numbers]
